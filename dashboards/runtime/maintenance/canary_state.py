"""How the last canary ended, for pages and metrics."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True, kw_only=True)
class CanaryState:
    """The last canary; `took_s` is from acceptance to the finished transcript."""

    at: datetime | None = None
    passed_at: datetime | None = None
    took_s: float | None = None
    problem: str | None = None
    failures: int = 0
