"""What the demonstration says while it waits; the web process answers from a list."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from flows.demonstration import follow
from storage.client import WebClient
from storage.records import Job, JobState, Lane, Options, to_json

EARLIER = datetime(2026, 1, 1, tzinfo=UTC)
QUEUED = Job(
    id="j",
    owner_id="u",
    name="jfk.flac",
    media_sha256="00",
    media_bytes=1,
    state=JobState.QUEUED,
    lane=Lane.INTERACTIVE,
    options=Options(),
    attempt=1,
    version=0,
    duration_s=None,
    speech_s=None,
    done_s=0.0,
    detail="",
    error=None,
    model=None,
    fingerprint=None,
    language=None,
    given_up=(),
    flow_run_id=None,
    created_at=EARLIER,
    updated_at=EARLIER,
    started_at=None,
    finished_at=None,
)


class Telling(WebClient):
    """A web process that tells these states of a job, one after the other."""

    def __init__(self, *told: Job) -> None:
        super().__init__("http://127.0.0.1:9", SecretStr("t"))
        self.told = list(told)

    def call(self, *_: Any, **__: Any) -> bytes:
        return to_json(self.told.pop(0) if len(self.told) > 1 else self.told[0])


def test_a_download_is_told_as_it_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    shares = [replace(QUEUED, detail=f"downloading model base: {share}%") for share in (0, 24, 24, 90)]
    with Telling(QUEUED, *shares, replace(QUEUED, state=JobState.COMPLETED)) as web:
        assert follow(web, "j").state is JobState.COMPLETED
    assert capsys.readouterr().out.splitlines() == [f"downloading model base: {share}%" for share in (0, 24, 90)]


def test_a_job_of_which_nothing_more_is_heard_is_given_up() -> None:
    with Telling(QUEUED) as web:
        assert follow(web, "j", patience_s=0.2).state is JobState.QUEUED
