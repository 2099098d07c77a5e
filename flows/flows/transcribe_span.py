"""`transcribe-span`: transcribes one span on this worker's device and stores the result."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import FlowRun, State

from flows.runs.process_state import current
from flows.runs.run_outcomes import this_run
from flows.runs.span_transcription import SpanTranscription, end_of
from flows.worker.abandoned_runs import DEATHS
from storage.domain.deployments import Deployment
from storage.domain.records import Lane, Options


@flow(name=Deployment.TRANSCRIBE_SPAN.value, persist_result=False)
async def transcribe_span(  # noqa: PLR0917 - Prefect calls it by name
    job_id: str,
    attempt: int,
    index: int,
    samples_sha256: str,
    result: str,
    model: str,
    fingerprint: str,
    language: str | None,
    options: Options,
    speech: list[tuple[float, float]],
    maybe: list[tuple[float, float]] = [],  # noqa: B006 - Prefect reads the default from the signature
) -> State[Any] | None:
    """Transcribe one span and store the result under `result`, unless it exists.

    `speech` lists the speech in the span, and `maybe` what may be speech, in seconds from its start.
    """
    run = this_run()
    here, flag = current(), current().flag(run.id)
    transcription = SpanTranscription.from_parameters(
        here=here,
        flag=flag,
        job_id=job_id,
        attempt=attempt,
        index=index,
        samples_sha256=samples_sha256,
        result=result,
        model=model,
        fingerprint=fingerprint,
        language=language,
        options=options,
        speech=speech,
        maybe=maybe,
        deaths=int(run.labels.get(DEATHS, 0)),
        lane=lane_of(run),
    )
    return await end_of(transcription)


def lane_of(run: FlowRun) -> Lane:
    """Return the lane in a run's tags; one started by hand has none."""
    return next((lane for lane in Lane if lane.value in run.tags), Lane.INTERACTIVE)
