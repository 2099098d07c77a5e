"""Every voice in the room, with real Whisper models: quiet beside loud, turned away, another language, one clicking.

`speech/es.flac` is espeak-ng's Spanish voice: "Buenos días, me llamo Carlos y vivo en Madrid con mi familia."
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from storage.domain.records import Options, SpanResult
from tasks.asr.engine import Engine
from tasks.audio.decode import Samples
from tests.conftest import JFK, JFK_TEXT, Clip
from tests.tasks.sounds import RATE_HZ, decoded, read_wav, silence, tone

SPANISH = Path(__file__).parents[1] / "speech" / "es.flac"


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def text_of(heard: SpanResult) -> str:
    return " ".join(segment.text for segment in heard.segments)


def missing(said: str, heard: str) -> list[str]:
    """Return the words of a text that are not heard, however often each was said."""
    left = Counter(words(said)) - Counter(words(heard))
    return sorted(left.elements())


def quieter(sound: Samples, db: float) -> Samples:
    """Return the sound so many decibels quieter, as 16 bits keep it."""
    found: Samples = (np.rint(sound * 10 ** (-db / 20) * 32768) / 32768).astype(np.float32)
    return found


@pytest.fixture(scope="module")
def kennedy() -> Samples:
    """The clip at a tenth of full scale, 11 s."""
    samples = decoded(JFK)
    level = float(np.sqrt(np.mean(samples**2)))
    return np.asarray((samples * (0.1 / level)).clip(-1, 1), dtype=np.float32)


@pytest.fixture(scope="module")
def kennedys_words() -> str:
    return JFK_TEXT


@pytest.fixture(scope="module")
def spanish() -> Samples:
    samples, _ = soundfile.read(SPANISH, dtype="float32")
    return np.asarray(samples, dtype=np.float32)


@pytest.mark.parametrize("db", [30, 50])
def test_a_quiet_voice_beside_loud_ones_loses_no_sentence(
    db: int, tiny_en_engine: Engine, kennedy: Samples, kennedys_words: str, speech: list[Clip]
) -> None:
    loud = read_wav(speech[0].path)
    pcm = np.concatenate([loud, silence(0.5), quieter(kennedy, db), silence(0.5), loud])
    heard = tiny_en_engine.transcribe(pcm, options=Options())
    assert len(missing(kennedys_words, text_of(heard))) <= 3  # of 22: "American asked" for "Americans, ask"
    assert heard.untranscribed == ()


def test_a_speaker_who_turns_away_in_mid_sentence_is_transcribed(
    tiny_en_engine: Engine, kennedy: Samples, kennedys_words: str
) -> None:
    half = len(kennedy) // 2
    pcm = np.concatenate([kennedy[:half], quieter(kennedy[half:], 35)])
    assert missing(kennedys_words, text_of(tiny_en_engine.transcribe(pcm, options=Options()))) == []


def test_a_click_of_full_scale_lowers_no_voice(tiny_en_engine: Engine, kennedy: Samples, kennedys_words: str) -> None:
    pcm = np.concatenate([silence(1.0), quieter(kennedy, 35), silence(1.0)])
    for at_s in (0.5, 5.0, 12.5):
        pcm[round(at_s * RATE_HZ)] = 1.0
    assert missing(kennedys_words, text_of(tiny_en_engine.transcribe(pcm, options=Options()))) == []


def test_each_utterance_is_written_in_its_own_language(
    base_engine: Engine, kennedy: Samples, kennedys_words: str, spanish: Samples
) -> None:
    pcm = np.concatenate([kennedy, silence(0.6), spanish, silence(0.6), kennedy])
    heard = base_engine.transcribe(pcm, options=Options())
    borders_s = (len(kennedy) / RATE_HZ, (len(kennedy) + len(spanish)) / RATE_HZ + 0.6)
    for segment in heard.segments:
        in_spanish = borders_s[0] < (segment.start_s + segment.end_s) / 2 < borders_s[1]
        assert segment.language == ("es" if in_spanish else "en"), segment.text
    assert missing(f"{kennedys_words} {kennedys_words} madrid familia", text_of(heard)) == []
    assert {guess.language for guess in heard.languages[:2]} == {"en", "es"}


def test_a_language_that_was_given_is_obeyed_and_doubted(base_engine: Engine, kennedy: Samples) -> None:
    heard = base_engine.transcribe(kennedy, options=Options(), language="es")
    assert {segment.language for segment in heard.segments} == {"es"}
    assert [(each.language, each.probability > 0.9) for each in heard.mismatches] == [("en", True)]


def test_many_short_sentences_in_a_row_all_have_text(base_engine: Engine, speech: list[Clip]) -> None:
    clips = speech[:9]
    pcm = np.concatenate([read_wav(clip.path) for clip in clips])
    heard = base_engine.transcribe(pcm, options=Options(), language="en")
    begin_s = 0.0
    for clip in clips:
        end_s = begin_s + len(read_wav(clip.path)) / RATE_HZ
        inside = [w for s in heard.segments for w in s.words if begin_s <= (w.start_s + w.end_s) / 2 <= end_s]
        assert len(inside) >= len(clip.words) // 2, clip.text
        begin_s = end_s
    assert heard.untranscribed == ()


@pytest.mark.parametrize("kind", ["silence", "noise", "tone", "chords", "click"])
def test_no_text_is_invented_where_nobody_speaks(kind: str, tiny_en_engine: Engine) -> None:
    noise = np.random.default_rng(7).standard_normal(20 * RATE_HZ).astype(np.float32)
    click = silence(20.0)
    click[RATE_HZ] = 1.0
    sound = {
        "silence": silence(20.0),
        "noise": 0.01 * noise,
        "tone": tone(20.0),
        "chords": tone(20.0, 262.0, level=0.1) + tone(20.0, 330.0, level=0.1) + tone(20.0, 392.0, level=0.1),
        "click": click,
    }[kind]
    assert tiny_en_engine.transcribe(sound, options=Options()).segments == ()
