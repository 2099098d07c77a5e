"""Redecoding of doubtful windows: reused encodings, and giving up early."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from storage.domain.records import Options, Word
from tasks.asr import redecode
from tasks.asr.confidence import (
    NO_TEXT,
    REPETITION,
    TOO_FAST,
    UNTRANSCRIBED_S,
    Candidate,
    WindowText,
    doubts,
    loops,
)
from tasks.asr.encoded_windows import Encoded
from tasks.asr.engine import Engine
from tasks.asr.redecode import (
    NO_LOOPS,
    PADDED,
    PARTS_A_WINDOW,
    PATIENCE,
    Filled,
    fill_gaps,
    judged_freely,
    redecode_doubtful,
)
from tasks.asr.whisper_decode import Decoder, Search, SpanDecoder, Take, inside
from tasks.asr.word_timing import bare
from tasks.audio.decode import SAMPLE_RATE_HZ, Samples
from tasks.audio.vad import find_speech
from tasks.audio.windows import pack, quietest_in
from tests.conftest import Assembly, Clip
from tests.tasks.sounds import RATE_HZ, read_wav, silence

Assemble = Callable[..., Assembly]


@dataclass(kw_only=True)
class Counted(Decoder):
    """The real decoder, with a count of what it was asked for."""

    encodings: int = 0
    searches: list[Search] = field(default_factory=list)

    def encoded(self, sounds: Sequence[Samples], *, padded: bool = False) -> list[Encoded]:
        self.encodings += len(sounds)
        return super().encoded(sounds, padded=padded)

    def texts(self, windows: Sequence[Encoded], languages: Sequence[str], search: Search) -> list[WindowText]:
        self.searches.append(search)
        return super().texts(windows, languages, search)


@dataclass(frozen=True, kw_only=True)
class Talk:
    """A few windows of speech with their first hearings, all encodings kept."""

    takes: list[Take]
    firsts: list[Candidate]
    decoder: Counted
    span_decoder: SpanDecoder
    pcm: Samples

    def again(self, firsts: Sequence[Candidate]) -> dict[int, Candidate]:
        self.decoder.encodings, self.decoder.searches = 0, []
        return redecode_doubtful(
            self.takes,
            firsts,
            span_decoder=self.span_decoder,
            quietest=quietest_in(self.pcm),
            window_s=self.decoder.window_s,
        )


def talk_of(engine: Engine, pcm: Samples) -> Talk:
    speech = find_speech(pcm)
    decoder = Counted(model=engine.model, options=Options())
    span_decoder = SpanDecoder(decoder=decoder, pcm=pcm, batch_size=4, should_stop=lambda: False, language="en")
    windows = pack(speech, duration_s=len(pcm) / SAMPLE_RATE_HZ, quietest=quietest_in(pcm), window_s=decoder.window_s)
    takes = [Take(window=window, speech=inside(window, speech)) for window in windows]
    texts = span_decoder.texts(takes, Search())
    firsts = [(text, doubts(text, take.window, take.speech)) for take, text in zip(takes, texts, strict=True)]
    return Talk(takes=takes, firsts=firsts, decoder=decoder, span_decoder=span_decoder, pcm=pcm)


@pytest.fixture
def talk(engine: Engine, speech: list[Clip], assemble: Assemble) -> Talk:
    return talk_of(engine, read_wav(assemble(speech[:8], pause_s=0.0).path))


def test_undoubted_text_is_not_decoded_again(talk: Talk) -> None:
    assert talk.again(talk.firsts) == {}
    assert talk.decoder.searches == []


def test_a_loop_is_decoded_again_padded_with_silence(talk: Talk) -> None:
    firsts = [(text, (REPETITION,)) if index == 1 else (text, ()) for index, (text, _) in enumerate(talk.firsts)]
    found = talk.again(firsts)
    assert list(found) == [1]
    assert talk.decoder.searches == [PADDED]
    assert talk.decoder.encodings == 1
    assert (found[1][0].text, found[1][1]) == (talk.firsts[1][0].text, ())


@pytest.mark.parametrize("changed", ["nothing", "words", "cut short"])
def test_what_two_hearings_repeat_in_the_same_words_was_said(
    engine: Engine, speech: list[Clip], monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    """Nothing in the sound shows the repetition; a hearing that may not repeat itself would win."""
    monkeypatch.setattr(redecode, "only_said", lambda *_: False)
    (_, start_s, _), (_, _, end_s) = speech[0].words[:2]
    phrase = read_wav(speech[0].path)[int(start_s * RATE_HZ) : int(end_s * RATE_HZ)]
    again = talk_of(engine, np.concatenate([part for _ in range(5) for part in (phrase, silence(0.2))]))
    ((text, _),) = again.firsts
    assert loops([word.text for word in text.words])
    first = {
        "nothing": text,
        "words": replace(text, words=text.words[:-1]),
        "cut short": replace(text, ended=False),
    }[changed]
    found, why = again.again([(first, (REPETITION,))])[0]
    assert (NO_LOOPS in again.decoder.searches) == (changed != "nothing")
    if changed == "nothing":
        assert ([bare(word) for word in found.words], why) == ([bare(word) for word in text.words], ())


@pytest.mark.parametrize(("last", "doubted"), [(0.001, True), (0.3, False)])
def test_a_hearing_that_may_not_repeat_itself_wins_by_nothing_that_its_constraint_guarantees(
    last: float, *, doubted: bool
) -> None:
    """A phrase that comes again and again, with other words where the same ones are forbidden."""
    heard = [Word(start_s=at, end_s=at + 1.0, text=f" {at}", probability=0.9) for at in range(8)]
    text = WindowText(
        text="",
        words=(*heard[:7], replace(heard[7], probability=last)),
        tokens=8,
        avg_logprob=-0.5,
        no_speech_prob=0.0,
        compression_ratio=1.0,
        temperature=0.0,
    )
    assert (REPETITION in judged_freely((text, ()))[1]) == doubted


def test_an_echo_is_dropped_without_hearing_anything_again(talk: Talk) -> None:
    index = max(range(len(talk.firsts)), key=lambda index: len(talk.firsts[index][0].words))
    text = talk.firsts[index][0]
    said, at = text.words, len(text.words) // 2
    echo = [replace(word, start_s=said[at - 1].end_s, end_s=said[at - 1].end_s) for word in said[at - 4 : at]]
    firsts = list(talk.firsts)
    firsts[index] = (replace(text, words=(*said[:at], *echo, *said[at:])), (TOO_FAST,))
    found = talk.again(firsts)
    assert talk.decoder.searches == []
    assert (found[index][0].words, found[index][1]) == (said, ())


def test_audio_after_a_loop_is_decoded_on_its_own(talk: Talk) -> None:
    index, take = next((index, take) for index, take in enumerate(talk.takes) if len(take.speech) > 1)
    said, begin_s = talk.firsts[index][0].words, take.speech[1].start_s
    at = next(at for at, word in enumerate(said) if word.start_s >= begin_s)
    echo = [replace(word, start_s=said[at].start_s, end_s=said[at].start_s) for word in said[at - 4 : at]]
    wrong = [replace(word, text=f" {bare(word)[::-1]}") for word in said[at:]]
    firsts = list(talk.firsts)
    firsts[index] = (replace(firsts[index][0], words=(*said[:at], *echo, *wrong)), (REPETITION,))
    found, why = talk.again(firsts)[index]
    assert ([bare(word) for word in found.words], why) == ([bare(word) for word in said], ())
    assert talk.decoder.encodings == 1


def test_dropped_speech_is_cut_out_and_decoded(talk: Talk) -> None:
    texts = [text for text, _ in talk.firsts]
    words = texts[1].words
    gaps_s = [after.start_s - before.end_s for before, after in zip(words, words[7:], strict=False)]
    at = 1 + gaps_s.index(min(gap_s for gap_s in gaps_s if gap_s > UNTRANSCRIBED_S))
    texts[1] = replace(texts[1], words=(*words[:at], *words[at + 6 :]))
    filled = fill_gaps(texts, talk.takes, span_decoder=talk.span_decoder, window_s=talk.decoder.window_s)
    assert [word.text.strip(" .,?") for word in filled.texts[1].words] == [word.text.strip(" .,?") for word in words]
    assert {(each.kept, each.doubts) for each in filled.reheard} == {("second", (NO_TEXT,))}
    assert all(word.text.strip() not in filled.reheard[0].first_text.split() for word in words[at : at + 6])
    assert filled.untranscribed == ()
    assert filled.texts[0] is texts[0]
    starts = [word.start_s for word in filled.texts[1].words]
    assert starts == sorted(starts)


def test_without_speech_there_is_nothing_to_fill(talk: Talk) -> None:
    assert fill_gaps([], [], span_decoder=talk.span_decoder, window_s=8.0) == Filled(texts=[])


def test_audio_that_gives_no_text_is_abandoned_early(engine: Engine, talk: Talk) -> None:
    """Speech backwards: whatever is tried, every window stays as doubtful as it was."""
    backwards = talk_of(engine, talk.pcm[::-1].copy())
    firsts = [(text, (NO_TEXT,)) for text, _ in backwards.firsts]
    found = backwards.again(firsts)
    assert backwards.decoder.encodings <= PARTS_A_WINDOW * len(backwards.takes)
    assert len(found) <= len(backwards.takes)
    heard_in_vain = sum(bool(second[1]) for second in found.values())
    assert heard_in_vain <= PATIENCE or len(found) < len(backwards.takes)
