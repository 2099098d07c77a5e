"""A span's work begins once the process has its run, and its slot is free before its end is reported."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.results import ResultStore
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.flows.transcribe_clip import transcribe_clip
from flows.flows.transcribe_clips import transcribe_clips
from flows.flows.transcribe_recording import transcribe_recording
from flows.flows.transcribe_span import transcribe_span
from flows.runs.process_state import Resident
from storage.domain import names
from storage.domain.errors import StaleAttempt
from storage.domain.records import Options, SpanResult, to_json
from storage.files.file_store import Files
from storage.jobs.reports import Report, SpanHeard

SHA = "5" * 64
RESULT = names.result_name(SHA, "none", "1", Options(), "en")
RUN = SimpleNamespace(
    id=uuid4(),
    labels={},
    tags=["interactive"],
    parameters={
        "job_id": "j1",
        "attempt": 1,
        "index": 3,
        "samples_sha256": SHA,
        "result": RESULT,
        "model": "none",
        "fingerprint": "none",
        "language": "en",
        "options": {"beam_size": 1},
        "speech": [[0.0, 1.5]],
    },
)
HEARD = SpanResult(
    segments=(),
    language="en",
    model="none",
    fingerprint="none",
    engine="none",
    device="cpu",
    compute_type="int8",
    engine_s=0.5,
)


class Process:
    """A process with the span's result on its storage, and what it tells worker and web process, in order."""

    def __init__(self, tmp_path: Path, *, refuses: Exception | None = None) -> None:
        self.told: list[Report | UUID] = []
        self._refuses = refuses
        self.here = Resident(name="gpu-test")
        files = Files(str(tmp_path / "store"))
        files.write(RESULT, to_json(HEARD))
        self.here.__dict__.update(files=files, reporter=self)
        self.here.on_engine_free = self.told.append

    def send(self, report: Report) -> None:
        self.told.append(report)
        if self._refuses is not None:
            raise self._refuses

    async def end(self) -> Any:
        self.here.begin_ahead(cast(Any, RUN), str(transcribe_span.name))
        begun = self.here.begun_ahead(RUN.id)
        assert begun is not None
        return await begun


async def test_a_span_begins_with_its_run_and_leaves_its_slot_before_it_is_reported(tmp_path: Path) -> None:
    process = Process(tmp_path)
    assert await process.end() is None
    freed, heard = process.told
    assert freed == RUN.id
    assert isinstance(heard, SpanHeard)
    assert (heard.index, heard.result, heard.reused) == (3, RESULT, True)


async def test_a_span_of_an_outdated_attempt_ends_as_cancelled(tmp_path: Path) -> None:
    state = await Process(tmp_path, refuses=StaleAttempt("j1", 1)).end()
    assert state.is_cancelled()


@pytest.mark.parametrize("flow", [transcribe_span, transcribe_clip, transcribe_clips, transcribe_recording])
async def test_no_run_asks_the_server_where_results_are_kept(flow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    async def ask(self: PrefectClient) -> Any:
        asked.append(True)
        return SimpleNamespace(default_result_storage_block_id=None)

    monkeypatch.setattr(PrefectClient, "read_server_default_result_storage", ask)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        await ResultStore().aupdate_for_flow(flow)
        assert not asked
        await ResultStore().aupdate_for_flow(flow.with_options(result_storage=None))
        assert asked
