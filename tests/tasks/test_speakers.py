"""Speakers: told apart by the real sherpa-onnx with two tiny models, and joined to the words."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from storage.errors import SpeakersUnknown
from storage.files import Files
from storage.records import Options, Plan, Segment, Span, Turn, Word
from tasks import speakers
from tasks.decode import Samples
from tasks.engine import Engine
from tasks.hearing import Stopped
from tasks.ingest import ingest
from tasks.speakers import Sherpa, find_voices, in_order_of_speech, told_apart, write_pcm
from tasks.transcribe import transcribe_file
from tests.conftest import Assembly, Clip
from tests.tasks.sounds import RATE_HZ, silence, tone

TINY = Path(__file__).parent / "tiny"
SHERPA = Sherpa(segmentation=TINY / "segmentation.onnx", embedding=TINY / "embedding.onnx")


def never() -> bool:
    return False


def low(seconds: float) -> Samples:
    found: Samples = (np.sign(tone(seconds, hz=150)) * 0.3).astype(np.float32)
    return found


def high(seconds: float) -> Samples:
    return tone(seconds, hz=3000)


@pytest.fixture
def conversation(tmp_path: Path, files: Files) -> Plan:
    """A low voice, a high one, and the low one again, as one span on storage."""
    sound = np.concatenate([silence(2), low(4), silence(2), high(4), silence(2), low(4), silence(2)])
    return kept(sound, tmp_path, files)


def kept(sound: Samples, folder: Path, files: Files) -> Plan:
    """Put the sound on storage as a span of which all is taken for speech."""
    import hashlib

    from storage import names

    path = folder / "span.flac"
    soundfile.write(path, sound, RATE_HZ, subtype="PCM_16")
    sha256 = hashlib.sha256(sound.tobytes()).hexdigest()
    files.write(names.span_name(sha256), path.read_bytes())
    length_s = len(sound) / RATE_HZ
    span = Span(index=0, start_s=0.0, end_s=length_s, samples_sha256=sha256)
    return Plan(media_sha256="m", duration_s=length_s, speech_s=length_s, spans=(span,))


@pytest.mark.parametrize("known", [None, 2])
def test_two_voices_are_two_speakers(known: int | None, conversation: Plan, files: Files) -> None:
    found = SHERPA.turns(files, conversation, speakers=known, should_stop=never)
    assert [turn.speaker for turn in found] == [0, 1, 0]
    starts_and_ends = [round(edge) for turn in found for edge in (turn.start_s, turn.end_s)]
    assert starts_and_ends == [2, 6, 8, 12, 14, 18]


def test_the_whole_recording_is_put_together_from_its_spans(tmp_path: Path, files: Files, speech: list[Clip]) -> None:
    plan = ingest(speech[0].path, name="talk", files=files, options=Options())
    write_pcm(files, plan, tmp_path / "all.pcm")
    whole, _ = soundfile.read(speech[0].path, dtype="float32")
    written = np.fromfile(tmp_path / "all.pcm", dtype="<i2").astype(np.float32) / 32768
    first, behind = (round(edge * RATE_HZ) for edge in (plan.spans[0].start_s, plan.spans[-1].end_s))
    assert len(written) == pytest.approx(len(whole), abs=2)
    assert np.abs(written[first : behind - 1] - whole[first : behind - 1]).max() < 0.001


@pytest.mark.parametrize(
    ("sherpa", "told"),
    [
        (Sherpa(segmentation=None, embedding=None), "set TRANSCRIBER_DIARIZE_SEGMENTATION_MODEL where recordings"),
        (Sherpa(segmentation=SHERPA.segmentation, embedding=Path("/no/voice.onnx")), "/no/voice.onnx is not there"),
        (Sherpa(segmentation=SHERPA.embedding, embedding=SHERPA.embedding), "want of memory or for a model of another"),
        (Sherpa(segmentation=Path(__file__), embedding=SHERPA.embedding), "check the two models"),
    ],
)
def test_what_is_missing_or_wrong_becomes_a_note(sherpa: Sherpa, told: str, conversation: Plan, files: Files) -> None:
    found = find_voices(sherpa, files, conversation, Options(diarize=True), should_stop=never)
    assert found.turns == ()
    assert found.notes[0].startswith("speakers were not told apart: ")
    assert told in found.notes[0]


def test_without_the_extra_the_note_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, conversation: Plan, files: Files
) -> None:
    monkeypatch.setattr(speakers, "PACKAGE", "sherpa_onnx_that_is_not_installed")
    with pytest.raises(SpeakersUnknown, match=r"pip install '\.\[diarize\]'"):
        SHERPA.turns(files, conversation, speakers=None, should_stop=never)


def test_it_stops_when_asked(conversation: Plan, files: Files) -> None:
    with pytest.raises(Stopped):
        SHERPA.turns(files, conversation, speakers=None, should_stop=lambda: True)


def test_a_recording_that_would_fill_the_memory_is_not_begun(files: Files) -> None:
    long = Plan(media_sha256="m", duration_s=7 * 3600.0, speech_s=1.0, spans=())
    with pytest.raises(SpeakersUnknown, match="longer than 6 hours"):
        SHERPA.turns(files, long, speakers=None, should_stop=never)


def test_a_transcript_names_its_speakers(
    engine: Engine, speech: list[Clip], assemble: Callable[..., Assembly], files: Files
) -> None:
    path = assemble(speech[:2]).path
    plain = transcribe_file(path, engine=engine, files=files, options=Options(), diarizer=SHERPA)
    found = transcribe_file(path, engine=engine, files=files, options=Options(diarize=True), diarizer=SHERPA)
    assert {segment.speaker for segment in plain.segments} == {None}
    assert found.segments[0].speaker == "Speaker 1"
    assert all(segment.speaker for segment in found.segments)
    assert found.text == plain.text
    assert found.given_up == plain.given_up


def test_a_transcript_is_there_without_speakers_too(engine: Engine, speech: list[Clip], files: Files) -> None:
    nothing = Sherpa(segmentation=None, embedding=None)
    found = transcribe_file(speech[0].path, engine=engine, files=files, options=Options(diarize=True), diarizer=nothing)
    assert found.segments
    assert "no segmentation model is named" in found.given_up[-1]


def words(*times: tuple[float, float]) -> Segment:
    said = tuple(Word(start_s=a, end_s=b, text=f" w{n}", probability=1.0) for n, (a, b) in enumerate(times))
    return Segment(start_s=times[0][0], end_s=times[-1][1], text="".join(w.text for w in said).strip(), words=said)


def turns(*found: tuple[float, float, int]) -> list[Turn]:
    return [Turn(start_s=start, end_s=end, speaker=who) for start, end, who in found]


def test_a_segment_is_parted_where_the_speaker_changes() -> None:
    parted = told_apart([words((0, 1), (1, 2), (2, 3))], turns((0, 1.9, 0), (1.9, 3, 1)))
    assert [(each.speaker, each.text, each.start_s, each.end_s) for each in parted] == [
        ("Speaker 1", "w0 w1", 0, 2),
        ("Speaker 2", "w2", 2, 3),
    ]


def test_of_two_who_speak_at_once_the_one_who_spoke_before_goes_on() -> None:
    both = turns((0, 4, 0), (1, 4, 1))
    assert [each.speaker for each in told_apart([words((0, 1), (1, 2), (2, 3))], both)] == ["Speaker 1"]


def test_a_word_outside_every_turn_belongs_to_the_nearest() -> None:
    found = told_apart([words((0, 1)), words((4.8, 4.9)), words((9, 9.5))], turns((0, 1, 0), (5, 6, 1)))
    assert [each.speaker for each in found] == ["Speaker 1", "Speaker 2", "Speaker 2"]


def test_no_word_is_lost_and_a_speaker_that_is_known_stays() -> None:
    left = Segment(start_s=0, end_s=1, text="w", words=words((0, 1)).words, speaker="Left")
    assert told_apart([left], turns((0, 1, 0))) == (left,)
    many = [words(*[(n + k / 10, n + (k + 1) / 10) for k in range(10)]) for n in range(50)]
    parted = told_apart(many, turns(*[(n * 0.37, n * 0.37 + 0.3, n % 3) for n in range(150)]))
    assert [word for each in parted for word in each.words] == [word for each in many for word in each.words]


def test_speakers_are_counted_by_who_speaks_first() -> None:
    assert [turn.speaker for turn in in_order_of_speech(turns((5, 6, 0), (1, 2, 7), (3, 4, 0)))] == [0, 1, 1]
