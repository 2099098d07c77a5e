"""Send a call again where that is safe, after a pause."""

import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from transcriber.client.errors import ConnectionFailed, ProblemError, problem_of
from transcriber.client.steps import Answer, Call, Fetch, Listen, Pause, Steps

log = logging.getLogger("transcriber.client")

REFUSED_BEFORE_ANYTHING_WAS_DONE = frozenset({429})
MAY_PASS = frozenset({408, 425, 429, 502, 503, 504})
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often and how long a call is tried.

    The pause doubles from `first_s` to `longest_s`, less a random part of up to a half. A `Retry-After` of the server
    counts instead if it is longer; one above `longest_named_s` ends the attempts.
    """

    attempts: int = 8
    first_s: float = 0.5
    longest_s: float = 20.0
    longest_named_s: float = 120.0

    def pauses_s(self) -> Iterator[float]:
        """Yield the pause after each failed attempt but the last."""
        for number in range(self.attempts - 1):
            yield min(self.longest_s, self.first_s * 2**number) * random.uniform(0.5, 1.0)  # noqa: S311


def answer_of(step: Call | Fetch | Listen, retries: Retries, base_url: str) -> Steps[Answer]:
    """Perform a call until it succeeds; return the answer.

    Raises:
        ProblemError: the server refuses it, or the attempts are used up.
        ConnectionFailed: the server cannot be reached, or the connection is lost, and the attempts are used up.
    """
    call = step if isinstance(step, Call) else step.call
    for usual_s in retries.pauses_s():
        outcome = yield from attempt_of(step, base_url)
        if isinstance(outcome, Answer):
            return outcome
        pause_s = pause_before_next(call, outcome, usual_s, retries)
        log.info("%s %s is sent again in %.1f s: %s", call.method, call.path, pause_s, reason_of(outcome))
        yield Pause(seconds=pause_s)
    outcome = yield from attempt_of(step, base_url)
    if isinstance(outcome, Answer):
        return outcome
    raise outcome


def attempt_of(step: Call | Fetch | Listen, base_url: str) -> Steps[Answer | ProblemError | ConnectionFailed]:
    """Perform a call once; return its answer, or what failed."""
    try:
        answer: Answer = yield step
    except httpx.TransportError as error:
        failed = ConnectionFailed(base_url, f"{type(error).__name__}: {error}".rstrip(": "))
        failed.__cause__ = error
        return failed
    return answer if answer.is_success else problem_of(answer.status, answer.headers, answer.body)


def pause_before_next(call: Call, failed: ProblemError | ConnectionFailed, pause_s: float, retries: Retries) -> float:
    """Return the seconds until the next attempt; raises what failed if there should be none."""
    if isinstance(failed, ConnectionFailed):
        if call.repeatable or isinstance(failed.__cause__, NEVER_SENT):
            return pause_s
        raise failed
    named_s = failed.retry_after_s or 0.0
    may_repeat = call.repeatable or failed.status in REFUSED_BEFORE_ANYTHING_WAS_DONE
    if failed.status not in MAY_PASS or not may_repeat or named_s > retries.longest_named_s:
        raise failed
    return max(pause_s, named_s)


def reason_of(failed: ProblemError | ConnectionFailed) -> str:
    """Return in few words what failed."""
    return failed.reason if isinstance(failed, ConnectionFailed) else f"{failed.status} {failed.code}"
