"""The whole pipeline in one process: real speech, real engine, bad input."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from storage.domain.errors import AudioUnreadable, NoAudioTrack
from storage.domain.job_messages import text_of, texts_of
from storage.domain.records import Options, Plan
from storage.files.file_store import Files
from tasks.asr.base import DecodingStopped
from tasks.asr.engine import Engine
from tasks.exports.writers import export
from tasks.pipeline import Progress, TranscribedSpan, transcribe_file
from tests.conftest import Assembly, Clip
from tests.tasks.exports.test_transcript_json import VALIDATOR
from tests.tasks.sounds import Samples, read_wav, silence, tone, write_media, write_wav

Assemble = Callable[[Sequence[Clip]], Assembly]


@pytest.fixture
def talk(assemble: Assemble, speech: list[Clip]) -> Path:
    return assemble(speech[:5]).path


def test_a_recording_becomes_a_transcript(talk: Path, engine: Engine, files: Files) -> None:
    plans: list[Plan] = []
    heard: list[TranscribedSpan] = []
    steps: list[Progress] = []
    found = transcribe_file(
        talk,
        engine=engine,
        files=files,
        options=Options(),
        span_max_s=12.0,
        on_plan=plans.append,
        on_transcribed=heard.append,
        on_progress=steps.append,
    )
    assert found.text
    assert (found.model, found.language, found.name) == ("tiny-vocabulary.en", "en", talk.name)
    assert [each.span.index for each in sorted(heard, key=lambda each: each.span.index)] == list(
        range(len(plans[0].spans))
    )
    assert len(heard) >= 2
    assert steps[-1].transcribed_s == pytest.approx(plans[0].speech_s, rel=0.01)
    words = [word for segment in found.segments for word in segment.words]
    times = [edge for word in words for edge in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert times[-1] <= found.duration_s
    assert export(found, "srt").startswith(b"1\n00:00:")
    VALIDATOR.validate(json.loads(export(found, "json")))


def test_span_results_are_reused(talk: Path, engine: Engine, files: Files) -> None:
    first = transcribe_file(talk, engine=engine, files=files, options=Options())
    heard: list[TranscribedSpan] = []
    second = transcribe_file(talk, engine=engine, files=files, options=Options(), on_transcribed=heard.append)
    assert all(each.reused for each in heard)
    assert second == first
    third: list[TranscribedSpan] = []
    transcribe_file(talk, engine=engine, files=files, options=Options(beam_size=1), on_transcribed=third.append)
    assert not any(each.reused for each in third)


def test_a_stopped_recording_goes_on_where_it_was(talk: Path, engine: Engine, files: Files) -> None:
    done: list[TranscribedSpan] = []
    with pytest.raises(DecodingStopped):
        transcribe_file(
            talk,
            engine=engine,
            files=files,
            options=Options(),
            span_max_s=12.0,
            on_transcribed=done.append,
            should_stop=lambda: bool(done),
        )
    heard: list[TranscribedSpan] = []
    transcribe_file(talk, engine=engine, files=files, options=Options(), span_max_s=12.0, on_transcribed=heard.append)
    assert {each.result_name for each in done} <= {each.result_name for each in heard if each.reused}


@pytest.mark.parametrize("sound", [silence(20.0), tone(20.0)])
def test_where_nobody_speaks_the_transcript_is_empty_and_says_so(
    tmp_path: Path, engine: Engine, files: Files, sound: Samples
) -> None:
    found = transcribe_file(
        write_wav(tmp_path / "quiet.wav", sound),
        engine=engine,
        files=files,
        options=Options(),
    )
    assert found.text == ""
    assert [finding.kind for finding in found.findings] == ["no speech found"]


def test_a_truncated_recording_keeps_what_decoded(talk: Path, engine: Engine, files: Files) -> None:
    talk.write_bytes(talk.read_bytes()[: talk.stat().st_size // 2])
    found = transcribe_file(talk, engine=engine, files=files, options=Options())
    assert found.text
    assert "breaks off" in text_of(found.given_up[0])
    assert "damaged file" in [finding.kind for finding in found.findings]


def test_bad_input_ends_in_its_own_error(tmp_path: Path, engine: Engine, files: Files) -> None:
    letter = tmp_path / "letter.mp3"
    letter.write_text("Dear Sir or Madam, " * 100)
    with pytest.raises(AudioUnreadable):
        transcribe_file(letter, engine=engine, files=files, options=Options())
    mute = write_media(tmp_path / "mute.mp4", [], picture=True)
    with pytest.raises(NoAudioTrack):
        transcribe_file(mute, engine=engine, files=files, options=Options())


def test_a_name_that_climbs_writes_nothing_elsewhere(talk: Path, engine: Engine, files: Files, tmp_path: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "store")}
    found = transcribe_file(talk, engine=engine, files=files, options=Options(), name="../../evil.wav")
    after = {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "store")}
    assert found.name == "../../evil.wav"
    assert after == before


def test_an_unsupported_language_is_noted(talk: Path, engine: Engine, files: Files) -> None:
    found = transcribe_file(talk, engine=engine, files=files, options=Options(language="de"))
    assert found.language == "en"
    assert "German was requested, English was transcribed" in text_of(found.given_up[-1])


def test_a_constant_offset_changes_no_word_and_is_noted(
    talk: Path, tmp_path: Path, engine: Engine, files: Files
) -> None:
    sound = read_wav(talk) * 0.5
    level, moved = (
        transcribe_file(
            write_wav(tmp_path / f"{offset:g}.wav", sound + offset), engine=engine, files=files, options=Options()
        )
        for offset in (0.0, 0.01)
    )
    assert moved.text == level.text
    assert tuple(texts_of(moved.given_up)) == (
        "the sound lies 1.0% of full scale off zero, as from a faulty sound card, and was moved back",
    )
