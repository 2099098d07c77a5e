"""The steps that an operation consists of, without any input or output of their own.

An operation is a generator of steps, written once. The clients perform its steps, one with threads that block, one on
an event loop, and hand back what came of each. So retries, uploads and waits are the same in both.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

T = TypeVar("T")

Steps = Generator["Step", Any, T]
"""An operation that ends with a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request whose answer is read whole.

    `repeatable` says that sending it twice does no more than sending it once. The body and the headers are left out of
    what is printed.
    """

    method: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Any = field(default=None, repr=False)
    content: bytes | None = field(default=None, repr=False)
    read_s: float | None = None
    repeatable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a call."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is from 200 to 299."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """One request whose body goes into a file; an error's body is read instead."""

    call: Call
    target: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A wait for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPart:
    """Bytes of a file on this machine."""

    path: Path
    offset: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The SHA-256 of a file on this machine."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """The opening of the stream of events.

    The answer is its head, or an error with its body.
    """

    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class NextLine:
    """The next line of the open stream; None at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something that an iterator has for its caller."""

    item: Any


Step = Call | Fetch | Pause | ReadPart | Digest | Listen | NextLine | Found


class Walk(Generic[T]):
    """Goes through the steps of an operation.

    `step` is the one to perform, None at the end.
    """

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self._result: T
        self.step: Step | None = None
        self._go(None, None)

    @property
    def result(self) -> T:
        """What the operation ended with."""
        return self._result

    def give(self, value: Any) -> None:
        """Hand over what came of the step."""
        self._go(value, None)

    def fail(self, error: Exception) -> None:
        """Hand over why the step failed."""
        self._go(None, error)

    def _go(self, value: Any, error: Exception | None) -> None:
        try:
            self.step = self._steps.send(value) if error is None else self._steps.throw(error)
        except StopIteration as end:
            self.step, self._result = None, end.value
