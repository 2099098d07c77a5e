"""Apply an edit to a transcript: unchanged segments, and pieces with realigned words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from math import isfinite

from storage.domain.errors import BadRequest
from storage.domain.records import PinnedCue, Segment, Transcript, Word
from storage.transcripts import pinned_cues
from storage.transcripts.word_alignment import aligned, within

MAX_SEGMENTS = 200_000
MAX_TEXT_CHARS = 20_000
MAX_SPEAKER_CHARS = 100
PAST_END_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A segment that was edited, split off or merged.

    `origin` are the indices of the segments that it comes from; None means those that it overlaps in time. Given
    `words` are used unchanged, for times set by hand.
    """

    start_s: float
    end_s: float
    text: str
    speaker: str | None = None
    origin: tuple[int, ...] | None = None
    words: tuple[Word, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An edit of version `base`: all segments in order, unchanged ones by their index there."""

    base: int
    segments: tuple[int | Piece, ...]
    note: str = ""
    cues: tuple[PinnedCue, ...] | None = None  # None keeps those of `base`


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A difference between two versions."""

    start_s: float
    end_s: float
    before: tuple[str, ...]
    after: tuple[str, ...]


def edited(transcript: Transcript, draft: Draft) -> tuple[Transcript, int]:
    """Return the edited transcript, and the number of new or changed segments.

    A piece without text deletes the segment.

    Raises:
        BadRequest: the draft refers to missing segments, or its times are out of order.
    """
    if len(draft.segments) > MAX_SEGMENTS:
        raise BadRequest("segments", f"more than {MAX_SEGMENTS}")
    old = transcript.segments
    found: list[Segment] = []
    for place, item in enumerate(draft.segments):
        if isinstance(item, int):
            if not 0 <= item < len(old):
                raise BadRequest(f"segments[{place}]", f"version {draft.base} has no segment {item}")
            found.append(old[item])
        elif item.text.strip():
            found.append(_made(old, item, place, transcript.duration_s))
        if len(found) > 1 and found[-1].start_s < found[-2].start_s:
            raise BadRequest(f"segments[{place}]", "it begins before the one in front of it; put them in order of time")
    before = set(old)
    changed = sum(segment not in before for segment in found) + max(0, len(old) - len(found))
    pinned = transcript.pinned_cues
    if draft.cues is not None:
        pinned_cues.check(draft.cues, duration_s=transcript.duration_s + PAST_END_S)
        changed += len(set(draft.cues) - set(pinned)) or len(set(pinned) - set(draft.cues))
        pinned = draft.cues
    pinned = pinned_cues.settled(pinned, found)
    return replace(transcript, segments=tuple(found), pinned_cues=pinned, version=draft.base + 1), changed


def _made(old: Sequence[Segment], piece: Piece, place: int, duration_s: float) -> Segment:
    _check(piece, place, duration_s)
    origin = _origin(old, piece, place)
    start_s, end_s = round(piece.start_s, 3), round(piece.end_s, 3)
    first = origin[0] if origin else Segment(start_s=start_s, end_s=end_s, text="")
    text = f" {' '.join(piece.text.split())}"
    if piece.words is not None:
        words = within(piece.words, start_s, end_s)
        if "".join("".join(word.text for word in words).split()) != "".join(text.split()):
            raise BadRequest(f"segments[{place}].words", "they do not spell the text")
    elif len(origin) == 1 and first.text.split() == text.split():
        words = _stretched(within(first.words, start_s, end_s), first, start_s, end_s)
    else:
        heard = [word for segment in origin for word in segment.words]
        words = aligned(_in_reach(heard, start_s, end_s), text, start_s=start_s, end_s=end_s)
    speaker = " ".join((piece.speaker or "").split()) or None
    return replace(first, start_s=start_s, end_s=end_s, text=text, words=words, speaker=speaker)


def _in_reach(words: Sequence[Word], start_s: float, end_s: float) -> Sequence[Word]:
    """Return the words in the interval; each half of a split segment gets its own."""
    inside = [word for word in words if start_s <= (word.start_s + word.end_s) / 2 <= end_s]
    return inside or words


def _stretched(words: tuple[Word, ...], old: Segment, start_s: float, end_s: float) -> tuple[Word, ...]:
    """Move the first and last word's outer times with the segment's, if they coincided."""
    if not words:
        return words
    first, *_ = words
    if start_s < old.start_s and first.start_s <= old.start_s + 0.01:
        words = (replace(first, start_s=start_s), *words[1:])
    last = words[-1]
    if end_s > old.end_s and last.end_s >= old.end_s - 0.01:
        words = (*words[:-1], replace(last, end_s=end_s))
    return words


def _check(piece: Piece, place: int, duration_s: float) -> None:
    name = f"segments[{place}]"
    if not (isfinite(piece.start_s) and isfinite(piece.end_s) and 0 <= piece.start_s <= piece.end_s):
        raise BadRequest(name, "start_s and end_s are seconds, and the end is not before the start")
    if piece.end_s > duration_s + PAST_END_S:
        raise BadRequest(name, f"it ends after the recording, which lasts {duration_s:.1f} s")
    if len(piece.text) > MAX_TEXT_CHARS or len(piece.speaker or "") > MAX_SPEAKER_CHARS:
        raise BadRequest(name, f"at most {MAX_TEXT_CHARS} characters of text, {MAX_SPEAKER_CHARS} of a speaker's name")


def _origin(old: Sequence[Segment], piece: Piece, place: int) -> Sequence[Segment]:
    if piece.origin is None:
        return [one for one in old if one.start_s < piece.end_s and one.end_s > piece.start_s]
    if not all(0 <= index < len(old) for index in piece.origin):
        raise BadRequest(f"segments[{place}].from", "there are no such segments in the version that was edited")
    return [old[index] for index in piece.origin]


def changes(before: Transcript, after: Transcript) -> list[Change]:
    """Return the differences between two versions, with those of subtitles, by time."""
    keys = [_key(segment) for segment in before.segments], [_key(segment) for segment in after.segments]
    found: list[Change] = []
    for kind, old, old_end, new, new_end in SequenceMatcher(None, *keys, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        was, now = before.segments[old:old_end], after.segments[new:new_end]
        both = (*was, *now)
        found.append(
            Change(
                start_s=min(one.start_s for one in both),
                end_s=max(one.end_s for one in both),
                before=tuple(_line(one) for one in was),
                after=tuple(_line(one) for one in now),
            )
        )
    found += [_cue_change(one, removed=True) for one in before.pinned_cues if one not in after.pinned_cues]
    found += [_cue_change(one, removed=False) for one in after.pinned_cues if one not in before.pinned_cues]
    return sorted(found, key=lambda change: change.start_s)


def _cue_change(cue: PinnedCue, *, removed: bool) -> Change:
    shown = (f"[{cue.start_s:.3f} – {cue.end_s:.3f}]",)
    return Change(start_s=cue.start_s, end_s=cue.end_s, before=shown if removed else (), after=() if removed else shown)


def _key(segment: Segment) -> tuple[str, str | None, int, int]:
    return segment.text.strip(), segment.speaker, round(1000 * segment.start_s), round(1000 * segment.end_s)


def _line(segment: Segment) -> str:
    return f"{segment.speaker}: {segment.text.strip()}" if segment.speaker else segment.text.strip()
