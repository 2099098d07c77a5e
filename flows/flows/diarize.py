"""`tell-speakers-apart`: who speaks when in a recording, once, on the machine of a gpu worker."""

import hashlib
import json
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.endings import Stopped, cancelled, failed, this_run, with_retries
from flows.resident import CancelFlag, Resident, current, in_thread
from storage import names
from storage.errors import TranscriberError
from storage.records import Job, Plan, Turns, from_json, to_json


def turns_name(plan: Plan, job: Job) -> str:
    """Return where a job's turns lie: beside the results of the first span.

    They are the job's own: who asks again wants them found again.
    """
    asked = json.dumps([job.id, job.options.speakers, *(span.samples_sha256 for span in plan.spans)])
    digest = hashlib.sha256(asked.encode()).hexdigest()[:40]
    return f"{names.results_folder(plan.spans[0].samples_sha256)}speakers-{digest}.json"


def find(here: Resident, flag: CancelFlag, *, plan_name: str, result: str, speakers: int | None) -> None:
    """Tell the speakers apart and store who speaks when; blocking, for a thread."""
    from tasks.hearing import Stopped as StoppedMidway
    from tasks.speakers import LocalDiarizer

    plan = from_json(Plan, here.files.read(plan_name))
    diarizer = LocalDiarizer.by_settings(here.settings)
    try:
        found = diarizer.turns(here.files, plan, speakers=speakers, should_stop=flag.is_raised)
    except StoppedMidway as stopped:
        raise Stopped from stopped
    here.files.write(result, to_json(Turns(turns=tuple(found))))


@flow(name="tell-speakers-apart", persist_result=False)
async def tell_speakers_apart(plan: str, result: str, speakers: int | None) -> State[Any] | None:
    """Store under `result` who speaks when in the recording with this plan, unless that is known already."""
    run = this_run()
    here, flag = current(), current().flag(run.id)

    async def work() -> None:
        if not await in_thread(lambda: here.files.exists(result)):
            await in_thread(lambda: find(here, flag, plan_name=plan, result=result, speakers=speakers))

    try:
        await with_retries(work, flag=flag)
    except Stopped:
        return cancelled("stopped before all speakers were told apart, as asked")
    except TranscriberError as error:
        return failed(error)
    return None
