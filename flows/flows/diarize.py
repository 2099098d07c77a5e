"""`tell-speakers-apart`: diarizes a recording, once, on a gpu worker's machine."""

import hashlib
import json
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.runs.process_state import CancelFlag, Resident, current, in_thread
from flows.runs.run_outcomes import Stopped, cancelled, failed, this_run, with_retries
from storage.domain import names
from storage.domain.deployments import Deployment
from storage.domain.errors import TranscriberError
from storage.domain.records import Job, Plan, Turns, from_json, to_json


def turns_name(plan: Plan, job: Job) -> str:
    """Return the name of a job's speaker turns, next to its first span's results.

    They belong to the job: a new job diarizes again.
    """
    identity = json.dumps([job.id, job.options.speakers, *(span.samples_sha256 for span in plan.spans)])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:40]
    return f"{names.results_folder(plan.spans[0].samples_sha256)}speakers-{digest}.json"


def find(here: Resident, flag: CancelFlag, *, plan_name: str, result: str, speakers: int | None) -> None:
    """Diarize the recording and store the speaker turns; blocking, for a thread."""
    from tasks.asr.base import DecodingStopped as StoppedMidway
    from tasks.diarization.speakers import LocalDiarizer

    plan = from_json(Plan, here.files.read(names.required_in(names.PLANS, plan_name)))
    names.required_in(names.results_folder(plan.spans[0].samples_sha256), result)
    diarizer = LocalDiarizer.from_settings(here.settings)
    try:
        turns = diarizer.turns(here.files, plan, speakers=speakers, should_stop=flag.is_raised)
    except StoppedMidway as stopped:
        raise Stopped from stopped
    here.files.write(result, to_json(Turns(turns=tuple(turns))))


@flow(name=Deployment.TELL_SPEAKERS_APART.value, persist_result=False)
async def tell_speakers_apart(plan: str, result: str, speakers: int | None) -> State[Any] | None:
    """Store the speaker turns of a planned recording under `result`, unless they exist."""
    run = this_run()
    here, flag = current(), current().flag(run.id)

    async def work() -> None:
        if not await in_thread(lambda: here.files.exists(result)):
            await in_thread(lambda: find(here, flag, plan_name=plan, result=result, speakers=speakers))

    try:
        await with_retries(work, flag=flag)
    except Stopped:
        return cancelled("stopped on request before diarization was done")
    except TranscriberError as error:
        return failed(error)
    return None
