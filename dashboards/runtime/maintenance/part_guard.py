"""Knows whether storage and the Prefect server answer, as the last look found."""

from collections.abc import Sequence
from dataclasses import dataclass

from storage.remote.part_troubles import AWAY, PlatformPart


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at a part found.

    `reason` says why it is away, or is None; `took_s` is how long the answer took.
    """

    reason: str | None
    took_s: float


class PartGuard:
    """Keeps the last look at each part.

    One that nobody has looked at yet is not called away.
    """

    def __init__(self) -> None:
        self.looks: dict[PlatformPart, Look] = {}

    def note(self, part: PlatformPart, look: Look) -> bool:
        """Note a look; return whether the part went away or came back."""
        before = self.reason(part)
        self.looks[part] = look
        return (before is None) is not (look.reason is None)

    def reason(self, part: PlatformPart) -> str | None:
        """Return why a part is away, or None."""
        look = self.looks.get(part)
        return look.reason if look else None

    def troubles(self) -> Sequence[str]:
        """Return a message for each part that is away."""
        return [words() for part, words in AWAY.items() if self.reason(part) is not None]
