"""Begin with a clip while Prefect makes its flow run and hands that over.

What is begun are its plan, its spans and their results: their names on storage follow from the content alone, so the
clip's own attempt finds them, and waits for those that are being made. No progress is reported, and failures are left
to the attempt, which meets them again.
"""

import asyncio
import logging
import random
from typing import Any

from flows.runs.job_attempt import RecordingAttempt
from flows.runs.local_spans import LocalSpans
from flows.runs.process_state import CancelFlag, Resident, in_thread
from flows.runs.run_outcomes import Stopped
from flows.runs.transcribe_spans import ClipTranscription
from storage.domain.errors import NotFound, StaleAttempt, TranscriberError
from storage.domain.records import Job
from storage.jobs.reports import Advanced
from storage.remote.clip_offers import offered
from storage.remote.service_tokens import worker_secret

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
STEADY_AFTER_S = 10.0
"""A connection that lasted so long is opened again at once."""
ASK_EVERY_S = 3.0
"""Whether the job is still wanted, should its flow run not come."""


class ClipAhead(RecordingAttempt):
    """The part of an attempt at a clip that can be done without telling anybody."""

    ask_every_s: float = ASK_EVERY_S
    keeps_sound = True

    def __init__(self, here: Resident, flag: CancelFlag, job: Job) -> None:
        spans = LocalSpans(here=here, flag=flag, lane=job.lane, shows_progress=False)
        super().__init__(here, flag, job, span_runs=spans)
        self.made = spans.made

    async def tell(self, kind: Any, **fields: Any) -> Job:  # noqa: ARG002 - the attempt itself tells
        return self.job

    async def hear(self) -> None:
        """Store plan, spans and results; a failure is the attempt's to report."""
        asking = asyncio.create_task(self._keep_asking())
        try:
            language = await in_thread(self.requested_language)
            await ClipTranscription(self, self.reading(say_every_s=None), language).run()
        except (Stopped, TranscriberError) as error:
            log.info("job %s: begun ahead of its flow run, and left to that (%r)", self.job.id, error)
        except Exception:
            log.exception("job %s: begun ahead of its flow run, and left to that", self.job.id)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _keep_asking(self) -> None:
        """Stop once the job is not wanted any more.

        The report says that nothing is done yet, which changes nothing.
        """
        while not self.flag.is_raised():
            await asyncio.sleep(self.ask_every_s)
            try:
                job = await in_thread(lambda: self.report(Advanced, index=0, done_s=0.0))
                is_over = job.state.finished
            except (StaleAttempt, NotFound):
                is_over = True
            except TranscriberError:
                continue
            if is_over:
                self.flag.raise_()


async def listen(here: Resident) -> None:
    """Begin with the clips that the web process offers, forever."""
    secret, clock = worker_secret(here.settings), asyncio.get_running_loop().time
    pause_s, has_warned = FIRST_PAUSE_S, False
    while True:
        began, problem = clock(), "the connection was closed at once"
        try:
            async for job in offered(here.settings.web.base_url, secret, here.name):
                begin(here, job)
        except Exception as error:  # noqa: BLE001 - clips are heard without it, and the next try may find all well
            problem = repr(error)
        if clock() - began >= STEADY_AFTER_S:
            pause_s, has_warned = FIRST_PAUSE_S, False
            continue
        if not has_warned:
            log.warning("no clip is begun before its flow run is there: %s", problem)
            has_warned = True
        await asyncio.sleep(random.uniform(0.5, 1.0) * pause_s)  # noqa: S311
        pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)


def begin(here: Resident, job: Job) -> "asyncio.Task[None]":
    """Begin with a clip."""
    ahead = ClipAhead(here, CancelFlag(), job)
    work = asyncio.create_task(ahead.hear())
    here.ahead.keep(ahead, work)
    return work
