"""How many statements a clip costs the ledger, from acceptance to completion: each is a millisecond of one thread."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from storage.domain import names
from storage.domain.records import Job, JobState, Lane, Options, User, from_json, to_json
from storage.files.file_store import Files
from storage.jobs import intake, job_store, manifests, renaming
from storage.jobs.manifests import Manifest
from storage.jobs.reports import Completed, Planned, SpanHeard, Started
from storage.ledger.database import Ledger
from storage.ledger.slow_queries import Watched
from tests.factories import SPANS, DirectReporter, transcript_of

MOST = {"accept": 12, "submit": 4, "start": 6, "complete": 27}
"""The first job of a month takes one more to complete."""


class Statements:
    """Counts statements by the step of the job."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.step, self.counts, execute = "", Counter[str](), Watched.execute

        def counted(cursor: Watched, query: Any, *args: Any, **kwargs: Any) -> Any:
            self.counts[self.step] += 1
            return execute(cursor, query, *args, **kwargs)

        monkeypatch.setattr(Watched, "execute", counted)


def accept(ledger: Ledger, files: Files, owner: User, path: Path, **more: Any) -> Job:
    path.write_bytes(b"sound")
    sha256 = hashlib.sha256(b"sound").hexdigest()
    asked: dict[str, Any] = {"owner_id": owner.id, "name": path.name, "options": Options(), "lane": Lane.BATCH} | more
    return intake.take_in(ledger, files, path, sha256=sha256, actor="worker:w", idempotency_key=sha256, **asked)


def test_a_clip_costs_few_statements(
    ledger: Ledger, files: Files, ann: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements = Statements(monkeypatch)
    statements.step = "accept"
    job = accept(ledger, files, ann, tmp_path / "talk.wav")
    statements.step = "submit"
    told: dict[str, Any] = {"attempt": 1, "flow_run_id": "run-1", "model": "tiny", "fingerprint": "f00d"}
    ledger.run(job_store.submitted, job.id, actor="system:dispatcher", **told)
    statements.step, send = "start", DirectReporter(ledger, files).send
    of: dict[str, Any] = {"job_id": job.id, "attempt": 1, "worker": "gpu-1"}
    send(Started(**of, flow_run_id="run-1"))
    statements.step, spans = "complete", SPANS[:1]
    files.write("transcripts/t.json", to_json(transcript_of(job)))
    plan = Planned(**of, duration_s=10, speech_s=6, language="en", language_probability=None, spans=spans)
    heard = SpanHeard(**of, index=0, result="results/r", engine_s=0.1)
    exports = {fmt: f"exports/{fmt}" for fmt in ("srt", "vtt", "txt", "json")}
    done = send(Completed(**of, transcript="transcripts/t.json", exports=exports, earlier=(plan, heard)))
    assert done.state is JobState.COMPLETED
    assert {step: count for step, count in statements.counts.items() if count > MOST[step]} == {}
    with ledger.read() as con:
        assert job_store.get(con, job.id) == done
        assert job_store.exports_of(con, job.id) == exports


def test_what_a_change_returns_is_what_the_ledger_has(ledger: Ledger, make_job: Any, run_of: Any) -> None:
    job = make_job(tags=("b", "a"), metadata={"place": "Ulm"}, duration_s=3)
    run = run_of(job)
    told: dict[str, Any] = {"attempt": 1, "flow_run_id": run.flow_run_id, "model": "tiny", "fingerprint": "f00d"}
    steps = (
        lambda: job,
        lambda: ledger.run(job_store.submitted, job.id, actor="system:dispatcher", **told),
        run.start,
        run.plan,
        lambda: run.advance(0, 2.5),
        lambda: run.hear(0, given_up=("float16",)),
        run.export,
        lambda: run.fail("no sound in it", "no_audio_track"),
    )
    for step in steps:
        returned = step()
        with ledger.read() as con:
            assert job_store.get(con, job.id) == returned


def test_manifests_are_recorded_together_and_those_of_a_killed_process_are_written_again(
    ledger: Ledger, files: Files, ann: User, tmp_path: Path, run_of: Any
) -> None:
    first = accept(ledger, files, ann, tmp_path / "talk.wav")
    assert manifests.catch_up(ledger, files) == 0
    run_of(first).whole_way()
    assert manifests.catch_up(ledger, files) == 0
    ledger.run(job_store.delete, first.id, actor="user:ann")
    accept(ledger, files, ann, tmp_path / "talk.wav")
    ledger.close()  # which knows nothing of what it did not record, as after a kill
    with Ledger.open(ledger.path) as again:
        assert manifests.catch_up(again, files) == 2
        assert manifests.catch_up(again, files) == 0


def test_a_first_description_that_comes_after_the_last_one_is_replaced(
    ledger: Ledger, files: Files, ann: User, tmp_path: Path, run_of: Any
) -> None:
    def ends_before_it_is_described(accepted: Job) -> None:
        run_of(accepted).whole_way()
        manifests.catch_up(ledger, files)

    job = accept(ledger, files, ann, tmp_path / "talk.wav", on_accepted=ends_before_it_is_described)
    manifests.catch_up(ledger, files)
    kept = from_json(Manifest, files.read(names.job_manifest_name(job.id)))
    assert (kept.job.state, kept.transcript is None) == (JobState.COMPLETED, False)
    assert manifests.catch_up(ledger, files) == 0


def test_a_first_description_that_comes_after_a_new_name_is_replaced(
    ledger: Ledger, files: Files, ann: User, tmp_path: Path
) -> None:
    def is_renamed(accepted: Job) -> None:
        ledger.run(renaming.rename, accepted.id, name="another", actor="user:ann")
        manifests.keep(ledger, files, accepted.id)

    job = accept(ledger, files, ann, tmp_path / "talk.wav", on_accepted=is_renamed)
    manifests.catch_up(ledger, files)
    assert from_json(Manifest, files.read(names.job_manifest_name(job.id))).job.name == "another.wav"
