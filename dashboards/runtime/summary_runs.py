"""The summaries that are being made, and why the last ones failed."""

import asyncio
from dataclasses import dataclass, field

AT_ONCE = 2
KEPT_PROBLEMS = 200


@dataclass(slots=True, kw_only=True)
class SummaryRun:
    """How far a summary is."""

    part: int = 0
    parts: int


@dataclass(slots=True)
class SummaryRuns:
    """The runs by job; used on the loop of the web process alone."""

    running: dict[str, SummaryRun] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    def begin(self, job_id: str, parts: int) -> SummaryRun:
        """Note that a summary begins, and forget why the one before failed."""
        self.problems.pop(job_id, None)
        self.running[job_id] = run = SummaryRun(parts=parts)
        return run

    def end(self, job_id: str, problem: str | None) -> None:
        """Note that a summary has ended; without a problem there is one now."""
        self.running.pop(job_id, None)
        if problem:
            self.problems[job_id] = problem
        while len(self.problems) > KEPT_PROBLEMS:
            del self.problems[next(iter(self.problems))]
