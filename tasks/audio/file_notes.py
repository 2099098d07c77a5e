"""Notes on what a recording's file lacks, or what was changed to read it. Pure."""

from collections.abc import Sequence
from math import log10

from storage.domain.job_messages import encode
from storage.domain.records import FileNote
from storage.domain.transcript_notes import (
    BreaksOff,
    ClockDrift,
    DamagedParts,
    FileMessage,
    OffsetRemoved,
    ScaledDown,
    SilentGap,
    SilentGaps,
)
from tasks.audio.track_clock import Gap

LONG_GAP_S = 1.0  # shorter gaps are counted together
MAX_GAPS = 20
NOTED_OFFSET = 0.005  # of full scale


def gaps(found: Sequence[Gap]) -> list[FileNote]:
    """Return a note on each long gap, and one on all short ones."""
    long = [gap for gap in found if gap.length_s >= LONG_GAP_S][:MAX_GAPS]
    others = [gap for gap in found if gap not in long]
    if len(others) == 1:
        long, others = sorted([*long, *others], key=lambda gap: gap.at_s), []
    notes = [_at(gap, gap, SilentGap(at_s=gap.at_s, length_s=gap.length_s)) for gap in long]
    if others:
        first, last, length_s = others[0], others[-1], sum(gap.length_s for gap in others)
        together = SilentGaps(count=len(others), length_s=length_s, first_s=first.at_s, last_s=last.at_s)
        notes.append(_at(first, last, together))
    return notes


def _at(first: Gap, last: Gap, message: FileMessage) -> FileNote:
    end_s = round(last.at_s + last.length_s, 3)
    return FileNote(message=encode(message), start_s=round(first.at_s, 3), end_s=end_s)


def damage(packets: int, reason: str) -> FileNote:
    """Return the note on packets that could not be decoded."""
    return FileNote(message=encode(DamagedParts(count=packets, reason=reason)))


def missing_end(length_s: float, promised_s: float | None = None) -> FileNote:
    """Return the note on a file that breaks off."""
    message = BreaksOff(there_s=length_s, announced_s=promised_s)
    return FileNote(message=encode(message), start_s=max(0.0, round(length_s - 1.0, 3)), end_s=length_s)


def drift(corrected_s: float, length_s: float) -> FileNote:
    """Return the note on sound that ran slower (or faster, below 0) than its clock."""
    return FileNote(message=encode(ClockDrift(share=corrected_s / length_s)), damaged=False)


def too_loud(peak: float) -> FileNote:
    """Return the note on floating-point samples over full scale."""
    return FileNote(message=encode(ScaledDown(peak_db=20 * log10(peak))), damaged=False)


def offset(share: float) -> FileNote:
    """Return the note on a constant offset, given as a share of full scale."""
    return FileNote(message=encode(OffsetRemoved(share=share)), damaged=False)
