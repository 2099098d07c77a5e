"""Diarization with the real models, and speakers of words."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from storage.domain import names
from storage.domain.errors import SpeakersUnknown
from storage.domain.job_messages import text_of, texts_of
from storage.domain.records import Options, Plan, Segment, Span, Turn, Word
from storage.files.file_store import Files
from tasks.asr.base import DecodingStopped
from tasks.asr.engine import Engine
from tasks.audio.decode import Samples
from tasks.audio.ingest import ingest
from tasks.diarization import speaker_models
from tasks.diarization.speakers import LocalDiarizer, assign_speakers, diarize_recording, in_order_of_speech, write_pcm
from tasks.pipeline import transcribe_file
from tests.conftest import JFK, Assembly, Clip
from tests.tasks.sounds import RATE_HZ, decoded, silence, tone


def never() -> bool:
    return False


@pytest.fixture
def local(speaker_models_dir: Path) -> LocalDiarizer:
    return LocalDiarizer(model_dir=speaker_models_dir)


@pytest.fixture(scope="module")
def man() -> Samples:
    """Eleven seconds of John F. Kennedy, 1961."""
    return sound_of(JFK)


@pytest.fixture(scope="module")
def woman(speech: list[Clip]) -> Samples:
    """Nine seconds of another voice."""
    return np.concatenate([sound_of(clip.path) for clip in speech[:2]])


def sound_of(path: Path) -> Samples:
    return decoded(path)


@pytest.fixture
def kept(tmp_path: Path, files: Files) -> Callable[[Samples], Plan]:
    """Puts sound on storage as a span of which all is taken for speech."""

    def keep(sound: Samples) -> Plan:
        path = tmp_path / "span.flac"
        soundfile.write(path, sound, RATE_HZ, subtype="PCM_16")
        sha256 = hashlib.sha256(sound.tobytes()).hexdigest()
        files.write(names.span_name(sha256), path.read_bytes())
        length_s = len(sound) / RATE_HZ
        span = Span(index=0, start_s=0.0, end_s=length_s, samples_sha256=sha256)
        return Plan(media_sha256="m", duration_s=length_s, speech_s=length_s, spans=(span,))

    return keep


@pytest.fixture
def told(local: LocalDiarizer, kept: Callable[[Samples], Plan], files: Files) -> Callable[..., list[Turn]]:
    """Returns who speaks when in some sound."""

    def tell(sound: Samples, speakers: int | None = None) -> list[Turn]:
        return local.turns(files, kept(sound), speakers=speakers, should_stop=never)

    return tell


def noise(seconds: float) -> Samples:
    return (0.1 * np.random.default_rng(1).standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


def conversation(man: Samples, woman: Samples) -> Samples:
    """The man for 4.4 s, the woman from 5 to 11 s, the man again from 12 s on."""
    first, second = man[: round(4.5 * RATE_HZ)], woman[: 6 * RATE_HZ]
    return np.concatenate([first, silence(0.5), second, silence(1), man[5 * RATE_HZ :]])


@pytest.fixture
def talk(man: Samples, woman: Samples, tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    soundfile.write(path, conversation(man, woman), RATE_HZ)
    return path


def who_speaks_at(found: list[Turn], *moments_s: float) -> list[int | None]:
    return [next((t.speaker for t in found if t.start_s <= at_s <= t.end_s), None) for at_s in moments_s]


@pytest.mark.parametrize(("known", "gain_db"), [(None, -50), (2, 0)])
def test_two_voices_are_two_speakers_however_quiet_one_is(
    known: int | None, gain_db: int, told: Callable[..., list[Turn]], man: Samples, woman: Samples
) -> None:
    sound = conversation(man, (woman * 10 ** (gain_db / 20)).astype(np.float32))
    found = told(sound, known)
    assert {turn.speaker for turn in found} == {0, 1}
    assert who_speaks_at(found, 1.0, 4.0, 6.5, 9.7, 13.5, 17.5) == [0, 0, 1, 1, 0, 0]


def test_one_voice_is_one_speaker_though_it_turns_away(told: Callable[..., list[Turn]], man: Samples) -> None:
    quiet = (man[5 * RATE_HZ :] * 0.01).astype(np.float32)
    found = told(np.concatenate([man[: 5 * RATE_HZ], quiet]))
    assert {turn.speaker for turn in found} == {0}
    assert sum(turn.end_s - turn.start_s for turn in found) > 7


def test_two_seconds_of_speech_identify_a_speaker(told: Callable[..., list[Turn]], man: Samples) -> None:
    assert [turn.speaker for turn in told(man[RATE_HZ : 3 * RATE_HZ])] == [0]


@pytest.mark.parametrize("sound", [silence(20), noise(20), tone(20, hz=440), silence(0.05)])
def test_nobody_speaks_where_nobody_does(sound: Samples, told: Callable[..., list[Turn]]) -> None:
    assert told(sound) == []


def test_the_whole_recording_is_put_together_from_its_spans(tmp_path: Path, files: Files, speech: list[Clip]) -> None:
    plan = ingest(speech[0].path, name="talk", files=files, options=Options())
    write_pcm(files, plan, tmp_path / "all.pcm")
    whole, _ = soundfile.read(speech[0].path, dtype="float32")
    written = np.fromfile(tmp_path / "all.pcm", dtype="<i2").astype(np.float32) / 32768
    first, behind = (round(edge * RATE_HZ) for edge in (plan.spans[0].start_s, plan.spans[-1].end_s))
    assert len(written) == pytest.approx(len(whole), abs=2)
    assert np.abs(written[first : behind - 1] - whole[first : behind - 1]).max() < 0.001


def test_without_the_extra_a_note_says_what_to_install(
    tmp_path: Path, kept: Callable[[Samples], Plan], files: Files
) -> None:
    nothing = LocalDiarizer(model_dir=tmp_path, packages=("scipy", "a_package_that_is_not_installed"))
    found = diarize_recording(nothing, files, kept(silence(1)), Options(diarize=True), should_stop=never)
    assert found.turns == ()
    (note,) = texts_of(found.notes)
    assert note.startswith("speakers were not told apart: ")
    assert "pip install '.[diarize]'" in note


def test_where_the_models_cannot_be_had_a_note_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: Callable[[Samples], Plan], files: Files
) -> None:
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", str(tmp_path)), ("PIP_CONFIG_FILE", "/dev/null")):
        monkeypatch.setenv(name, value)
    nothing = LocalDiarizer(model_dir=tmp_path / "models")
    found = diarize_recording(nothing, files, kept(silence(1)), Options(diarize=True), should_stop=never)
    (note,) = texts_of(found.notes)
    assert "the models could not be fetched" in note
    assert not speaker_models.here(tmp_path / "models")


def test_a_process_that_dies_becomes_a_note(
    local: LocalDiarizer, kept: Callable[[Samples], Plan], files: Files
) -> None:
    dying = replace(local, process="tests.tasks.diarization.dying")
    found = diarize_recording(dying, files, kept(silence(1)), Options(diarize=True), should_stop=never)
    (note,) = texts_of(found.notes)
    assert "its process ended with status -9, most likely because memory ran out" in note


def test_a_model_that_cannot_be_loaded_becomes_a_note(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kept: Callable[[Samples], Plan], files: Files
) -> None:
    monkeypatch.setattr(speaker_models, "fetch", lambda _: tmp_path)  # where there is none
    nothing = LocalDiarizer(model_dir=tmp_path)
    found = diarize_recording(nothing, files, kept(silence(1)), Options(diarize=True), should_stop=never)
    (note,) = texts_of(found.notes)
    assert "segmentation.pt" in note
    assert "delete the folder `speakers`" in note


def test_it_stops_when_asked(local: LocalDiarizer, man: Samples, kept: Callable[[Samples], Plan], files: Files) -> None:
    with pytest.raises(DecodingStopped):
        local.turns(files, kept(man), speakers=None, should_stop=lambda: True)


def test_a_recording_that_would_take_too_long_is_not_begun(tmp_path: Path, files: Files) -> None:
    long = Plan(media_sha256="m", duration_s=7 * 3600.0, speech_s=1.0, spans=())
    with pytest.raises(SpeakersUnknown, match="longer than 6 hours"):
        LocalDiarizer(model_dir=tmp_path).turns(files, long, speakers=None, should_stop=never)


def test_a_transcript_names_its_speakers(
    engine: Engine, speech: list[Clip], assemble: Callable[..., Assembly], files: Files, local: LocalDiarizer
) -> None:
    path = assemble(speech[:2]).path
    plain = transcribe_file(path, engine=engine, files=files, options=Options(), diarizer=local)
    found = transcribe_file(path, engine=engine, files=files, options=Options(diarize=True), diarizer=local)
    assert {segment.speaker for segment in plain.segments} == {None}
    assert {segment.speaker for segment in found.segments} == {"Speaker 1"}
    assert found.text == plain.text
    assert found.given_up == plain.given_up


def test_a_transcript_is_there_without_speakers_too(
    engine: Engine, speech: list[Clip], files: Files, local: LocalDiarizer
) -> None:
    short, asked = replace(local, max_hours=0.0), Options(diarize=True)
    found = transcribe_file(speech[0].path, engine=engine, files=files, options=asked, diarizer=short)
    assert found.segments
    assert "longer than 0 hours" in text_of(found.given_up[-1])


def test_words_of_two_people_are_given_to_each(
    base_engine: Engine, local: LocalDiarizer, talk: Path, files: Files
) -> None:
    options = Options(diarize=True, language="en")
    found = transcribe_file(talk, engine=base_engine, files=files, options=options, diarizer=local)
    his = " ".join(segment.text for segment in found.segments if segment.speaker == "Speaker 1").lower()
    hers = " ".join(segment.text for segment in found.segments if segment.speaker == "Speaker 2").lower()
    assert "americans" in his
    assert "country" in his
    assert "country" not in hers
    assert len(hers.split()) > 8


def words(*times: tuple[float, float]) -> Segment:
    said = tuple(Word(start_s=a, end_s=b, text=f" w{n}", probability=1.0) for n, (a, b) in enumerate(times))
    return Segment(start_s=times[0][0], end_s=times[-1][1], text="".join(w.text for w in said).strip(), words=said)


def turns(*found: tuple[float, float, int]) -> list[Turn]:
    return [Turn(start_s=start, end_s=end, speaker=who) for start, end, who in found]


def test_a_segment_is_parted_where_the_speaker_changes() -> None:
    parted = assign_speakers([words((0, 1), (1, 2), (2, 3))], turns((0, 1.9, 0), (1.9, 3, 1)))
    assert [(each.speaker, each.text, each.start_s, each.end_s) for each in parted] == [
        ("Speaker 1", "w0 w1", 0, 2),
        ("Speaker 2", "w2", 2, 3),
    ]


def test_of_two_who_speak_at_once_the_one_who_spoke_before_goes_on() -> None:
    both = turns((0, 4, 0), (1, 4, 1))
    assert [each.speaker for each in assign_speakers([words((0, 1), (1, 2), (2, 3))], both)] == ["Speaker 1"]


def test_a_word_outside_every_turn_belongs_to_the_nearest() -> None:
    found = assign_speakers([words((0, 1)), words((4.8, 4.9)), words((9, 9.5))], turns((0, 1, 0), (5, 6, 1)))
    assert [each.speaker for each in found] == ["Speaker 1", "Speaker 2", "Speaker 2"]


def test_no_word_is_lost_and_a_speaker_that_is_known_stays() -> None:
    left = Segment(start_s=0, end_s=1, text="w", words=words((0, 1)).words, speaker="Left")
    assert assign_speakers([left], turns((0, 1, 0))) == (left,)
    many = [words(*[(n + k / 10, n + (k + 1) / 10) for k in range(10)]) for n in range(50)]
    parted = assign_speakers(many, turns(*[(n * 0.37, n * 0.37 + 0.3, n % 3) for n in range(150)]))
    assert [word for each in parted for word in each.words] == [word for each in many for word in each.words]


def test_speakers_are_counted_by_who_speaks_first() -> None:
    assert [turn.speaker for turn in in_order_of_speech(turns((5, 6, 0), (1, 2, 7), (3, 4, 0)))] == [0, 1, 1]
