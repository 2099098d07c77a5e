"""Give the words of a known text their times, by the decoder's attention."""

from collections.abc import Sequence

from storage.domain.records import Stretch, Word
from tasks.asr.whisper_decode import Decoder, inside
from tasks.asr.word_timing import held_to, no_longer_than_said, place
from tasks.audio.decode import SAMPLE_RATE_HZ, Samples
from tasks.audio.window_level import one_level
from tasks.audio.windows import LONGEST_S, Window, padded, quietest_in

MOST_TOKENS = 220
"""Of a text that is aligned at once; the decoder takes 448 with its prompt."""


def timed_text(
    pcm: Samples, text: str, *, decoder: Decoder, language: str, speech: Sequence[Stretch] = ()
) -> tuple[Word, ...]:
    """Return the words of the text with times in seconds from the start of `pcm`.

    `pcm` is float32 mono at 16 kHz, of at most the length that the model takes at once. Returns none for a text that is
    too long for it.
    """
    window = _window(pcm, speech)
    tokens = decoder.prompt(language).tokenizer.encode(f" {text.strip()}")
    if not tokens or len(tokens) > MOST_TOKENS or not len(pcm):
        return ()
    encoded = decoder.encoded([one_level(window.samples(pcm))])
    (words,) = decoder.timed([tokens], encoded, [language])
    within = inside(window, speech)
    return tuple(no_longer_than_said([held_to(place(word, window), within) for word in words]))


def _window(pcm: Samples, speech: Sequence[Stretch]) -> Window:
    """Return the speech in `pcm` as one window; all of it if none was detected."""
    length_s = min(len(pcm) / SAMPLE_RATE_HZ, LONGEST_S)
    within = [
        Stretch(start_s=max(0.0, stretch.start_s), end_s=min(length_s, stretch.end_s))
        for stretch in speech
        if stretch.end_s > 0 and stretch.start_s < length_s
    ]
    pieces = [piece for piece in padded(within, length_s, quietest_in(pcm)) if piece.end_s > piece.start_s]
    return Window(pieces=tuple(pieces) or (Stretch(start_s=0.0, end_s=length_s),))
