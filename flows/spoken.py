"""`detect-language`: ask a multilingual model, on the gpu pool, which language a recording is in."""

import hashlib
import json
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.endings import Stopped, cancelled, failed, this_run, with_retries
from flows.resident import Resident, current, in_thread
from storage import names
from storage.errors import TranscriberError
from storage.records import Options, Plan, from_json, to_json

ANSWER_VERSION = 2  # a change of windows, weights or the answer's form counts it up


def answer_name(plan: Plan, fingerprint: str, engine_version: str, options: Options) -> str:
    """Return where the answer lies: beside the results of the first span, named by all of them and by who listened."""
    how = [fingerprint, engine_version, ANSWER_VERSION, options.language, options.language_per_span]
    asked = json.dumps([*how, *(span.samples_sha256 for span in plan.spans)])
    digest = hashlib.sha256(asked.encode()).hexdigest()[:40]
    return f"{names.results_folder(plan.spans[0].samples_sha256)}language-{digest}.json"


def speaks_only_english(model: str, model_dir: Path) -> bool:
    """Return whether the model is known, on this machine or by the catalogue, to hear English alone."""
    from tasks import models

    here = models.find(model, model_dir)
    if here is not None:
        return not models.is_multilingual(here.path)
    return model in models.CATALOGUE and models.CATALOGUE[model].languages == "English"


def detect(here: Resident, *, plan_name: str, result: str, model: str, fingerprint: str, options: Options) -> None:
    """Listen to several windows of speech and store the likeliest language; blocking, for a thread."""
    from tasks.language import spoken_in

    plan = from_json(Plan, here.files.read(plan_name))
    with here.hearing().borrow(model, fingerprint) as engine:
        spoken = spoken_in(engine, here.files, plan, options)
    here.files.write(result, to_json(spoken))


@flow(name="detect-language", persist_result=False)
async def detect_recording_language(
    plan: str, result: str, model: str, fingerprint: str, options: Options
) -> State[Any] | None:
    """Store under `result` which language the recording with this plan is in, unless that is known already."""
    run = this_run()
    here, flag = current(), current().flag(run.id)

    async def work() -> None:
        if not await in_thread(lambda: here.files.exists(result)):
            told = {"plan_name": plan, "result": result, "model": model, "fingerprint": fingerprint}
            await in_thread(lambda: detect(here, **told, options=options))

    try:
        await with_retries(work, flag=flag)
    except Stopped:
        return cancelled("stopped before it listened, as asked")
    except TranscriberError as error:
        return failed(error)
    return None
