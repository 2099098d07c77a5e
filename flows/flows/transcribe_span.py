"""`transcribe-span`: hear one span on this worker's device and store what was heard."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.endings import Stopped, cancelled, failed, this_run, with_retries
from flows.resident import CancelFlag, Resident, current, in_thread
from flows.zombies import DEATHS
from storage.errors import StaleAttempt, TranscriberError
from storage.records import Heard, Options, Stretch, from_json, to_json
from storage.reports import Advanced, SpanHeard

REPORT_EVERY_S = 1.0


@dataclass(kw_only=True)
class Hearing:
    """One span's way through an engine; `done_s` is what the engine has heard so far, in seconds of speech."""

    here: Resident
    flag: CancelFlag
    job_id: str
    attempt: int
    index: int
    samples_sha256: str
    result: str
    model: str
    fingerprint: str
    language: str | None
    options: Options
    speech: tuple[Stretch, ...]
    deaths: int
    done_s: float = field(default=0.0, init=False)

    def note(self, done_s: float) -> None:
        self.done_s = done_s

    def hear(self) -> Heard:
        """Hear the span and store the result; blocking, for a thread."""
        from tasks import engine, ingest

        pcm = ingest.read_span(self.here.files, self.samples_sha256)
        with self.here.hearing().borrow(self.model, self.fingerprint, deaths=self.deaths) as borrowed:
            try:
                heard = engine.hear(
                    borrowed,
                    pcm,
                    options=self.options,
                    language=self.language,
                    speech=self.speech,
                    should_stop=self.flag.is_raised,
                    on_progress=self.note,
                )
            except engine.Stopped as stopped:
                raise Stopped from stopped
        self.here.files.write(self.result, to_json(heard))
        return heard

    def report(self, heard: Heard, *, reused: bool) -> None:
        self.here.reporter.send(
            SpanHeard(
                job_id=self.job_id,
                attempt=self.attempt,
                worker=self.here.name,
                index=self.index,
                result=self.result,
                engine_s=heard.engine_s,
                reused=reused,
                given_up=heard.given_up,
            )
        )

    async def keep_reporting(self) -> None:
        """Tell the ledger how far it is, once a second; a cancelled job answers that the work is to stop."""
        told_s = 0.0
        while True:
            await asyncio.sleep(REPORT_EVERY_S)
            done_s = self.done_s
            if done_s <= told_s:
                continue
            step = Advanced(
                job_id=self.job_id, attempt=self.attempt, worker=self.here.name, index=self.index, done_s=done_s
            )
            try:
                await in_thread(lambda step=step: self.here.reporter.send(step))  # type: ignore[misc]
                told_s = done_s
            except StaleAttempt:
                self.flag.raise_()
                return
            except TranscriberError:
                continue  # progress alone; the result is what counts

    async def run(self) -> None:
        """Find the result or make it, then report it."""
        if await in_thread(lambda: self.here.files.exists(self.result)):
            heard, reused = from_json(Heard, await in_thread(lambda: self.here.files.read(self.result))), True
        else:
            telling = asyncio.create_task(self.keep_reporting())
            try:
                heard, reused = await in_thread(self.hear), False
            finally:
                telling.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await telling
        await in_thread(lambda: self.report(heard, reused=reused))


@flow(name="transcribe-span", persist_result=False)
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
) -> State[Any] | None:
    """Hear one span of a recording and store what was heard under `result`, unless it is there already.

    `speech` lists where there is speech in the span, in seconds from its start.
    """
    run = this_run()
    here, flag = current(), current().flag(run.id)
    hearing = Hearing(
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
        speech=tuple(Stretch(start_s=start_s, end_s=end_s) for start_s, end_s in speech),
        deaths=int(run.labels.get(DEATHS, 0)),
    )
    try:
        await with_retries(hearing.run, flag=flag)
    except Stopped:
        return cancelled("stopped between two stretches of speech, as asked")
    except StaleAttempt as stale:
        return cancelled(str(stale))
    except TranscriberError as error:
        return failed(error)
    return None
