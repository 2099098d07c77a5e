"""Put a corrected text, each word with a time, in the place of a transcript.

Words that the transcript has keep their times, and are the anchors for the others, which are aligned with the sound
between them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from storage.domain.errors import TextDoesNotMatch
from storage.domain.records import Finding, Segment, Transcript, Word
from storage.transcripts.word_alignment import key_of, shared_out, text_of_unit, units_of
from tasks.assembly.corrected_text import TextLine, lines_of
from tasks.assembly.word_matching import Match, matches
from tasks.text.line_breaking import spread

LEAST_SHARE = 0.3
"""Of the text's words that the transcript has in runs; texts about something else have under 0.15."""
RUN_WORDS = 2  # a word that matches alone may do so by chance
CONTEXT_WORDS = 3  # heard words on both sides of a changed stretch, which are aligned with it
LONGEST_S = 26.0  # of sound that is aligned at once
MARGIN_S = 0.2
MISSING_WORDS = 5  # a passage of at least so many words that the text leaves out, or that no sound was found for
FASTEST_CHARS_PER_S = 35.0  # nobody speaks faster
TEXT_MISSING, TEXT_EXTRA = "text left out", "text without sound"
SHOWN_WORDS = 12

Align = Callable[[float, float, str], Sequence[Word]]
"""Returns the words of a text with their times in the sound between two moments of the recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """A transcript with another text; `share` of its words were heard.

    `timed` is how many got their times from the sound.
    """

    transcript: Transcript
    share: float
    words: int
    timed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A word of the transcript, with the speaker of its segment."""

    word: Word
    segment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Words of the text that differ from those heard: `[old, old_end)` became `[new, new_end)`."""

    old: int
    old_end: int
    new: int
    new_end: int


def aligned_text(
    transcript: Transcript, text: str, *, align: Align, on_progress: Callable[[float], None] = lambda _: None
) -> Alignment:
    """Return the transcript with the text in the place of its own.

    `on_progress` receives the share that is done.

    Raises:
        TextDoesNotMatch: too few of the text's words were heard in its order.
    """
    heard = list(heard_words(transcript.segments))
    keys = [key_of(each.word.text) for each in heard]
    speakers = {segment.speaker for segment in transcript.segments if segment.speaker}
    lines = lines_of(text, speakers=speakers, said=set(keys))
    tokens = [token for line in lines for token in line.tokens]
    found = matches(keys, [key_of(token) for token in tokens])
    share = share_matched(found, len(tokens))
    if share < LEAST_SHARE:
        raise TextDoesNotMatch(share)
    timing = _Timing(heard=heard, tokens=tokens, align=align, duration_s=transcript.duration_s)
    timing.keep(found)
    gaps = list(gaps_of(found, len(heard), len(tokens)))
    for done, gap in enumerate(gaps, start=1):
        timing.fill(gap)
        on_progress(done / len(gaps))
    findings = (*transcript.findings, *timing.findings)
    segments = tuple(_segments(lines, timing, transcript.segments))
    spoken = replace(transcript, segments=segments, findings=findings)
    return Alignment(transcript=spoken, share=share, words=len(tokens), timed=timing.timed)


def heard_words(segments: Sequence[Segment]) -> Iterator[Heard]:
    """Yield the words of a transcript as a text is split.

    Those without times share their segment's."""
    for place, segment in enumerate(segments):
        words = [word for word in segment.words if word.text.strip()] or list(spread(segment))
        for unit in units_of(words):
            first, last = unit[0], unit[-1]
            probability = min(word.probability for word in unit)
            word = Word(start_s=first.start_s, end_s=last.end_s, text=text_of_unit(unit), probability=probability)
            yield Heard(word=word, segment=place)


def share_matched(found: Sequence[Match], words: int) -> float:
    """Return the share of the text's words that were heard, in runs of several."""
    runs = sum(match.size for match in found if match.size >= min(RUN_WORDS, words))
    return runs / words if words else 0.0


def gaps_of(found: Sequence[Match], heard: int, words: int) -> Iterator[Difference]:
    """Yield what lies between the matches."""
    old = new = 0
    for match in (*found, Match(old=heard, new=words, size=0)):
        if old < match.old or new < match.new:
            yield Difference(old=old, old_end=match.old, new=new, new_end=match.new)
        old, new = match.old + match.size, match.new + match.size


class _Timing:
    """The times of a text's words: those that stay, then those from the sound."""

    def __init__(self, *, heard: Sequence[Heard], tokens: Sequence[str], align: Align, duration_s: float) -> None:
        self.heard, self.tokens, self.duration_s = heard, tokens, duration_s
        self.align = align
        self.words: list[Word | None] = [None] * len(tokens)
        self.origins: list[int | None] = [None] * len(tokens)  # the heard word of one that stays
        self.findings: list[Finding] = []
        self.timed = 0

    def keep(self, found: Sequence[Match]) -> None:
        for match in found:
            for by in range(match.size):
                word, token = self.heard[match.old + by].word, self.tokens[match.new + by]
                same = word.text.strip() == token.strip()
                self.words[match.new + by] = replace(word, text=token, probability=word.probability if same else 1.0)
                self.origins[match.new + by] = match.old + by

    def fill(self, gap: Difference) -> None:
        """Give a difference's words their times; note what is missing or has no sound."""
        gone = [each.word for each in self.heard[gap.old : gap.old_end]]
        if gap.new == gap.new_end:
            if len(gone) >= MISSING_WORDS:
                self._note(TEXT_MISSING, gone[0].start_s, gone[-1].end_s, [word.text for word in gone])
            return
        from_s, until_s = self._room(gap)
        self.timed += gap.new_end - gap.new
        words = self._from_sound(gap, from_s, until_s)
        new = self.tokens[gap.new : gap.new_end]
        if words is None:
            words = shared_out(new, *self._outer(gone, from_s, until_s))
        self.words[gap.new : gap.new_end] = words
        before = self.words[gap.new - 1] if gap.new else None
        if before is not None:
            self.words[gap.new - 1] = replace(before, end_s=max(before.start_s, min(before.end_s, words[0].start_s)))
        chars = sum(len(token.strip()) for token in new)
        if len(new) - len(gone) >= MISSING_WORDS and chars > FASTEST_CHARS_PER_S * (until_s - from_s):
            self._note(TEXT_EXTRA, words[0].start_s, words[-1].end_s, new)

    def _room(self, gap: Difference) -> tuple[float, float]:
        """Return between which moments the words of a gap were said: neighbours keep their starts."""
        before = self.words[gap.new - 1] if gap.new else None
        after = self.words[gap.new_end] if gap.new_end < len(self.words) else None
        from_s = before.start_s + min(0.1, (before.end_s - before.start_s) / 2) if before else 0.0
        until_s = after.start_s if after else self.duration_s
        return from_s, max(from_s, until_s)

    @staticmethod
    def _outer(gone: Sequence[Word], from_s: float, until_s: float) -> tuple[float, float]:
        """Return the interval that words share whose times the sound did not tell."""
        if not gone:
            return from_s, until_s
        start_s = min(max(from_s, gone[0].start_s), until_s)
        return start_s, max(start_s, min(until_s, gone[-1].end_s))

    def _from_sound(self, gap: Difference, from_s: float, until_s: float) -> list[Word] | None:
        """Return the words aligned with the sound; None if it says nothing."""
        first, last = self._context(gap)
        begin, end = self.words[first], self.words[last - 1]
        start_s = max(0.0, (begin.start_s if begin and first < gap.new else from_s) - MARGIN_S)
        end_s = min(self.duration_s, (end.end_s if end and last > gap.new_end else until_s) + MARGIN_S)
        if end_s - start_s > LONGEST_S:
            return self._in_parts(gap, from_s, until_s)
        tokens = self.tokens[first:last]
        aligned = self.align(start_s, end_s, "".join(tokens).strip())
        spelled = regrouped(aligned, tokens)
        if spelled is None:
            return None
        return _bounded(spelled[gap.new - first : gap.new_end - first], from_s, until_s)

    def _context(self, gap: Difference) -> tuple[int, int]:
        """Return the words with up to three heard ones on each side."""
        first, last = gap.new, gap.new_end
        while first and gap.new - first < CONTEXT_WORDS and self.origins[first - 1] is not None:
            first -= 1
        while last < len(self.tokens) and last - gap.new_end < CONTEXT_WORDS and self.origins[last] is not None:
            last += 1
        return first, last

    def _in_parts(self, gap: Difference, from_s: float, until_s: float) -> list[Word]:
        """Return the words of a long stretch, aligned in parts."""
        tokens = self.tokens[gap.new : gap.new_end]
        gone = [each.word for each in self.heard[gap.old : gap.old_end]]
        rough = shared_out(tokens, *self._outer(gone, from_s, until_s))
        found: list[Word] = []
        for _, part in groupby(rough, key=lambda word: int((word.start_s - rough[0].start_s) // (LONGEST_S - 6))):
            words = list(part)
            start_s, end_s = max(0.0, words[0].start_s - 1.0), min(self.duration_s, words[-1].end_s + 1.0)
            texts = [word.text for word in words]
            spelled = None
            if end_s - start_s <= LONGEST_S:
                spelled = regrouped(self.align(start_s, end_s, "".join(texts).strip()), texts)
            found += spelled or words
        return _bounded(found, from_s, until_s)

    def _note(self, kind: str, start_s: float, end_s: float, texts: Sequence[str]) -> None:
        shown = "".join(texts[:SHOWN_WORDS]).strip() + (" …" if len(texts) > SHOWN_WORDS else "")
        self.findings.append(Finding(kind=kind, start_s=round(start_s, 3), end_s=round(end_s, 3), detail=shown))


def regrouped(aligned: Sequence[Word], tokens: Sequence[str]) -> list[Word] | None:
    """Return the words split as the tokens are; None if they do not spell them.

    The model splits some words otherwise, such as those without spaces between.
    """
    letters = [(char, word) for word in aligned for char in word.text if not char.isspace()]
    if "".join(char for char, _ in letters) != "".join("".join(token.split()) for token in tokens):
        return None
    found: list[Word] = []
    at = 0
    for token in tokens:
        size = len("".join(token.split()))
        first, last = letters[at][1], letters[at + size - 1][1]
        found.append(Word(start_s=first.start_s, end_s=last.end_s, text=token, probability=1.0))
        at += size
    return found


def _bounded(words: Sequence[Word], from_s: float, until_s: float) -> list[Word]:
    """Return the words inside the interval, in order."""
    found: list[Word] = []
    latest_s = from_s
    for word in words:
        start_s = min(max(word.start_s, latest_s), until_s)
        end_s = min(max(word.end_s, start_s), until_s)
        found.append(replace(word, start_s=round(start_s, 3), end_s=round(end_s, 3)))
        latest_s = start_s
    return found


def _segments(lines: Sequence[TextLine], timing: _Timing, old: Sequence[Segment]) -> Iterator[Segment]:
    """Yield a segment for each line; what the text leaves open is as before."""
    labelled = any(line.speaker for line in lines)
    at, latest_s = 0, 0.0
    origin = old[0] if old else None
    for line in lines:
        end = at + len(line.tokens)
        words = tuple(word for word in timing.words[at:end] if word is not None)
        places = [timing.heard[one].segment for one in timing.origins[at:end] if one is not None]
        origin = old[max(set(places), key=places.count)] if places else origin
        start_s = max(latest_s, words[0].start_s)
        made = Segment(
            start_s=start_s, end_s=max(start_s, *(word.end_s for word in words)), text=line.text, words=words
        )
        if origin is not None:
            made = replace(origin, start_s=made.start_s, end_s=made.end_s, text=made.text, words=words)
        yield replace(made, speaker=line.speaker) if labelled else made
        at, latest_s = end, start_s
