"""Wait for a job and answer with its text, however long that takes.

Proxies close connections on which nothing comes for a minute or so. JSON may begin with white space, so an answer in
JSON that takes long starts with some. Its status is sent then; if the job fails later, the connection is cut before the
body's end. Clients see an error of the network, send the call again, and get the job's real error at once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dashboards.api import openai_stream
from dashboards.runtime import context, db
from storage.domain.errors import TranscriberError
from storage.domain.records import Job, JobState
from storage.jobs import job_store

LOOK_AGAIN_S = 10.0
CHUNKED_SINCE = "1.1"
"""Before this version of HTTP a body that was cut looks like a whole one."""

logger = logging.getLogger(__name__)

Answer = Callable[[Job], Awaitable[Response]]


async def answered(request: Request, job: Job, answer: Answer, *, in_json: bool) -> Response:
    """Respond with the job's answer, or its error, as soon as it has ended.

    Raises:
        ClientDisconnect: the client has disconnected; the job goes on.
    """
    keep_alive_s = context.settings().web.keep_alive_seconds
    early = in_json and keep_alive_s > 0 and request.scope["http_version"] >= CHUNKED_SINCE
    job = await finished(request.receive, job.id, within_s=keep_alive_s if early else None)
    if not job.state.finished:
        return _LongAnswer(job, answer, keep_alive_s)
    return await answer(job) if job.state is JobState.COMPLETED else openai_stream.failure(job)


async def finished(receive: Receive, job_id: str, *, within_s: float | None = None) -> Job:
    """Wait until the job has ended or the time is over; return it.

    Raises:
        ClientDisconnect: the client has disconnected.
    """
    gone = asyncio.ensure_future(_until_gone(receive))
    clock = asyncio.get_running_loop().time
    until_s = float("inf") if within_s is None else clock() + within_s
    try:
        with context.current().bus.listen(job_id=job_id) as listener:
            while True:
                job = await db.read(job_store.get, job_id)
                if job.state.finished or (left_s := until_s - clock()) <= 0:
                    return job
                news = asyncio.ensure_future(listener.next_news(wait_s=min(LOOK_AGAIN_S, left_s)))
                await asyncio.wait({news, gone}, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    news.cancel()
                    raise ClientDisconnect
                if ended := [each.job for each in news.result() if each.job and each.job.state.finished]:
                    return ended[-1]
    finally:
        gone.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _LongAnswer(Response):
    """White space while the job is in progress, then the answer.

    Without an answer it stays unfinished.
    """

    media_type = "application/json"

    def __init__(self, job: Job, answer: Answer, keep_alive_s: float) -> None:
        self.job, self.answer, self.keep_alive_s = job, answer, keep_alive_s
        self.status_code, self.background = 200, None
        self.init_headers({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        while not self.job.state.finished:
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            self.job = await finished(receive, self.job.id, within_s=self.keep_alive_s)
        body = None
        if self.job.state is JobState.COMPLETED:
            with suppress(TranscriberError):
                body = (await self.answer(self.job)).body
        if body is None:
            logger.info("the answer of job %s (%s) is cut, so that its client asks again", self.job.id, self.job.state)
            return
        await send({"type": "http.response.body", "body": body, "more_body": False})
