"""Where an audited action comes from: address, user agent, request and API key.

The HTTP layer states the origin of a request with `of`; threads and tasks that the request starts inherit it. Pages run
in threads of their own, so the running app answers for them (`answered_by`). What the platform does by itself has none.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

MAX_ADDRESS_CHARS = 64
MAX_AGENT_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The origin of an action; `key_id` is the API key that acted."""

    address: str | None = None
    agent: str | None = None
    request_id: str | None = None
    key_id: str | None = None


NOWHERE = Origin()
Answer = Callable[[], Origin | None]

_stated: ContextVar[Origin | None] = ContextVar("audit_origin", default=None)
_answers: list[Answer] = []


def cleaned(
    *, address: str | None, agent: str | None, request_id: str | None = None, key_id: str | None = None
) -> Origin:
    """Return an origin whose texts from outside are bounded, without control characters."""
    return Origin(
        address=printable(address, MAX_ADDRESS_CHARS),
        agent=printable(agent, MAX_AGENT_CHARS),
        request_id=request_id,
        key_id=key_id,
    )


def printable(text: str | None, most_chars: int) -> str | None:
    """Return the printable characters of a text from outside, or None if there are none."""
    kept = "".join(char for char in (text or "")[: 2 * most_chars] if char.isprintable())
    return kept[:most_chars].strip() or None


def current() -> Origin:
    """Return the origin of what this thread or task does."""
    if stated := _stated.get():
        return stated
    for answer in reversed(_answers):
        if found := answer():
            return found
    return NOWHERE


@contextmanager
def of(origin: Origin) -> Iterator[None]:
    """State the origin of everything that the block does."""
    token = _stated.set(origin)
    try:
        yield
    finally:
        _stated.reset(token)


@contextmanager
def answered_by(answer: Answer) -> Iterator[None]:
    """Ask `answer` for origins that nobody stated, while the block runs."""
    _answers.append(answer)
    try:
        yield
    finally:
        _answers.remove(answer)
