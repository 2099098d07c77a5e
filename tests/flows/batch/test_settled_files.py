"""Files that are still being written are sent when they are complete."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flows.batch import batch_upload
from flows.batch.batch_upload import BatchOptions, WritersPatience, send_all
from flows.batch.settled_files import SETTLED_AFTER_S, Settling
from flows.batch.source_files import SourceReader
from flows.platform.api_upload import SentFile
from storage.domain.batch_outcomes import BatchOutcome, KnownRecording
from storage.domain.records import Job
from storage.domain.settings import Settings

OPTIONS = BatchOptions(owner="admin", model="auto", language=None, actor="cli:test")


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def __call__(self) -> float:
        return self.at_s


def test_a_file_that_has_been_the_same_for_a_while_is_complete(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    clock = Clock()
    settling = Settling(clock, now=lambda: (tmp_path / "a").stat().st_mtime)
    assert not settling.is_settled(tmp_path / "a")
    clock.at_s += SETTLED_AFTER_S - 1
    assert not settling.is_settled(tmp_path / "a")
    clock.at_s += 1
    assert settling.is_settled(tmp_path / "a")


def test_a_file_that_grows_or_changes_is_not(tmp_path: Path) -> None:
    path, clock = tmp_path / "a", Clock()
    settling = Settling(clock, now=lambda: path.stat().st_mtime)
    for content in (b"x", b"xx", b"yy"):
        path.write_bytes(content)
        os.utime(path, ns=(0, int(clock.at_s * 1e9)))
        clock.at_s += SETTLED_AFTER_S
        assert not settling.is_settled(path)


def test_a_file_of_long_ago_is_complete_at_once_and_one_of_the_future_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    os.utime(path, (1, 1))
    assert Settling().is_settled(path)
    os.utime(path, (2**33, 2**33))
    assert not Settling().is_settled(path)


class PlayedWeb:
    """Takes files like the web process; `on_send` happens while one is read."""

    def __init__(self) -> None:
        self.came: list[tuple[str, bytes, str | None]] = []
        self.on_send: dict[int, Any] = {}
        self.on_ask: Callable[[], object] = lambda: None
        self.knows, self.is_new = KnownRecording(), True

    def __call__(self, _: Settings, path: Path, *, replaces: str | None = None, **__: Any) -> Any:
        self.came.append((path.name, path.read_bytes(), replaces))
        self.on_send.get(len(self.came), lambda: None)()
        job: Any = SimpleNamespace(id=f"job-{len(self.came)}", state="queued")
        return SentFile(job=job, is_new=self.is_new)

    def known(self, _: Settings, **__: Any) -> KnownRecording:
        knows = self.knows
        self.on_ask()
        return knows


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> PlayedWeb:
    played = PlayedWeb()
    monkeypatch.setattr(batch_upload, "send_file", played)
    monkeypatch.setattr(batch_upload, "known_recording", played.known)
    return played


QUICK = WritersPatience(look_every_s=0.01, settled_after_s=0.2)


def sent(folder: Path, patience: WritersPatience = QUICK) -> dict[str, str]:
    """Send a folder, and return what became of each file."""
    settings = Settings()
    files = SourceReader(settings).files(str(folder), recursive=False)
    outcomes = send_all(settings, files, OPTIONS, patience=patience)
    return {Path(one.name).name: one.job_id or one.reason for one in outcomes}


def old(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.utime(path, (1, 1))


def test_a_file_that_is_being_copied_comes_last_and_whole(tmp_path: Path, web: PlayedWeb) -> None:
    (tmp_path / "a").write_bytes(b"half")
    old(tmp_path / "b", b"b")
    web.on_send[1] = lambda: (tmp_path / "a").write_bytes(b"half and half")
    assert sent(tmp_path) == {"b": "job-1", "a": "job-2"}
    assert web.came == [("b", b"b", None), ("a", b"half and half", None)]


def test_a_file_that_another_batch_sent_meanwhile_is_known(tmp_path: Path, web: PlayedWeb) -> None:
    old(tmp_path / "a.wav", b"sound")
    web.is_new = False
    settings = Settings()
    outcomes = list(send_all(settings, SourceReader(settings).files(str(tmp_path), recursive=False), OPTIONS))
    assert [(one.became, one.job_id) for one in outcomes] == [(BatchOutcome.KNOWN, "job-1")]


def test_a_file_that_grew_while_it_was_sent_is_sent_again_and_replaces_the_part(tmp_path: Path, web: PlayedWeb) -> None:
    old(tmp_path / "a", b"half")
    web.on_send[1] = lambda: (tmp_path / "a").write_bytes(b"half and half")
    assert sent(tmp_path) == {"a": "job-2"}
    assert web.came == [("a", b"half", None), ("a", b"half and half", "job-1")]


def test_an_earlier_recording_is_no_part_of_a_file_that_is_written_anew(tmp_path: Path, web: PlayedWeb) -> None:
    old(tmp_path / "a", b"yesterday")
    web.knows = KnownRecording(outcome=BatchOutcome.KNOWN, job=cast(Job, SimpleNamespace(id="yesterday's job")))

    def write_anew() -> None:
        web.knows, web.on_ask = KnownRecording(), lambda: None
        (tmp_path / "a").write_bytes(b"today")

    web.on_ask = write_anew
    assert sent(tmp_path) == {"a": "job-1"}
    assert web.came == [("a", b"today", None)]


def test_a_file_that_does_not_stop_growing_is_named_and_not_sent(tmp_path: Path, web: PlayedWeb) -> None:
    (tmp_path / "a").write_bytes(b"half")
    patience = WritersPatience(at_most_s=0.05, look_every_s=0.01, settled_after_s=60.0)
    assert sent(tmp_path, patience) == {"a": batch_upload.STILL_WRITTEN}
    assert web.came == []
