"""The demo's console output; the web process is simulated."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from flows.platform.demo_run import follow
from storage.domain.job_messages import DownloadingModel, encode
from storage.domain.records import Job, JobState, Lane, Options, to_json
from storage.remote.web_client import WebClient

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


def test_the_progress_of_a_download_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    shares = [
        replace(QUEUED, detail=encode(DownloadingModel(model="base", share=share / 100))) for share in (0, 24, 24, 90)
    ]
    with Telling(QUEUED, *shares, replace(QUEUED, state=JobState.COMPLETED)) as web:
        assert follow(web, "j").state is JobState.COMPLETED
    assert capsys.readouterr().out.splitlines() == [f"downloading model base: {share}%" for share in (0, 24, 90)]


def test_a_job_without_progress_is_abandoned() -> None:
    with Telling(QUEUED) as web:
        assert follow(web, "j", patience_s=0.2).state is JobState.QUEUED
