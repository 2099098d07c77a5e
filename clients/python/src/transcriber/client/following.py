"""Follow jobs by server-sent events; where these do not come, look again and again.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import httpx
from pydantic import ValidationError

from transcriber.client.errors import (
    ConnectionFailed,
    PermissionRefused,
    ProblemError,
    StillWorking,
    Unauthorized,
    problem_of,
)
from transcriber.client.models import Job, JobEvent
from transcriber.client.retries import Retries
from transcriber.client.steps import Answer, Call, Found, Listen, NextLine, Pause, Steps

log = logging.getLogger("transcriber.client")

SILENT_S = 45.0
"""The server sends something every 15 s; after this long the stream is taken for lost."""
LISTEN_AGAIN_S = 60.0
"""Where there are no events, they are tried again after so long; jobs are looked at meanwhile."""
Look = Callable[[str], Steps[Job]]


@dataclass(slots=True)
class EventParser:
    """Makes events of the lines of a stream; `last_id` is where to continue."""

    last_id: str | None = None
    _id: str | None = None
    _kind: str = ""
    _data: list[str] = field(default_factory=list)

    def take(self, line: str) -> JobEvent | None:
        """Take a line; return the event that it ends."""
        if line:
            self._take_field(line)
            return None
        kind, data, ident = self._kind, self._data, self._id
        self._kind, self._data, self._id = "", [], None
        self.last_id = ident or self.last_id
        if kind == "missed":
            return JobEvent(missed=True, id=self.last_id or "")
        return _event_of("\n".join(data)) if data else None

    def _take_field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._kind = value
        elif name == "id" and "\0" not in value:
            self._id = value


def _event_of(data: str) -> JobEvent | None:
    try:
        return JobEvent.model_validate(json.loads(data))
    except (ValueError, ValidationError):  # of a later server
        return None


@dataclass(slots=True, kw_only=True)
class Following:
    """One program that follows jobs; `timeout_s` is for all of it."""

    retries: Retries
    timeout_s: float | None
    what: str
    poll_s: float = 5.0
    began_s: float = field(default_factory=time.monotonic)
    parser: EventParser = field(default_factory=EventParser)
    reads_within_s: float = SILENT_S

    def left_s(self) -> float:
        """Return the seconds that are left to wait; raises StillWorking if there are none."""
        if self.timeout_s is None:
            return float("inf")
        left = self.began_s + self.timeout_s - time.monotonic()
        if left <= 0:
            raise StillWorking(self.what, self.timeout_s)
        return left

    def pause(self, seconds: float) -> Steps[None]:
        """Wait, but not past the end of the time."""
        yield Pause(seconds=min(seconds, self.left_s()))

    def opened(self) -> Steps[Answer | None]:
        """Open the stream, continuing after the last event; None if the connection fails."""
        self.reads_within_s = min(SILENT_S, self.left_s())
        headers = {"Accept": "text/event-stream"}
        if self.parser.last_id is not None:
            headers["Last-Event-ID"] = self.parser.last_id
        call = Call(method="GET", path="api/v1/events", headers=headers, read_s=self.reads_within_s)
        try:
            answer: Answer = yield Listen(call=call)
        except httpx.TransportError as error:
            log.info("no events: %s", type(error).__name__)
            return None
        return answer

    def next_event(self) -> Steps[JobEvent | None]:
        """Return the next event; None if the stream has to be opened anew.

        It is lost, or would not end in time.
        """
        while True:
            try:
                line: str | None = yield NextLine()
            except httpx.TransportError:
                self.left_s()
                return None
            if line is None:
                return None
            if (event := self.parser.take(line)) is not None:
                return event
            if self.left_s() < self.reads_within_s:
                return None


def listened(following: Following, base_url: str) -> Steps[None]:
    """Find all events, forever; a lost connection continues after the last one.

    Raises:
        ProblemError: the server refuses; a busy or restarting one is asked again.
        ConnectionFailed: it stays away for longer than the attempts last.
    """
    pauses_s = following.retries.pauses_s()
    while True:
        answer = yield from following.opened()
        failed: ProblemError | ConnectionFailed | None = None
        if answer is None:
            failed = ConnectionFailed(base_url, "no events")
        elif not answer.is_success:
            failed = problem_of(answer.status, answer.headers, answer.body)
            if not failed.transient:
                raise failed
        else:
            pauses_s = following.retries.pauses_s()
            while (event := (yield from following.next_event())) is not None:
                yield Found(item=event)
        pause_s = next(pauses_s, None)
        if pause_s is None:
            raise failed or ConnectionFailed(base_url, "the stream of events ends again and again")
        named_s = failed.retry_after_s if isinstance(failed, ProblemError) else None
        yield from following.pause(max(pause_s, named_s or 0.0))


class Waiting:
    """Jobs whose ends are waited for; those that ended are taken out of `job_ids`."""

    def __init__(self, *, following: Following, look: Look, job_ids: Iterable[str]) -> None:
        self.following, self.look, self.job_ids = following, look, list(dict.fromkeys(job_ids))
        self.is_open, self.events_at_s = False, 0.0

    def next_ended(self) -> Steps[list[Job]]:
        """Return the next jobs that are in their final state, at least one.

        Jobs are looked at whenever the stream was opened, so that none ends unseen between the two.

        Raises:
            StillWorking: the time is over; the jobs go on.
        """
        while True:
            if self.is_open:
                ended = yield from self._heard()
            else:
                if time.monotonic() >= self.events_at_s:
                    yield from self._open()
                ended = yield from self._ended(list(self.job_ids))
            if ended:
                return ended
            if not self.is_open:
                yield from self.following.pause(self.following.poll_s)

    def _open(self) -> Steps[None]:
        """Open the stream; where there is none, the jobs are looked at for a while.

        Raises:
            Unauthorized, PermissionRefused: the key may not have events.
        """
        answer = yield from self.following.opened()
        self.is_open = answer is not None and answer.is_success
        if answer is None or self.is_open:
            return
        problem = problem_of(answer.status, answer.headers, answer.body)
        if isinstance(problem, Unauthorized | PermissionRefused):
            raise problem
        log.info("no events, so jobs are looked at again and again: %s", problem.code)
        self.events_at_s = time.monotonic() + max(LISTEN_AGAIN_S, problem.retry_after_s or 0.0)

    def _heard(self) -> Steps[list[Job]]:
        """Return the jobs that the next events say ended; none if the stream is lost."""
        while (event := (yield from self.following.next_event())) is not None:
            if event.missed:
                suspects = list(self.job_ids)
            else:
                is_over = event.state is not None and event.state.is_final
                suspects = [event.job_id] if event.job_id in self.job_ids and is_over else []
            if suspects and (ended := (yield from self._ended(suspects))):
                return ended
        self.is_open = False
        return []

    def _ended(self, job_ids: Iterable[str]) -> Steps[list[Job]]:
        ended = []
        for job_id in job_ids:
            job = yield from self.look(job_id)
            if job.state.is_final:
                self.job_ids.remove(job_id)
                ended.append(job)
        return ended
