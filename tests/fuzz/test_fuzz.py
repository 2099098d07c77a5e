"""Every malformed file ends in a clear error or a plan, within resource limits."""

import hashlib
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from storage.domain import names
from storage.domain.errors import TranscriberError
from storage.domain.records import Options
from storage.files.file_store import Files
from storage.media import probe
from tasks.audio.decode import Patience
from tasks.audio.ingest import ingest
from tests.forks import forked_by
from tests.fuzz.corpus import Malformed, corpus

LEAST = 300
MAX_HOURS = 0.25
WITHIN_S = 60.0  # of wall time, on a machine that does much else
GROWS_BY_BYTES = 400 << 20
AT_ONCE = 4
IMPATIENT = Patience(least_s=6.0, bytes_a_second=1 << 40)
"""Wait less long for a decoder than a real recording may need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file in a worker, and what it said."""

    name: str
    worker: str
    said: str
    took_s: float


def tried(file: Malformed, folder: Path, files: Files) -> Outcome:
    path = file.write(folder)
    began, said = time.monotonic(), ""
    asked = Options(channels="split" if len(file.data) % 2 else "mix")
    try:
        probe.check(path, file.name, max_hours=MAX_HOURS, options=asked, within_s=8.0, max_cpu_s=2)
    except TranscriberError as error:
        said = str(error)
    sha256 = hashlib.sha256(file.name.encode()).hexdigest()
    try:
        limits: dict[str, Any] = {"max_hours": MAX_HOURS, "patience": IMPATIENT}
        plan = ingest(path, name=file.name, files=files, options=asked, media_sha256=sha256, **limits)
        worker = "plan"
        assert plan.duration_s >= 0
        assert all(files.exists(names.span_name(span.samples_sha256)) for span in plan.spans)
    except TranscriberError as error:
        worker, said = error.code, str(error)
    path.unlink()
    return Outcome(name=file.name, worker=worker, said=said, took_s=time.monotonic() - began)


def test_every_malformed_file_ends_clearly(tmp_path: Path) -> None:
    malformed, files = corpus(), Files(str(tmp_path / "store"))
    assert len(malformed) >= LEAST
    media = tmp_path / "media"
    media.mkdir()
    me = psutil.Process()
    before_bytes = me.memory_info().rss
    with ThreadPoolExecutor(min(AT_ONCE, os.cpu_count() or 1)) as workers:
        outcomes = list(workers.map(partial(tried, folder=media, files=files), malformed))

    slow = [(one.name, one.took_s) for one in outcomes if one.took_s > 2 * WITHIN_S]
    assert not slow
    assert me.memory_info().rss - before_bytes < GROWS_BY_BYTES
    assert not forked_by(me)
    assert not [path for path in (tmp_path / "store").rglob("*") if path.name.startswith(".")]
    assert not [one.name for one in outcomes if one.worker != "plan" and not one.said]
    kinds = Counter(one.worker for one in outcomes)
    assert kinds["plan"] > 50
    assert kinds["audio_unreadable"] > 50
    assert set(kinds) <= {
        "plan",
        "audio_unreadable",
        "header_missing",
        "index_missing",
        "recording_encrypted",
        "codec_unknown",
        "empty_upload",
        "no_audio_track",
        "recording_too_long",
        "bad_request",
    }


def test_the_corpus_is_the_same_at_every_run() -> None:
    first, second = corpus(), corpus()
    assert [each.name for each in first] == [each.name for each in second]
    assert [each.data for each in first] == [each.data for each in second]
    assert len({each.name for each in first}) == len(first)
