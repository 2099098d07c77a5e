"""What became of the files of a batch: outcomes with their words and exit status."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from storage.domain.records import Job, JobState

MOST_KEYS = 1000
"""Recordings that one request may ask about."""
REFUSED_STATUS, FAILED_BEFORE_STATUS = 1, 3
"""Exit statuses; 2 is a wrong command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeSpec:
    """The facts of an outcome; `is_named` lists the file with its reason."""

    name: str
    words: str
    status: int = 0
    is_named: bool = False


class BatchOutcome(StrEnum):
    """What became of a file, in the order of the summary."""

    spec: OutcomeSpec
    _value_: str

    def __new__(cls, spec: Any) -> Self:  # an OutcomeSpec here; `BatchOutcome("known")` looks up a member
        member = str.__new__(cls, spec.name)
        member._value_ = spec.name
        member.spec = spec
        return member

    ACCEPTED = OutcomeSpec(name="accepted", words="accepted")
    RETRIED = OutcomeSpec(name="retried", words="retried")
    KNOWN = OutcomeSpec(name="known", words="known already")
    NO_RECORDING = OutcomeSpec(name="no_recording", words="skipped: not recordings", is_named=True)
    DELETED_BEFORE = OutcomeSpec(name="deleted_before", words="skipped: deleted before", is_named=True)
    FAILED_BEFORE = OutcomeSpec(name="failed_before", words="failed before", status=FAILED_BEFORE_STATUS, is_named=True)
    JOB_FAILED = OutcomeSpec(name="job_failed", words="failed", status=FAILED_BEFORE_STATUS, is_named=True)
    NOT_WRITTEN = OutcomeSpec(
        name="not_written", words="transcribed, results not written", status=REFUSED_STATUS, is_named=True
    )
    STILL_WRITTEN = OutcomeSpec(name="still_written", words="still being written", status=REFUSED_STATUS, is_named=True)
    REFUSED = OutcomeSpec(name="refused", words="refused", status=REFUSED_STATUS, is_named=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRecording:
    """What earlier batches did with a recording; `outcome` is None for a new one."""

    outcome: BatchOutcome | None = None
    job: Job | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownState:
    """What earlier batches did with one of many recordings, and how far its job is.

    `stored_as` is the name of its transcript on storage, if it is complete.
    """

    outcome: BatchOutcome | None = None
    job_id: str | None = None
    state: JobState | None = None
    error: str | None = None
    stored_as: str | None = None
    language: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one file, with its job and the reason if there is one.

    `key` is the idempotency key of its job, and `state` how far that is.
    """

    name: str
    became: BatchOutcome
    job_id: str | None = None
    reason: str = ""
    key: str | None = None
    state: str = ""

    @property
    def line(self) -> str:
        return f"{printable(self.name)}: {self.became.spec.words.partition(':')[0]}: {self.reason}"


def printable(name: str) -> str:
    """Return a file's name with question marks for what no terminal should get."""
    return "".join(char if char.isprintable() else "?" for char in name)


def summary(counts: Mapping[str, int], total: int) -> str:
    """Return one line about the outcomes of `total` files, including those not sent."""
    parts = [f"{counts.get(BatchOutcome.ACCEPTED, 0)} of {total} accepted"]
    parts += [f"{counts[one]} {one.spec.words}" for one in list(BatchOutcome)[1:] if counts.get(one)]
    sent = sum(counts.values())
    parts += [f"{total - sent} not sent"] * (sent < total)
    return ", ".join(parts)


def exit_status(counts: Mapping[str, int]) -> int:
    """Return 1 if a file was refused, else 3 if one failed before, else 0."""
    statuses = {BatchOutcome(became).spec.status for became, count in counts.items() if count}
    return next((status for status in (REFUSED_STATUS, FAILED_BEFORE_STATUS) if status in statuses), 0)
