"""Decode doubtful windows again with safer settings, at a bounded cost.

Text that seems invented is first stripped of its echoes, which costs nothing; if that alone is enough, only the audio
after the first echo is decoded again. Otherwise the window is encoded again, padded with silence to the length that the
model was trained on, which ends most loops; what repeats the same words then was said. Text that still seems invented
is decoded with no three tokens repeated, and what stays doubtful is decoded in narrower parts, which recovers dropped
sentences. Speech that still has no text is decoded on its own, then with its surroundings. Where none of this helps, as
with singing, the attempt ends early and the reason is recorded. What may be speech though the detector did not find it
is decoded last, for its sure words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from storage.domain.records import Redecoding, Stretch, Untranscribed, Word
from tasks.asr.confidence import (
    LOW_CONFIDENCE,
    NO_SPEECH,
    NO_SPEECH_LIMIT,
    NO_TEXT,
    REPETITION,
    TOO_FAST,
    Candidate,
    WindowText,
    better,
    doubts,
    speech_without_words,
    together,
    weight,
)
from tasks.asr.sound_repeats import only_said
from tasks.asr.untranscribed import Reason, sounds_like
from tasks.asr.utterance_language import SURE, utterances
from tasks.asr.whisper_decode import Search, SpanDecoder, Take, inside
from tasks.asr.word_timing import SAME_WORD_S, bare, loop_from, with_words, without_echoes
from tasks.audio.decode import SAMPLE_RATE_HZ, Samples
from tasks.audio.windows import Quietest, Window, behind, narrower, on_grid, pack, quietest_in

INVENTED = frozenset({REPETITION, NO_SPEECH, TOO_FAST})
PADDED = Search(padded=True)
NO_LOOPS = Search(no_repeat_tokens=3)
PART_WAYS = (Search(), PADDED, NO_LOOPS)
"""The searches tried on a part, in order, until nothing seems invented or dropped; deterministic."""
PART_SHARE = 4  # a part is this fraction of the model's longest window
WRONG = INVENTED | {NO_TEXT}
SHORTEST_PART_S = 5.0
PARTS_A_WINDOW = 2  # parts decoded for each window of the span, at most
PATIENCE = 2  # windows in succession whose parts did not help, before giving up

LOOK_S = 0.3  # how far around a loop's start to search for a quiet moment
AROUND_S, LEAST_AROUND_S = 2.0, 1.0  # context on each side of a gap
MOST_SURROUNDINGS = 4  # gaps of a span that are decoded with their context, at most
LEAST_SURE = 0.4  # minimum mean probability of words that fill a gap
LEAST_SURE_MAYBE = 0.5  # the same where the detector found no speech
OTHER_LANGUAGE_SHARE = 0.8
FORCED, FORCED_SHARE = 0.1, 0.1  # probability of a word that only the search's constraint allows, and how many may be


def redecode_doubtful(
    takes: Sequence[Take],
    first_passes: Sequence[Candidate],
    *,
    span_decoder: SpanDecoder,
    quietest: Quietest,
    window_s: float,
) -> dict[int, Candidate]:
    """Return the second pass over doubtful takes, by index; `first_passes` holds those of all.

    A take whose only doubt is speech without text is left to `fill_gaps`.
    """
    doubtful = [index for index, (_, reasons) in enumerate(first_passes) if set(reasons) - {NO_TEXT}]
    second_passes: dict[int, Candidate] = {}
    for index in doubtful:
        shorter, take = without_echoes(first_passes[index][0]), takes[index]
        if shorter is not first_passes[index][0]:
            without = candidate_of(shorter, take, span_decoder.pcm)
            second_passes[index] = redecode_after_loop(take, first_passes[index], without, span_decoder, quietest)

    def latest(index: int) -> Candidate:
        return second_passes.get(index, first_passes[index])

    def retry(indices: Sequence[int], search: Search) -> None:
        for index, heard in zip(
            indices, decode_takes([takes[index] for index in indices], search, span_decoder), strict=True
        ):
            candidate = confirmed(heard, first_passes[index]) if search is PADDED else heard
            second_passes[index] = better(second_passes[index], candidate) if index in second_passes else candidate

    retry([index for index in doubtful if latest(index)[1]], PADDED)
    retry(
        [index for index in doubtful if INVENTED.intersection(best_of(first_passes[index], latest(index))[1])], NO_LOOPS
    )
    parts_left, patience = PARTS_A_WINDOW * len(takes), PATIENCE
    length_s = max(SHORTEST_PART_S, window_s / PART_SHARE)
    for index in sorted(doubtful, key=lambda index: -weight(latest(index)[1])):
        take, before = takes[index], best_of(first_passes[index], latest(index))
        narrow = narrower(take.window, length_s, quietest)
        parts = [Take(window=part, speech=inside(part, take.speech), language=take.language) for part in narrow]
        if not WRONG.intersection(before[1]) or len(parts) == 1 or len(parts) > parts_left or not patience:
            continue
        parts_left -= len(parts)
        after = candidate_of(together([part[0] for part in decode_parts(parts, span_decoder)]), take, span_decoder.pcm)
        patience = PATIENCE if weight(after[1]) < weight(before[1]) else patience - 1
        second_passes[index] = better(before, after) if index in second_passes else after
    return dict(sorted(second_passes.items()))


def best_of(first: Candidate, second: Candidate) -> Candidate:
    return first if first is second else better(first, second)


def confirmed(second: Candidate, first: Candidate) -> Candidate:
    """Return the padded hearing, without doubt if it repeats the first one.

    A loop goes on to the limit of tokens, or ends elsewhere in another encoding. A hearing that may not repeat itself
    would lose what was said.
    """
    (text, reasons), (first_text, first_reasons) = second, first
    is_same = [bare(word) for word in text.words] == [bare(word) for word in first_text.words]
    if reasons == (REPETITION,) and REPETITION in first_reasons and is_same and text.ended and first_text.ended:
        return text, ()
    return second


def redecode_after_loop(
    take: Take, looped: Candidate, without: Candidate, span_decoder: SpanDecoder, quietest: Quietest
) -> Candidate:
    """Return the text without echoes, with the audio after the loop decoded on its own.

    A decoder in a loop repeats what it said, whatever is spoken: its first words are no more reliable than the rest.
    """
    if REPETITION not in looped[1] or without[1] or (from_s := loop_from(looped[0], take.speech)) is None:
        return without
    at_s = quietest(max(0.0, from_s - LOOK_S), from_s + LOOK_S)
    window = behind(take.window, at_s)
    if window is None:
        return without
    rest = Take(window=window, speech=inside(window, take.speech), language=take.language)
    ((after_loop, _),) = decode_takes([rest], Search(), span_decoder)
    span_decoder.forget(rest)
    before = with_words(without[0], [word for word in without[0].words if word.start_s < at_s])
    extended = candidate_of(together([before, after_loop]), take, span_decoder.pcm)
    return without if extended[1] else extended


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A span's texts with filled gaps, the redecodings made, and what stays untranscribed."""

    texts: list[WindowText]
    reheard: tuple[Redecoding, ...] = ()
    untranscribed: tuple[Untranscribed, ...] = ()


def fill_gaps(
    texts: Sequence[WindowText], takes: Sequence[Take], *, span_decoder: SpanDecoder, window_s: float
) -> Filled:
    """Decode speech without text, on its own and then with context, until it is explained.

    It is decoded at its own level and in its own language, and what is left of it once more. Whatever gives no words
    alone is tried with its surroundings.
    """
    filled = Filled(texts=list(texts))
    if not takes:
        return filled
    tried: set[Stretch] = set()
    for make_takes in (alone, alone, with_surroundings):  # what is left of a gap is shorter, and decoded alone again
        gaps = [gap for gap in gaps_in(filled.texts, takes) if make_takes is with_surroundings or gap not in tried]
        tried.update(gaps)
        if gaps:
            filled = _filled_with(filled, gaps, takes, make_takes(gaps, takes, span_decoder, window_s), span_decoder)
    return replace(filled, untranscribed=tuple(_with_reason(gap, span_decoder) for gap in gaps_in(filled.texts, takes)))


def gaps_in(texts: Sequence[WindowText], takes: Sequence[Take]) -> list[Stretch]:
    """Return long stretches of speech without a word, from their first to last speech."""
    words = [word for text in texts for word in text.words]
    speech = [stretch for take in takes for stretch in take.speech]
    span = Stretch(start_s=takes[0].window.start_s, end_s=takes[-1].window.end_s)
    gaps = []
    for gap in speech_without_words(sorted(words, key=lambda word: word.start_s), span, speech):
        spoken = inside(Window(pieces=(gap,)), speech)
        gaps.append(Stretch(start_s=spoken[0].start_s, end_s=spoken[-1].end_s))
    return gaps


def alone(gaps: Sequence[Stretch], takes: Sequence[Take], span_decoder: SpanDecoder, window_s: float) -> list[Take]:
    """Return each gap as its own windows, with no neighbouring words in them."""
    speech = [stretch for take in takes for stretch in take.speech]
    alone_takes: list[Take] = []
    for gap in gaps:
        own_speech = inside(Window(pieces=(gap,)), speech)
        windows = pack(
            own_speech,
            duration_s=len(span_decoder.pcm) / SAMPLE_RATE_HZ,
            quietest=quietest_in(span_decoder.pcm),
            window_s=window_s,
        )
        alone_takes += [Take(window=window, speech=inside(window, own_speech)) for window in windows]
    return in_own_languages(alone_takes, takes, span_decoder)


def with_surroundings(
    gaps: Sequence[Stretch], takes: Sequence[Take], span_decoder: SpanDecoder, window_s: float
) -> list[Take]:
    """Return each gap together with its surroundings, if a window can hold both."""
    speech = [stretch for take in takes for stretch in take.speech]
    span = Stretch(start_s=takes[0].window.start_s, end_s=takes[-1].window.end_s)
    context_takes: list[Take] = []
    for gap in gaps:
        around_s = min(AROUND_S, (window_s - (gap.end_s - gap.start_s)) / 2)
        if around_s < LEAST_AROUND_S or _sound_of(gap, span_decoder) is not Reason.NO_WORDS:
            continue
        start_s, end_s = max(span.start_s, gap.start_s - around_s), min(span.end_s, gap.end_s + around_s)
        window = Window(pieces=(Stretch(start_s=on_grid(start_s), end_s=on_grid(end_s)),))
        context_takes.append(Take(window=window, speech=inside(window, speech), language=_language_at(gap, takes)))
    return context_takes[:MOST_SURROUNDINGS]


def sure_texts(
    maybe: Sequence[Stretch], takes: Sequence[Take], *, span_decoder: SpanDecoder, window_s: float
) -> list[WindowText]:
    """Return the text of what may be speech, where the model is sure of it."""
    quietest, duration_s = quietest_in(span_decoder.pcm), len(span_decoder.pcm) / SAMPLE_RATE_HZ
    attempts = [
        Take(window=window, speech=inside(window, [stretch]))
        for stretch in maybe
        for window in pack([stretch], duration_s=duration_s, quietest=quietest, window_s=window_s)
    ]
    attempts = in_own_languages(attempts, takes, span_decoder)
    return [text for text, reasons in decode_parts(attempts, span_decoder) if text.words and is_sure(text, reasons)]


def is_sure(text: WindowText, reasons: Sequence[str]) -> bool:
    """Return whether nothing speaks for invented words, and most of them are probable."""
    if (INVENTED | {LOW_CONFIDENCE}).intersection(reasons) or text.no_speech_prob > NO_SPEECH_LIMIT:
        return False
    return sum(word.probability for word in text.words) >= LEAST_SURE_MAYBE * len(text.words)


def in_own_languages(gaps: list[Take], takes: Sequence[Take], span_decoder: SpanDecoder) -> list[Take]:
    """Return the gaps with the language detected in them, or else the one around them.

    A language given for the whole span is kept.
    """
    if span_decoder.language is not None or not gaps:
        return gaps
    named = []
    for utterance in utterances(gaps, span_decoder):
        follows = takes and max(utterance.shares.values(), default=0.0) < SURE
        named.append(
            replace(utterance.take, language=_language_at(utterance.take.window, takes)) if follows else utterance.take
        )
    return named


def _filled_with(
    filled: Filled, gaps: Sequence[Stretch], takes: Sequence[Take], attempts: Sequence[Take], span_decoder: SpanDecoder
) -> Filled:
    """Return the texts with the words that were recovered inside the gaps."""
    texts, reheard = list(filled.texts), list(filled.reheard)
    words = [word for text in texts for word in text.words]
    for take, (text, reasons) in zip(attempts, decode_parts(attempts, span_decoder), strict=True):
        own_gaps = [gap for gap in gaps if gap.start_s < take.window.end_s and gap.end_s > take.window.start_s]
        invented = INVENTED.intersection(reasons)
        recovered = [] if invented else [word for gap in own_gaps for word in missing_words(gap, text.words, words)]
        start_s, end_s = take.window.start_s, take.window.end_s
        first_text = "".join(word.text for word in words if start_s <= word.start_s < end_s).strip()
        if recovered:
            words += recovered
            at = max((i for i, each in enumerate(takes) if each.window.start_s <= own_gaps[0].start_s), default=0)
            merged = sorted((*texts[at].words, *recovered), key=lambda word: word.start_s)
            texts[at] = with_words(texts[at], merged)
        reheard.append(
            Redecoding(
                start_s=start_s,
                end_s=end_s,
                doubts=(NO_TEXT,),
                first_text=first_text,
                second_text=text.text,
                kept="second" if recovered else "first",
            )
        )
    return replace(filled, texts=texts, reheard=tuple(reheard))


def _with_reason(gap: Stretch, span_decoder: SpanDecoder) -> Untranscribed:
    """Return the gap with the reason why it has no text."""
    reason = _sound_of(gap, span_decoder)
    if reason is Reason.NO_WORDS and span_decoder.language is not None and span_decoder.decoder.multilingual:
        take = Take(window=_window_of(gap), speech=(gap,))
        if take.window.length_s <= span_decoder.decoder.window_s:
            (shares,) = span_decoder.languages([take])
            span_decoder.forget(take)
            name, share = max(shares.items(), key=lambda pair: pair[1])
            reason = (
                Reason.OTHER_LANGUAGE if name != span_decoder.language and share >= OTHER_LANGUAGE_SHARE else reason
            )
    return Untranscribed(start_s=round(gap.start_s, 3), end_s=round(gap.end_s, 3), reason=reason)


def _sound_of(gap: Stretch, span_decoder: SpanDecoder) -> Reason:
    return sounds_like(_window_of(gap).samples(span_decoder.pcm))


def _window_of(gap: Stretch) -> Window:
    return Window(pieces=(Stretch(start_s=on_grid(gap.start_s), end_s=on_grid(gap.end_s)),))


def _language_at(gap: Stretch | Window, takes: Sequence[Take]) -> str | None:
    """Return the language spoken around a gap."""
    before = [take for take in takes if take.window.start_s <= gap.end_s]
    return max(before, key=lambda take: take.window.end_s).language if before else takes[0].language


def missing_words(gap: Stretch, candidates: Sequence[Word], existing: Sequence[Word]) -> list[Word]:
    """Return new words inside the gap that are not already beside it."""
    new_words = [
        word
        for word in candidates
        if gap.start_s < (word.start_s + word.end_s) / 2 < gap.end_s
        and not any(
            abs(word.start_s - other.start_s) <= SAME_WORD_S and bare(word) == bare(other) for other in existing
        )
    ]
    is_sure = sum(word.probability for word in new_words) >= LEAST_SURE * len(new_words)
    return new_words if is_sure else []


def decode_parts(parts: Sequence[Take], span_decoder: SpanDecoder) -> list[Candidate]:
    """Return the best decoding of each part."""
    best: list[Candidate] = decode_takes(parts, PART_WAYS[0], span_decoder)
    for search in PART_WAYS[1:]:
        doubtful = [index for index, (_, reasons) in enumerate(best) if WRONG.intersection(reasons)]
        for index, candidate in zip(
            doubtful, decode_takes([parts[index] for index in doubtful], search, span_decoder), strict=True
        ):
            best[index] = better(best[index], candidate)
    for part in parts:
        span_decoder.forget(part)
    return best


def decode_takes(takes: Sequence[Take], search: Search, span_decoder: SpanDecoder) -> list[Candidate]:
    """Decode each take this way, and return the texts with their doubts."""
    texts = span_decoder.texts(takes, search)
    candidates = [candidate_of(text, take, span_decoder.pcm) for take, text in zip(takes, texts, strict=True)]
    return [judged_freely(candidate) for candidate in candidates] if search.no_repeat_tokens else candidates


def judged_freely(candidate: Candidate) -> Candidate:
    """Return a hearing that may not repeat itself, doubted if it was forced.

    It is no loop by its own constraint, so that is no merit. The probabilities of its words are those of the model
    without the constraint, to which forced words are unlikely.
    """
    text, reasons = candidate
    forced = sum(word.probability < FORCED for word in text.words)
    if REPETITION in reasons or forced <= FORCED_SHARE * len(text.words):
        return candidate
    return text, (*reasons, REPETITION)


def candidate_of(text: WindowText, take: Take, pcm: Samples) -> Candidate:
    """Return a decoded text of a take with the reasons to doubt it.

    What the sound repeats as well was said several times, and is no loop.
    """
    reasons = doubts(text, take.window, take.speech)
    if REPETITION in reasons and only_said(text.words, pcm):
        reasons = tuple(reason for reason in reasons if reason != REPETITION)
    return text, reasons
