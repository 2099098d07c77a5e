"""`transcribe-span`: transcribes one span on this worker's device and stores the result."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import FlowRun, State

from flows.runs.process_state import HEAD_STARTS, Resident, current
from flows.runs.run_outcomes import NO_RESULTS, this_run
from flows.runs.span_transcription import SpanTranscription, end_of
from flows.worker.abandoned_runs import DEATHS
from storage.domain.deployments import Deployment
from storage.domain.records import Lane, Options


async def attempt_span(here: Resident, run: FlowRun) -> State[Any] | None:
    """Transcribe the span that a flow run's parameters describe.

    It begins as soon as this process has the run, before Prefect has recorded that. Once the result is stored, the
    worker may take its next run.
    """
    transcription = SpanTranscription.from_parameters(
        here=here,
        flag=here.flag(run.id),
        deaths=int(run.labels.get(DEATHS, 0)),
        lane=lane_of(run),
        on_stored=lambda: here.on_engine_free(run.id),
        **{"maybe": [], **run.parameters},
    )
    return await end_of(transcription)


HEAD_STARTS[Deployment.TRANSCRIBE_SPAN.value] = attempt_span


@flow(name=Deployment.TRANSCRIBE_SPAN.value, persist_result=False, result_storage=NO_RESULTS)
async def transcribe_span(  # noqa: PLR0917 - Prefect calls it by name
    job_id: str,  # noqa: ARG001 - all are read from the flow run
    attempt: int,  # noqa: ARG001
    index: int,  # noqa: ARG001
    samples_sha256: str,  # noqa: ARG001
    result: str,  # noqa: ARG001
    model: str,  # noqa: ARG001
    fingerprint: str,  # noqa: ARG001
    language: str | None,  # noqa: ARG001
    options: Options,  # noqa: ARG001
    speech: list[tuple[float, float]],  # noqa: ARG001
    maybe: list[tuple[float, float]] = [],  # noqa: ARG001, B006 - Prefect reads the default from the signature
) -> State[Any] | None:
    """Transcribe one span and store the result under `result`, unless it exists.

    `speech` lists the speech in the span, and `maybe` what may be speech, in seconds from its start.
    """
    here, run = current(), this_run()
    return await (here.begun_ahead(run.id) or attempt_span(here, run))


def lane_of(run: FlowRun) -> Lane:
    """Return the lane in a run's tags; one started by hand has none."""
    return next((lane for lane in Lane if lane.value in run.tags), Lane.INTERACTIVE)
