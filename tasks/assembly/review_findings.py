"""The quality gate: which stretches of a transcript a reader should look at first, and why. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from storage.records import Finding, Heard, LanguageMismatch, Plan, Segment, Stretch, Untranscribed, Word
from tasks.cues import width
from tasks.doubt import (
    COMPRESSION_LIMIT,
    FASTEST_CHARS_PER_S,
    LOW_CONFIDENCE,
    NO_SPEECH,
    NO_TEXT,
    REPETITION,
    TOO_FAST,
    UNHEARD_S,
    compression_ratio,
    loops,
    squeezed,
)
from tasks.stitch import speaker_of
from tasks.untranscribed import Reason

NOTHING_SAID = "no speech found"
LANGUAGE = "another language"
NOBODY_SPEAKS = {Reason.MUSIC, Reason.NOISE}
WORTH_HEARING_S = 3.0  # sounds without words, a laugh or a cough, that are shorter than this are not for review
DAMAGED = "damaged file"
UNSURE_WORD = 0.5
UNSURE_WORDS = 2
UNSURE_SHARE = 0.5  # a segment is doubtful when so many of its words are
SILENT_SHARE = 0.2  # a segment with less of its time in speech was said by nobody
SHORTEST_FAST_CHARS = 20
JOIN_S = 2.0  # findings of one kind this close together are one


def findings(
    plan: Plan,
    segments: Sequence[Segment],
    *,
    untranscribed: Sequence[Untranscribed] = (),
    mismatches: Sequence[LanguageMismatch] = (),
) -> tuple[Finding, ...]:
    """Return what is doubtful in a stitched transcript, in order of time; channels heard apart are judged apart.

    `untranscribed` says why speech has no text: music and noise are not for review.
    """
    channels = sorted({span.channel for span in plan.spans if span.channel is not None})
    streams: list[int | None] = [*channels] or [None]
    found = [*of_the_file(plan), *other_languages(mismatches)]
    for channel in streams:
        spans = tuple(span for span in plan.spans if span.channel == channel)
        own = segments if channel is None else [one for one in segments if one.speaker == speaker_of(channel)]
        found += of_one_stream(speech_in(replace(plan, spans=spans)), own, untranscribed)
    return tuple(sorted(joined(found), key=lambda finding: (finding.start_s, finding.kind)))


def of_one_stream(
    speech: Sequence[Stretch], segments: Sequence[Segment], untranscribed: Sequence[Untranscribed] = ()
) -> Iterator[Finding]:
    """Yield what is doubtful in the segments of one stream of sound."""
    yield from speech_without_text(speech, segments, untranscribed)
    yield from text_without_speech(speech, segments)
    yield from repetitions(segments)
    yield from unsure(segments)
    yield from too_fast(segments)


def speech_in(plan: Plan) -> list[Stretch]:
    """Return the recording's detected speech in order, without what overlapping spans have in common."""
    found: list[Stretch] = []
    for stretch in sorted((each for span in plan.spans for each in span.speech), key=lambda each: each.start_s):
        if found and stretch.start_s <= found[-1].end_s:
            found[-1] = Stretch(start_s=found[-1].start_s, end_s=max(found[-1].end_s, stretch.end_s))
        else:
            found.append(stretch)
    return found


def of_the_file(plan: Plan) -> Iterator[Finding]:
    """Yield what was wrong with the recording itself."""
    for note in plan.notes:
        yield Finding(kind=DAMAGED, start_s=0.0, end_s=plan.duration_s, detail=note)
    if not plan.spans:
        yield Finding(
            kind=NOTHING_SAID, start_s=0.0, end_s=plan.duration_s, detail="no speech was found in this recording"
        )


def other_languages(mismatches: Sequence[LanguageMismatch]) -> Iterator[Finding]:
    """Yield stretches that sound like another language than the one that was given."""
    for each in mismatches:
        detail = f"sounds like {each.language} ({each.probability:.0%})"
        yield Finding(kind=LANGUAGE, start_s=each.start_s, end_s=each.end_s, detail=detail)


def reason_of(gap: Stretch, untranscribed: Sequence[Untranscribed]) -> str | None:
    """Return why there is no text in a gap: the reason that holds for most of it, if any is known."""
    shares = {each.reason: 0.0 for each in untranscribed}
    for each in untranscribed:
        shares[each.reason] += max(0.0, min(gap.end_s, each.end_s) - max(gap.start_s, each.start_s))
    reason = max(shares, key=lambda name: shares[name], default=None)
    return reason if reason is not None and shares[reason] > 0 else None


def speech_without_text(
    speech: Sequence[Stretch], segments: Sequence[Segment], untranscribed: Sequence[Untranscribed] = ()
) -> Iterator[Finding]:
    """Yield stretches of the recording in which somebody speaks and no word was heard."""
    if not speech:
        return
    covered = sorted(
        ((each.start_s, each.end_s) for segment in segments for each in (segment.words or (segment,))),
        key=lambda times: times[0],
    )
    edges = [(speech[0].start_s, speech[0].start_s), *covered, (speech[-1].end_s, speech[-1].end_s)]
    latest_s = edges[0][1]
    for (_, end_s), (next_s, _) in pairwise(edges):
        latest_s = max(latest_s, end_s)
        unheard_s = overlap_s(Stretch(start_s=latest_s, end_s=next_s), speech) if next_s > latest_s else 0.0
        if unheard_s > UNHEARD_S:
            reason = reason_of(Stretch(start_s=latest_s, end_s=next_s), untranscribed)
            if reason in NOBODY_SPEAKS or (reason == Reason.NO_WORDS and unheard_s < WORTH_HEARING_S):
                continue
            detail = f"{unheard_s:.1f} s of speech have no text" + (f": {reason}" if reason else "")
            yield Finding(kind=NO_TEXT, start_s=latest_s, end_s=next_s, detail=detail)


def text_without_speech(speech: Sequence[Stretch], segments: Sequence[Segment]) -> Iterator[Finding]:
    """Yield segments that lie where nobody was found to speak."""
    for segment in segments:
        length_s = segment.end_s - segment.start_s
        if length_s > 0 and overlap_s(segment, speech) < SILENT_SHARE * length_s:
            yield _finding(NO_SPEECH, segment, "text where no speech was found")


def repetitions(segments: Sequence[Segment]) -> Iterator[Finding]:
    """Yield segments that repeat themselves, and runs of equal segments."""
    for segment in segments:
        if compression_ratio(segment.text) > COMPRESSION_LIMIT or loops([word.text for word in segment.words]):
            yield _finding(REPETITION, segment, "the text repeats itself")
    for first, second, third in zip(segments, segments[1:], segments[2:], strict=False):
        if first.text.strip().lower() == second.text.strip().lower() == third.text.strip().lower():
            yield Finding(
                kind=REPETITION, start_s=first.start_s, end_s=third.end_s, detail="the same sentence three times"
            )


def unsure(segments: Sequence[Segment]) -> Iterator[Finding]:
    """Yield segments most of whose words the engine was unsure of."""
    for segment in segments:
        doubtful = [word for word in segment.words if word.probability < UNSURE_WORD]
        if len(doubtful) >= UNSURE_WORDS and len(doubtful) >= UNSURE_SHARE * len(segment.words):
            detail = f"{len(doubtful)} of {len(segment.words)} words are uncertain"
            yield _finding(LOW_CONFIDENCE, segment, detail)


def too_fast(segments: Sequence[Segment]) -> Iterator[Finding]:
    """Yield segments with more text than a mouth can say."""
    for segment in segments:
        columns = width(segment.text)
        length_s = max(0.1, segment.end_s - segment.start_s)
        if columns >= SHORTEST_FAST_CHARS and columns / length_s > FASTEST_CHARS_PER_S:
            yield _finding(TOO_FAST, segment, f"{columns / length_s:.0f} characters a second")
        elif at := squeezed(segment.words):
            yield Finding(kind=TOO_FAST, start_s=at.start_s, end_s=at.end_s, detail="several words in one moment")


def joined(found: Iterable[Finding]) -> list[Finding]:
    """Return the findings with neighbours of one kind and detail taken together."""
    result: list[Finding] = []
    for finding in sorted(found, key=lambda each: (each.kind, each.start_s)):
        last = result[-1] if result else None
        same = last is not None and (last.kind, last.detail) == (finding.kind, finding.detail)
        if last is not None and same and finding.start_s - last.end_s <= JOIN_S:
            end_s = max(last.end_s, finding.end_s)
            result[-1] = Finding(kind=last.kind, start_s=last.start_s, end_s=end_s, detail=last.detail)
        else:
            result.append(finding)
    return result


def given_up(plan: Plan, heards: Sequence[Heard]) -> tuple[str, ...]:
    """Return what the file or the machine did not allow, each said once."""
    return tuple(dict.fromkeys((*plan.notes, *(note for heard in heards for note in heard.given_up))))


def overlap_s(part: Stretch | Segment | Word, speech: Sequence[Stretch]) -> float:
    """Return how much of `part` lies in speech (in order, without overlap), in seconds."""
    total_s = 0.0
    for index in range(bisect_right(speech, part.start_s, key=lambda stretch: stretch.end_s), len(speech)):
        if speech[index].start_s >= part.end_s:
            break
        total_s += min(part.end_s, speech[index].end_s) - max(part.start_s, speech[index].start_s)
    return total_s


def _finding(kind: str, segment: Segment, detail: str) -> Finding:
    return Finding(kind=kind, start_s=segment.start_s, end_s=segment.end_s, detail=detail)
