"""Language detection over several spans, with multilingual models only."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faster_whisper.tokenizer import Tokenizer

from storage.domain.errors import BadRequest, ModelCannot
from storage.domain.records import LanguageGuess, Options, Plan, Segment, Span, SpanResult, Stretch
from storage.files.file_store import Files
from tasks.asr.base import Capabilities
from tasks.asr.engine import Engine
from tasks.asr.language import SpokenLanguage, recording_language, requested_language, spans_to_redecode, together
from tasks.asr.prompt import fitting, prompt_tokens
from tasks.audio.decode import Decoding, Ints
from tasks.models.catalogue import Resolved, fingerprint, is_multilingual
from tasks.pipeline import assemble_transcript, transcribe_file
from tests.conftest import Assembly, Clip
from tests.tasks.babel import write_model
from tests.tasks.sounds import read_wav, tone
from tests.waiting import PATIENCE_S


@pytest.fixture(scope="session")
def babel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine that takes all speech for German, and understands none."""
    folder = write_model(tmp_path_factory.mktemp("models") / "babel", answers="de")
    with Engine.loaded(Resolved(name="babel", path=folder, fingerprint=fingerprint(folder))) as engine:
        yield engine


def heard(language: str, *segments: str, **probable: float) -> SpanResult:
    """What a span gave: its language, those of its segments, and how probable which ones were; none: it was told."""
    guesses = sorted(probable.items(), key=lambda pair: -pair[1])
    return SpanResult(
        segments=tuple(Segment(start_s=0, end_s=1, text="x", language=each) for each in segments or (language,)),
        language=language,
        languages=tuple(LanguageGuess(language=name, probability=share) for name, share in guesses),
        model="m",
        fingerprint="f",
        engine="e",
        device="cpu",
        compute_type="int8",
        engine_s=0.1,
    )


def plan_of(*speech_s: float) -> Plan:
    spans = tuple(
        Span(
            index=index,
            start_s=100.0 * index,
            end_s=100.0 * index + 90,
            samples_sha256=f"{index:064d}",
            speech=(Stretch(start_s=100.0 * index, end_s=100.0 * index + length_s),),
        )
        for index, length_s in enumerate(speech_s)
    )
    return Plan(media_sha256="m", duration_s=100.0 * len(spans), speech_s=sum(speech_s), spans=spans)


def test_a_multilingual_model_is_known_without_loading_it(babel: Engine, engine: Engine) -> None:
    for each in (babel, engine):
        assert is_multilingual(each.resolved.path) is each.model.model.is_multilingual is each.capabilities.multilingual
    assert babel.capabilities.multilingual
    assert not engine.capabilities.multilingual


def test_a_recording_says_which_language_was_found(babel: Engine, speech: list[Clip], files: Files) -> None:
    quick = Options(beam_size=1)
    found = transcribe_file(speech[0].path, engine=babel, files=files, options=quick)
    assert found.language == "de"
    assert found.language_probability is not None


def test_a_language_that_was_given_is_not_looked_for(babel: Engine, speech: list[Clip], files: Files) -> None:
    found = transcribe_file(speech[0].path, engine=babel, files=files, options=Options(beam_size=1, language="es"))
    assert (found.language, found.language_probability) == ("es", None)


def test_a_language_that_does_not_exist_is_refused(babel: Engine) -> None:
    with pytest.raises(BadRequest, match="does not support xx"):
        babel.transcribe(tone(1.0), options=Options(), language="xx")


def test_a_jingle_in_another_language_does_not_decide() -> None:
    jingle, talk = {"en": 0.97, "de": 0.02}, {"de": 0.9, "nl": 0.08}
    found = together([jingle, talk, talk, talk], [30.0, 30.0, 28.0, 25.0])
    assert found.language == "de"
    assert found.probability == pytest.approx(0.67, abs=0.01)
    assert found.others[0].language == "en"


def test_music_and_scraps_of_sound_decide_little() -> None:
    music = dict.fromkeys(("en", "ja", "ko", "la", "zh", "cy", "ru", "fr", "es", "pt"), 0.1)
    assert together([music, music, {"fi": 0.8, "et": 0.2}], [30.0, 30.0, 30.0]).language == "fi"
    assert together([{"en": 0.99}, {"fi": 0.9}], [1.0, 20.0]).language == "fi"


@pytest.mark.parametrize(
    ("asked", "multilingual", "told"),
    [
        (Options(), True, None),
        (Options(language="de"), True, "de"),
        (Options(language="de", language_per_span=True), True, None),
        (Options(language="de"), False, "en"),
        (Options(), False, "en"),
    ],
)
def test_the_requested_language_is_used_unless_it_is_detected(
    asked: Options, multilingual: bool, told: str | None
) -> None:
    assert requested_language(asked, Capabilities(model="m", multilingual=multilingual)) == told


def test_a_recordings_language_is_the_likeliest_over_its_speech() -> None:
    jingle, talk = heard("en", en=0.97, de=0.02), heard("de", de=0.9, nl=0.08)
    found = recording_language(plan_of(30.0, 60.0, 10.0), [jingle, talk, talk])
    assert found.language == "de"
    assert found.probability == pytest.approx(0.636)
    assert [guess.language for guess in found.others] == ["en", "nl"]


def test_a_requested_language_is_the_recordings_without_a_probability() -> None:
    found = recording_language(plan_of(1.0, 0.0), [heard("es"), heard("es")], given="es")
    assert found == SpokenLanguage(language="es")


def test_an_english_only_model_always_transcribes_english() -> None:
    assert recording_language(plan_of(5.0), [heard("en")], given="de") == SpokenLanguage(language="en")


def test_a_recording_without_speech_is_in_the_language_that_was_given() -> None:
    nothing = plan_of()
    assert [recording_language(nothing, [], given=each).language for each in ("fi", None)] == ["fi", "en"]


def test_a_span_of_uncertain_language_is_decoded_again_in_the_recordings() -> None:
    results = [heard("de", de=0.95), heard("nn", nn=0.4, da=0.3), heard("en", en=0.9), heard("de", de=0.5)]
    again = spans_to_redecode(plan_of(9.0, 9.0, 9.0, 9.0), results, SpokenLanguage(language="de"))
    assert [span.index for span in again] == [1]


def test_a_span_in_several_languages_is_as_sure_as_all_of_them_together() -> None:
    mixed, muddle = heard("es", "es", "pt", es=0.5, pt=0.45), heard("es", "es", "pt", es=0.3, pt=0.2)
    again = spans_to_redecode(plan_of(9.0, 9.0), [mixed, muddle], SpokenLanguage(language="en"))
    assert [span.index for span in again] == [1]


def test_a_span_with_a_requested_language_is_not_decoded_again() -> None:
    assert spans_to_redecode(plan_of(9.0), [heard("en")], SpokenLanguage(language="de")) == []


@pytest.mark.parametrize(
    ("results", "named"),
    [
        ([heard("de", de=0.9), heard("de")], [None, None]),
        ([heard("de", de=0.9), heard("en", en=0.9)], ["de", "en"]),
        ([heard("en", en=0.9), heard("en", en=0.9)], ["en", "en"]),
    ],
    ids=["one", "two", "another than was given"],
)
def test_segments_name_their_language_where_it_is_not_always_the_recordings(
    results: list[SpanResult], named: list[str | None]
) -> None:
    plan, spoken = plan_of(9.0, 9.0), SpokenLanguage(language="de")
    found = assemble_transcript(
        plan,
        results,
        job_id="j",
        name="n",
        model="m",
        fingerprint="f",
        engine_version="e",
        spoken=spoken,
        options=Options(),
    )
    assert [segment.language for segment in found.segments] == named


@pytest.mark.parametrize(("certain", "heard_in"), [(12.0, "de"), (0.2, "es")])
def test_a_span_of_uncertain_language_is_decoded_in_the_requested_one(
    certain: float, heard_in: str, speech: list[Clip], files: Files, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "babel", answers="de", certain=certain)
    asked = Options(beam_size=1, language="es", language_per_span=True)
    told: list[str] = []
    with Engine.loaded(Resolved(name="babel", path=folder, fingerprint=fingerprint(folder))) as unsure:
        found = transcribe_file(
            speech[0].path,
            engine=unsure,
            files=files,
            options=asked,
            on_transcribed=lambda each: told.append(each.result.language),
        )
    assert told[-1] == heard_in
    assert found.language == "es"


def test_detection_does_not_delay_transcription_until_all_is_read(
    babel: Engine,
    speech: list[Clip],
    assemble: Callable[..., Assembly],
    files: Files,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first_heard = threading.Event()
    blocks = Decoding.blocks

    def slow(self: Decoding) -> Iterator[Ints]:
        for number, block in enumerate(blocks(self)):
            assert number < 6 or first_heard.wait(PATIENCE_S), "nothing was heard"
            yield block

    monkeypatch.setattr(Decoding, "blocks", slow)
    found = transcribe_file(
        assemble(speech * 2, pause_s=1.0).path,
        engine=babel,
        files=files,
        options=Options(beam_size=1),
        span_max_s=20.0,
        on_transcribed=lambda _: first_heard.set(),
    )
    assert found.language == "de"
    assert {segment.language for segment in found.segments} <= {None}


def test_a_model_of_one_language_translates_nothing(engine: Engine, speech: list[Clip]) -> None:
    with pytest.raises(ModelCannot, match=r"model tiny-vocabulary\.en cannot translate; choose a multilingual one"):
        engine.transcribe(read_wav(speech[0].path), options=Options(task="translate"))


def test_prompt_and_hotwords_reach_the_model(babel: Engine, speech: list[Clip], tmp_path: Path) -> None:
    told = Options(beam_size=1, prompt="t1 t2", hotwords="t3", task="translate")
    assert babel.transcribe(read_wav(speech[0].path), options=told, language="de").language == "de"


def test_prompt_and_hotwords_leave_room_for_an_answer(babel: Engine, speech: list[Clip]) -> None:
    """Each of the two alone takes half of the decoder's context; together they would fill it."""
    prompt, hotwords = "a " * 900, ", ".join(f"t{number}" for number in range(300))
    tokenizer = Tokenizer(babel.model.hf_tokenizer, True, task="transcribe", language="de")
    told = prompt_tokens(babel.model, tokenizer, prompt=prompt, hotwords=hotwords)
    assert 200 < len(told) <= babel.model.max_length // 2 + 5
    options = Options(beam_size=1, prompt=prompt, hotwords=hotwords)
    assert babel.transcribe(read_wav(speech[0].path), options=options, language="de").language == "de"


def test_hotwords_without_room_are_left_out_whole(babel: Engine) -> None:
    tokenizer = Tokenizer(babel.model.hf_tokenizer, True, task="transcribe", language="de")
    room = len(tokenizer.encode(" one, two"))
    assert fitting(tokenizer, "one, two, three, six", room) == ("one, two", room)
    assert fitting(tokenizer, "one, immeasurable, two", room) == ("one, two", room)
    assert fitting(tokenizer, " one,two ", room) == ("one,two", room - 1)
