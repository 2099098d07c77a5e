"""The quality gate: find the stretches of a transcript that need review. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from storage.domain.job_messages import text_of
from storage.domain.records import Finding, LanguageMismatch, Plan, Segment, SpanResult, Stretch, Untranscribed, Word
from storage.domain.transcript_notes import DoubtedThroughout
from tasks.asr.confidence import (
    COMPRESSION_LIMIT,
    FASTEST_CHARS_PER_S,
    LOW_CONFIDENCE,
    NO_SPEECH,
    NO_TEXT,
    REPETITION,
    TOO_FAST,
    UNTRANSCRIBED_S,
    compression_ratio,
    loops,
    squeezed,
)
from tasks.asr.untranscribed import Reason
from tasks.assembly.stitch import speaker_of
from tasks.text.line_breaking import width

NOTHING_SAID = "no speech found"
LANGUAGE = "another language"
DOUBTED = "doubted throughout"
MAYBE_SPEECH = "possible speech with no text"
NOBODY_SPEAKS = {Reason.MUSIC, Reason.NOISE}
WORTH_HEARING_S = 3.0  # shorter sounds without words, such as a laugh or a cough, need no review
DAMAGED = "damaged file"
UNSURE_WORD = 0.5
UNSURE_WORDS = 2
DOUBTED_WORDS, DOUBTED_SHARE, DOUBTED_MEAN = 10, 0.4, 0.6  # of a language that the model does not know
UNSURE_SHARE = 0.5  # a segment is doubtful if this fraction of its words is
SILENT_SHARE = 0.2  # a segment with less of its time in speech is invented
SHORTEST_FAST_CHARS = 20
SAID_SHARE = 0.5  # a repetition that the sound shows for this fraction of its time was said
JOIN_S = 2.0  # findings of one kind this close together become one


def findings(
    plan: Plan,
    segments: Sequence[Segment],
    *,
    untranscribed: Sequence[Untranscribed] = (),
    mismatches: Sequence[LanguageMismatch] = (),
    repeats: Sequence[Stretch] = (),
) -> tuple[Finding, ...]:
    """Return the findings of a stitched transcript in order of time, channel by channel.

    `untranscribed` says why speech has no text: music and noise need no review. `repeats` was said several times.
    """
    channels = sorted({span.channel for span in plan.spans if span.channel is not None})
    streams: list[int | None] = [*channels] or [None]
    all_findings = [*of_the_file(plan), *other_languages(mismatches)]
    for channel in streams:
        spans = tuple(span for span in plan.spans if span.channel == channel)
        own_segments = segments if channel is None else [one for one in segments if one.speaker == speaker_of(channel)]
        own_plan = replace(plan, spans=spans)
        all_findings += of_one_stream(speech_in(own_plan), own_segments, untranscribed, repeats, maybe_in(own_plan))
    return tuple(sorted(joined(all_findings), key=lambda finding: (finding.start_s, finding.kind)))


def of_one_stream(
    speech: Sequence[Stretch],
    segments: Sequence[Segment],
    untranscribed: Sequence[Untranscribed] = (),
    repeats: Sequence[Stretch] = (),
    maybe: Sequence[Stretch] = (),
) -> Iterator[Finding]:
    """Yield the findings of one stream."""
    yield from speech_without_text(speech, segments, untranscribed)
    yield from maybe_without_text(maybe, segments)
    yield from text_without_speech(merged([*speech, *maybe]), segments)
    yield from (each for each in repetitions(segments) if not is_said(each, repeats))
    yield from unsure(segments)
    yield from too_fast(segments)


def speech_in(plan: Plan) -> list[Stretch]:
    """Return the recording's detected speech in order, with overlaps merged."""
    return merged(each for span in plan.spans for each in span.speech)


def maybe_in(plan: Plan) -> list[Stretch]:
    """Return what may be speech beside the detected speech, in the same way."""
    return merged(each for span in plan.spans for each in span.maybe)


def maybe_s(plan: Plan) -> float:
    """Return the seconds that may be speech in all channels."""
    return sum(each.end_s - each.start_s for span in plan.spans for each in span.maybe)


def merged(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Return the stretches in order, with overlaps merged."""
    found: list[Stretch] = []
    for stretch in sorted(stretches, key=lambda each: each.start_s):
        if found and stretch.start_s <= found[-1].end_s:
            found[-1] = Stretch(start_s=found[-1].start_s, end_s=max(found[-1].end_s, stretch.end_s))
        else:
            found.append(stretch)
    return found


def of_the_file(plan: Plan) -> Iterator[Finding]:
    """Yield findings about the recording itself."""
    for note in plan.notes:
        if note.damaged:
            start_s, end_s = note.start_s or 0.0, plan.duration_s if note.end_s is None else note.end_s
            yield Finding(kind=DAMAGED, start_s=start_s, end_s=end_s, detail=text_of(note.message))
    if not any(span.speech for span in plan.spans):
        yield Finding(
            kind=NOTHING_SAID, start_s=0.0, end_s=plan.duration_s, detail="no speech was found in this recording"
        )


def other_languages(mismatches: Sequence[LanguageMismatch]) -> Iterator[Finding]:
    """Yield stretches that sound like a language other than the given one."""
    for each in mismatches:
        detail = f"sounds like {each.language} ({each.probability:.0%})"
        yield Finding(kind=LANGUAGE, start_s=each.start_s, end_s=each.end_s, detail=detail)


def reason_of(gap: Stretch, untranscribed: Sequence[Untranscribed]) -> str | None:
    """Return the reason that covers most of a gap, if there is one."""
    shares = {each.reason: 0.0 for each in untranscribed}
    for each in untranscribed:
        shares[each.reason] += max(0.0, min(gap.end_s, each.end_s) - max(gap.start_s, each.start_s))
    reason = max(shares, key=lambda name: shares[name], default=None)
    return reason if reason is not None and shares[reason] > 0 else None


def speech_without_text(
    speech: Sequence[Stretch], segments: Sequence[Segment], untranscribed: Sequence[Untranscribed] = ()
) -> Iterator[Finding]:
    """Yield stretches of speech without a word."""
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
        untranscribed_s = overlap_s(Stretch(start_s=latest_s, end_s=next_s), speech) if next_s > latest_s else 0.0
        if untranscribed_s > UNTRANSCRIBED_S:
            reason = reason_of(Stretch(start_s=latest_s, end_s=next_s), untranscribed)
            if reason in NOBODY_SPEAKS or (reason == Reason.NO_WORDS and untranscribed_s < WORTH_HEARING_S):
                continue
            detail = f"{untranscribed_s:.1f} s of speech have no text" + (f": {reason}" if reason else "")
            yield Finding(kind=NO_TEXT, start_s=latest_s, end_s=next_s, detail=detail)


def doubted_throughout(segments: Sequence[Segment], *, only_english: bool) -> DoubtedThroughout | None:
    """Return the note on a transcript most of whose words the model doubts."""
    probabilities = [word.probability for segment in segments for word in segment.words]
    unsure_words = sum(one < UNSURE_WORD for one in probabilities)
    if len(probabilities) < DOUBTED_WORDS or unsure_words < DOUBTED_SHARE * len(probabilities):
        return None
    if sum(probabilities) > DOUBTED_MEAN * len(probabilities):
        return None
    return DoubtedThroughout(unsure=unsure_words, words=len(probabilities), only_english=only_english)


def maybe_without_text(maybe: Sequence[Stretch], segments: Sequence[Segment]) -> Iterator[Finding]:
    """Yield what may be speech and has no text."""
    for stretch in maybe:
        text_s = sum(overlap_s(segment, [stretch]) for segment in segments)
        left_s = stretch.end_s - stretch.start_s - text_s
        if left_s > UNTRANSCRIBED_S and text_s < left_s:
            detail = f"{left_s:.1f} s that may be speech have no text"
            yield Finding(kind=MAYBE_SPEECH, start_s=stretch.start_s, end_s=stretch.end_s, detail=detail)


def text_without_speech(speech: Sequence[Stretch], segments: Sequence[Segment]) -> Iterator[Finding]:
    """Yield segments where nothing is speech or may be."""
    for segment in segments:
        length_s = segment.end_s - segment.start_s
        if length_s > 0 and overlap_s(segment, speech) < SILENT_SHARE * length_s:
            yield _finding(NO_SPEECH, segment, "text where no speech was found")


def is_said(repetition: Finding, repeats: Sequence[Stretch]) -> bool:
    """Return whether the sound shows a repetition, too."""
    said_s = overlap_s(repetition, sorted(repeats, key=lambda each: each.start_s))
    return said_s >= SAID_SHARE * (repetition.end_s - repetition.start_s)


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
    """Yield segments most of whose words are uncertain."""
    for segment in segments:
        doubtful = [word for word in segment.words if word.probability < UNSURE_WORD]
        if len(doubtful) >= UNSURE_WORDS and len(doubtful) >= UNSURE_SHARE * len(segment.words):
            detail = f"{len(doubtful)} of {len(segment.words)} words are uncertain"
            yield _finding(LOW_CONFIDENCE, segment, detail)


def too_fast(segments: Sequence[Segment]) -> Iterator[Finding]:
    """Yield segments with more text than can be spoken in their time."""
    for segment in segments:
        columns = width(segment.text)
        length_s = max(0.1, segment.end_s - segment.start_s)
        if columns >= SHORTEST_FAST_CHARS and columns / length_s > FASTEST_CHARS_PER_S:
            yield _finding(TOO_FAST, segment, f"{columns / length_s:.0f} characters a second")
        elif at := squeezed(segment.words):
            yield Finding(kind=TOO_FAST, start_s=at.start_s, end_s=at.end_s, detail="several words in one moment")


def joined(unmerged: Iterable[Finding]) -> list[Finding]:
    """Return the findings, with neighbours of one kind and detail merged."""
    result: list[Finding] = []
    for finding in sorted(unmerged, key=lambda each: (each.kind, each.start_s)):
        last = result[-1] if result else None
        same = last is not None and (last.kind, last.detail) == (finding.kind, finding.detail)
        if last is not None and same and finding.start_s - last.end_s <= JOIN_S:
            end_s = max(last.end_s, finding.end_s)
            result[-1] = Finding(kind=last.kind, start_s=last.start_s, end_s=end_s, detail=last.detail)
        else:
            result.append(finding)
    return result


def given_up(plan: Plan, results: Sequence[SpanResult]) -> tuple[str, ...]:
    """Return notes on what the file or the machine did not allow, without duplicates."""
    return tuple(
        dict.fromkeys(
            (*(note.message for note in plan.notes), *(note for result in results for note in result.given_up))
        )
    )


def overlap_s(part: Stretch | Segment | Word | Finding, speech: Sequence[Stretch]) -> float:
    """Return how much of `part` overlaps speech (in order, disjoint), in seconds."""
    total_s = 0.0
    for index in range(bisect_right(speech, part.start_s, key=lambda stretch: stretch.end_s), len(speech)):
        if speech[index].start_s >= part.end_s:
            break
        total_s += min(part.end_s, speech[index].end_s) - max(part.start_s, speech[index].start_s)
    return total_s


def _finding(kind: str, segment: Segment, detail: str) -> Finding:
    return Finding(kind=kind, start_s=segment.start_s, end_s=segment.end_s, detail=detail)
