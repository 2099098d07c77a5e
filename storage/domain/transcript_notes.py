"""Notes on a transcript say what its file lacked, or what was given up.

Each is a code with arguments, a part of `JobMessage`, and is put into words when shown.
"""

from dataclasses import dataclass
from typing import Literal, assert_never

from storage.domain.durations import clock, span
from storage.domain.languages import named
from storage.domain.translation import gettext as _
from storage.domain.translation import marked, ngettext

ORDINALS = (
    marked("first"),
    marked("second"),
    marked("third"),
    marked("fourth"),
    marked("fifth"),
    marked("sixth"),
    marked("seventh"),
    marked("eighth"),
)


# What the file lacks, or what was changed to read it


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentGap:
    """The file has no sound for a while."""

    at_s: float
    length_s: float
    code: Literal["silent_gap"] = "silent_gap"


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentGaps:
    """The file has no sound for several short moments, of this length together."""

    count: int
    length_s: float
    first_s: float
    last_s: float
    code: Literal["silent_gaps"] = "silent_gaps"


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedParts:
    """Packets could not be decoded; `reason` is the decoder's own message."""

    count: int
    reason: str
    code: Literal["damaged_parts"] = "damaged_parts"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreaksOff:
    """The file ends before the length that it announces."""

    there_s: float
    announced_s: float | None = None
    code: Literal["breaks_off"] = "breaks_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDrift:
    """The sound runs slower than the file's clock, by this share; faster below 0."""

    share: float
    code: Literal["clock_drift"] = "clock_drift"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaledDown:
    """The samples exceed full scale."""

    peak_db: float
    code: Literal["scaled_down"] = "scaled_down"


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetRemoved:
    """The samples lie off zero, by this share of full scale."""

    share: float
    code: Literal["offset_removed"] = "offset_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackChosen:
    """One of several audio tracks was transcribed; tracks count from 0.

    `about_all` is what the file says of each track; older notes have `about` alone, of the one that was transcribed.
    """

    track: int
    of: int
    about: str = ""
    silent: tuple[int, ...] = ()
    about_all: tuple[str, ...] = ()
    code: Literal["track_chosen"] = "track_chosen"

    @property
    def others(self) -> tuple[int, ...]:
        """The tracks that were not transcribed."""
        return tuple(track for track in range(self.of) if track != self.track)

    def described(self, track: int) -> str:
        """Return what the file says of a track: language and title, if it does."""
        if track < len(self.about_all):
            return self.about_all[track]
        return self.about if track == self.track else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracksMixed:
    """Several mono tracks of one recorder were transcribed together."""

    count: int
    code: Literal["tracks_mixed"] = "tracks_mixed"


FileMessage = (
    SilentGap
    | SilentGaps
    | DamagedParts
    | BreaksOff
    | ClockDrift
    | ScaledDown
    | OffsetRemoved
    | TrackChosen
    | TracksMixed
)

# What the machine or the model did not allow


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallerBatches:
    """Fewer windows were decoded at once."""

    batch_size: int
    usual: int
    code: Literal["smaller_batches"] = "smaller_batches"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallerWeights:
    """The weights were held with fewer bits."""

    compute_type: str
    usual: str
    code: Literal["smaller_weights"] = "smaller_weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class RanOnCpu:
    """The engine left its device for the CPU."""

    usual: str
    code: Literal["ran_on_cpu"] = "ran_on_cpu"


SteppedTo = SmallerBatches | SmallerWeights | RanOnCpu


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppedDown:
    """A device had too little memory; without a device, a process died."""

    to: SteppedTo
    device: str | None = None
    code: Literal["stepped_down"] = "stepped_down"


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherLanguage:
    """The model does not know the language that was asked for."""

    asked: str
    used: str
    model: str
    code: Literal["other_language"] = "other_language"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoubtedThroughout:
    """The model doubts most words of the transcript, so it may not know the language."""

    unsure: int
    words: int
    only_english: bool = False
    code: Literal["doubted_throughout"] = "doubted_throughout"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundsLike:
    """Most of the recording sounds like a language that its English-only model does not know."""

    language: str
    model: str
    code: Literal["sounds_like"] = "sounds_like"


TranscriptNote = FileMessage | SteppedDown | OtherLanguage | SoundsLike | DoubtedThroughout


def words(note: TranscriptNote) -> str:  # noqa: PLR0911, PLR0912 - a line for each note
    """Put a note into words."""
    match note:
        case SilentGap(at_s=at_s, length_s=length_s):
            return _("the file has no sound for {length} at {at_s}", length=span(length_s), at_s=clock(at_s))
        case SilentGaps(count=count, length_s=length_s, first_s=first_s, last_s=last_s):
            return ngettext(
                "the file has one gap without sound ({length}, at {first})",
                "the file has {n} gaps without sound ({length} in all, from {first} to {last})",
                count,
                length=span(length_s),
                first=clock(first_s),
                last=clock(last_s),
            )
        case DamagedParts(count=count, reason=reason):
            return ngettext(
                "a damaged part of the file could not be read ({reason})",
                "{n} damaged parts of the file could not be read ({reason})",
                count,
                reason=reason,
            )
        case BreaksOff(there_s=there_s, announced_s=announced_s):
            if not announced_s:
                return _("the file breaks off: its end is missing")
            return _(
                "the file breaks off: {there} of the {announced} it announces are there",
                there=span(there_s),
                announced=span(announced_s),
            )
        case ClockDrift(share=share):
            return _(
                "the sound runs {share:.1%} more slowly than the file's clock, and was stretched to fit it"
                if share > 0
                else "the sound runs {share:.1%} faster than the file's clock, and was squeezed to fit it",
                share=abs(share),
            )
        case ScaledDown(peak_db=peak_db):
            return _("the sound exceeds full scale by {peak_db:.1f} dB, and was scaled down", peak_db=peak_db)
        case OffsetRemoved(share=share):
            return _(
                "the sound lies {share:.1%} of full scale off zero, as from a faulty sound card, and was moved back",
                share=share,
            )
        case TrackChosen():
            return _track_chosen(note)
        case TracksMixed(count=count):
            return _("{count} mono tracks of one recorder were transcribed together", count=count)
        case SteppedDown(to=to, device=device):
            why = (
                _("{device} had too little memory", device=device)
                if device
                else _("a process died while transcribing this")
            )
            return f"{why}: {_stepped_to(to)}"
        case OtherLanguage(asked=asked, used=used, model=model):
            return _(
                "{asked} was requested, {used} was transcribed: model {model} supports no other language",
                asked=named(asked),
                used=named(used),
                model=model,
            )
        case SoundsLike(language=language, model=model):
            return _(
                "it sounds like {language}, but model {model} knows only English: transcribe it again with a "
                "multilingual model",
                language=named(language),
                model=model,
            )
        case DoubtedThroughout():
            return _(
                "the model doubts {unsure} of {words} words; it knows English alone: for another language, transcribe "
                "again with a multilingual model"
                if note.only_english
                else "the model doubts {unsure} of {words} words",
                unsure=note.unsure,
                words=note.words,
            )
        case _ as never:
            assert_never(never)


def _track_chosen(note: TrackChosen) -> str:
    track = _("the {track} of {of} audio tracks was transcribed", track=_ordinal(note.track), of=note.of)
    about = note.described(note.track)
    text = track + (f" ({about})" if about else "")
    if note.silent:
        silent = _(" and the ").join(map(_ordinal, sorted(note.silent)))
        text += ngettext(
            ", since the {silent} is silent", ", since the {silent} are silent", len(note.silent), silent=silent
        )
    return _("{text}; another one can be chosen", text=text)


def _stepped_to(to: SteppedTo) -> str:
    match to:
        case SmallerBatches(batch_size=batch_size, usual=usual):
            return _("batches of {batch_size} windows instead of {usual}", batch_size=batch_size, usual=usual)
        case SmallerWeights(compute_type=compute_type, usual=usual):
            return _("{compute_type} instead of {usual}", compute_type=compute_type, usual=usual)
        case RanOnCpu(usual=usual):
            return _("ran on the CPU instead of {usual}", usual=usual)
        case _ as never:
            assert_never(never)


def _ordinal(track: int) -> str:
    return _(ORDINALS[track]) if track < len(ORDINALS) else _("{track}th", track=track + 1)
