"""Audit every seam for words that may be lost or doubled. Pure."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from storage.domain.records import Finding, Plan, Seam, Span, SpanResult, Stretch, Word
from tasks.asr.confidence import UNTRANSCRIBED_S
from tasks.asr.word_timing import bare
from tasks.assembly.stitch import hand_over, in_common, moved

SEAM = "seam"
WORDS_SHOWN = 4
TOUCHING_S = 0.02  # a word that ends this close to a cut in silence may itself be cut
SAME_RUN = 3  # this many identical words on both sides of a cut may have been transcribed twice
SAME_RUN_S = 1.0
REVIEW_S = 1.0  # how much to listen to on each side

ACROSS = "a word reaches to the cut"
TWICE = "both sides end and begin with the same words"
NO_COMMON = "the two sides have no word in common"
DROPPED = "speech beside the cut has no text"


def seams(plan: Plan, results: Sequence[SpanResult]) -> tuple[Seam, ...]:
    """Return every seam of the recording with the text on its two sides.

    Times are on the recording's clock.
    """
    pairs = list(zip(plan.spans, results, strict=False))
    all_seams = [
        seam(before, after, words_of(left, before), words_of(right, after))
        for channel in dict.fromkeys(span.channel for span in plan.spans)
        for (before, left), (after, right) in pairwise(pair for pair in pairs if pair[0].channel == channel)
    ]
    return tuple(sorted(all_seams, key=lambda each: each.at_s))


def words_of(result: SpanResult, span: Span) -> list[Word]:
    """Return the words of a span on the recording's clock."""
    return [word for segment in result.segments for word in moved(segment, span.start_s).words]


def seam(before: Span, after: Span, left: Sequence[Word], right: Sequence[Word]) -> Seam:
    """Return one seam with the text on its two sides."""
    overlap = Stretch(start_s=after.start_s, end_s=before.end_s)
    overlap_s = max(0.0, overlap.end_s - overlap.start_s)
    at_s = (before.end_s + after.start_s) / 2
    agreed = 0
    if overlap_s:
        agreed = len(in_common(left, right, overlap))
        at = hand_over(left, right, overlap)
        doubt = _of_overlap(left, right, overlap, agreed)
        left, right = left[: at.left], right[at.right :]
    else:
        doubt = _of_silence(before, after, left, right)
    return Seam(
        at_s=round(at_s, 3),
        overlap_s=round(overlap_s, 3),
        silence_s=after.silence_before_s,
        before="".join(word.text for word in left[-WORDS_SHOWN:]).strip(),
        after="".join(word.text for word in right[:WORDS_SHOWN]).strip(),
        before_gap_s=round(at_s - left[-1].end_s, 3) if left else None,
        after_gap_s=round(right[0].start_s - at_s, 3) if right else None,
        agreed=agreed,
        doubt=doubt or _untranscribed_speech(before, after, left, right),
    )


def _of_overlap(left: Sequence[Word], right: Sequence[Word], overlap: Stretch, agreed: int) -> str:
    has_words = any(word.end_s > overlap.start_s for word in left) or any(
        word.start_s < overlap.end_s for word in right
    )
    return NO_COMMON if has_words and not agreed else ""


def _of_silence(before: Span, after: Span, left: Sequence[Word], right: Sequence[Word]) -> str:
    if left and left[-1].end_s > before.end_s - TOUCHING_S:
        return ACROSS
    if right and right[0].start_s < after.start_s + TOUCHING_S and after.start_s > 0:
        return ACROSS
    is_near = bool(left and right) and right[0].start_s - left[-1].end_s < SAME_RUN_S
    last, first = [bare(word) for word in left[-SAME_RUN:]], [bare(word) for word in right[:SAME_RUN]]
    return TWICE if is_near and len(last) == SAME_RUN and last == first else ""


def _untranscribed_speech(before: Span, after: Span, left: Sequence[Word], right: Sequence[Word]) -> str:
    """Return whether long speech without text lies next to the cut."""
    last_s = left[-1].end_s if left else before.start_s
    first_s = right[0].start_s if right else after.end_s
    spoken_s = (
        sum(max(0.0, min(each.end_s, first_s) - max(each.start_s, last_s)) for each in side.speech)
        for side in (before, after)
    )
    return DROPPED if max(spoken_s) > UNTRANSCRIBED_S else ""


def doubtful(all_seams: Sequence[Seam]) -> Iterator[Finding]:
    """Yield findings for the seams that a reader should listen to."""
    for item in all_seams:
        if item.doubt:
            start_s = max(0.0, item.at_s - REVIEW_S)
            yield Finding(kind=SEAM, start_s=start_s, end_s=item.at_s + REVIEW_S, detail=item.doubt)
