"""Split channels: one speaker each, one clock, shared audio only once."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from storage.domain.records import CueLimits, Options, Plan, Segment, Span, SpanResult, Stretch, Transcript, Word
from storage.files.file_store import Files
from tasks.asr.confidence import NO_TEXT
from tasks.asr.engine import Engine
from tasks.assembly.review_findings import findings
from tasks.assembly.stitch import stitch
from tasks.audio.channels import ChannelComparison, as_wide
from tasks.audio.ingest import ingest, ingest_key
from tasks.exports.cues import cues
from tasks.exports.writers import export
from tasks.pipeline import transcribe_file
from tests.conftest import Clip
from tests.tasks.sounds import RATE_HZ, Samples, read_wav, silence, write_wav

SPLIT = Options(channels="split")


def bare(text: str) -> list[str]:
    return "".join(char for char in text.lower() if char.isalpha() or char == " ").split()


def placed(total_s: float, *parts: tuple[float, Samples]) -> Samples:
    """Return silence with sounds in it, each at its time."""
    sound = silence(total_s)
    for at_s, samples in parts:
        start = round(at_s * RATE_HZ)
        sound[start : start + len(samples)] = samples
    return sound


def write_channels(path: Path, *channels: Samples) -> Path:
    return write_wav(path, np.stack(channels, axis=1))


def cut(path: Path, files: Files, options: Options = SPLIT) -> Plan:
    return ingest(path, name=path.name, files=files, options=options)


def words_of(transcript: Transcript, speaker: str) -> list[Word]:
    return [word for segment in transcript.segments if segment.speaker == speaker for word in segment.words]


def test_two_channels_become_two_speakers(tmp_path: Path, engine: Engine, files: Files, speech: list[Clip]) -> None:
    first, second, third = speech[0], speech[4], speech[8]
    caller = placed(24.0, (1.0, read_wav(first.path)), (15.0, read_wav(third.path)))
    called = placed(24.0, (8.0, read_wav(second.path)))
    path = write_channels(tmp_path / "call.wav", caller, called)
    found = transcribe_file(path, engine=engine, files=files, options=SPLIT)
    said = {name: words_of(found, name) for name in ("Channel 1", "Channel 2")}
    assert bare(" ".join(word.text for word in said["Channel 1"])) == bare(f"{first.text} {third.text}")
    assert bare(" ".join(word.text for word in said["Channel 2"])) == bare(second.text)
    assert said["Channel 1"][0].start_s == pytest.approx(1.0 + first.words[0][1], abs=0.3)
    assert said["Channel 2"][0].start_s == pytest.approx(8.0 + second.words[0][1], abs=0.3)
    assert [segment.start_s for segment in found.segments] == sorted(segment.start_s for segment in found.segments)
    assert b"<v Channel 2>" in export(found, "vtt")


def test_simultaneous_speech_on_two_channels_is_transcribed(
    tmp_path: Path, engine: Engine, files: Files, speech: list[Clip]
) -> None:
    first, second = speech[0], speech[4]
    path = write_channels(
        tmp_path / "both.wav",
        placed(9.0, (1.0, read_wav(first.path))),
        placed(9.0, (1.2, read_wav(second.path))),
    )
    found = transcribe_file(path, engine=engine, files=files, options=SPLIT)
    shown = cues(found.segments, CueLimits())
    assert all(one.end_s <= two.start_s and one.end_s - one.start_s > 0.3 for one, two in pairwise(shown))
    for name, clip in (("Channel 1", first), ("Channel 2", second)):
        assert bare(" ".join(word.text for word in words_of(found, name))) == bare(clip.text)


def test_a_silent_channel_gives_nothing(tmp_path: Path, files: Files, speech: list[Clip]) -> None:
    sound = read_wav(speech[0].path)
    plan = cut(write_channels(tmp_path / "left.wav", sound, np.zeros_like(sound)), files)
    assert [span.channel for span in plan.spans] == [0]


def test_equal_channels_are_transcribed_once(tmp_path: Path, files: Files, speech: list[Clip]) -> None:
    sound = read_wav(speech[0].path)
    noise = np.random.default_rng(0).normal(0, 0.0005, len(sound)).astype(np.float32)
    plan = cut(write_channels(tmp_path / "same.wav", sound, -sound + noise), files)
    assert [span.channel for span in plan.spans] == [None]
    assert len(list(files.list("spans"))) == 1


def test_a_mono_recording_has_no_speakers(tmp_path: Path, files: Files, speech: list[Clip]) -> None:
    path = write_wav(tmp_path / "mono.wav", read_wav(speech[0].path))
    split, mixed = cut(path, files), cut(path, files, Options())
    assert split.spans == mixed.spans


def test_mixed_and_split_have_plans_of_their_own() -> None:
    assert ingest_key(SPLIT, 150.0) != ingest_key(Options(), 150.0)


def test_spans_are_numbered_over_all_channels_and_keep_their_silences(
    tmp_path: Path, files: Files, speech: list[Clip]
) -> None:
    clips = [np.concatenate([read_wav(clip.path), silence(1.0)]) for clip in speech]
    channels = [np.concatenate(clips[start:][:12]) for start in (0, 3)]
    length = min(map(len, channels))
    path = write_channels(tmp_path / "long.wav", *(channel[:length] for channel in channels))
    plan = ingest(path, name="long", files=files, options=SPLIT, span_max_s=20.0)
    assert [span.index for span in plan.spans] == list(range(len(plan.spans)))
    for channel in (0, 1):
        own = [span for span in plan.spans if span.channel == channel]
        assert len(own) > 1
        assert [span.start_s for span in own] == sorted(span.start_s for span in own)
        assert all(one.silence_after_s == two.silence_before_s for one, two in pairwise(own))


def heard(*words: tuple[float, float, str]) -> SpanResult:
    said = tuple(Word(start_s=start, end_s=end, text=f" {text}", probability=1.0) for start, end, text in words)
    segment = Segment(start_s=said[0].start_s, end_s=said[-1].end_s, text="".join(w.text for w in said), words=said)
    return SpanResult(
        segments=(segment,),
        language="en",
        model="m",
        fingerprint="f",
        engine="e",
        device="cpu",
        compute_type="int8",
        engine_s=1.0,
    )


def test_an_interjection_comes_where_the_other_pauses() -> None:
    spans = tuple(
        Span(
            index=index, start_s=0.0, end_s=9.0, samples_sha256="", channel=index, speech=(Stretch(start_s=0, end_s=9),)
        )
        for index in (0, 1)
    )
    plan = Plan(media_sha256="", duration_s=9.0, speech_s=9.0, spans=spans)
    talk = heard((0.0, 0.5, "Well"), (0.5, 1.0, "then"), (3.0, 3.5, "let"), (3.5, 4.0, "us"))
    found = stitch(plan, [talk, heard((1.5, 2.0, "Yes"))])
    assert [(turn.speaker, turn.text.strip()) for turn in found] == [
        ("Channel 1", "Well then"),
        ("Channel 2", "Yes"),
        ("Channel 1", "let us"),
    ]


def test_speech_without_text_is_found_though_the_other_talks_meanwhile() -> None:
    whole = (Stretch(start_s=0.0, end_s=9.0),)
    spans = tuple(
        Span(index=index, start_s=0.0, end_s=9.0, samples_sha256="", channel=index, speech=whole) for index in (0, 1)
    )
    plan = Plan(media_sha256="", duration_s=9.0, speech_s=18.0, spans=spans)
    talk = heard(*((second, second + 0.9, f"word{second}") for second in range(9)))
    found = findings(plan, stitch(plan, [talk, heard((0.0, 0.5, "Yes"))]))
    assert [(each.kind, round(each.start_s, 1)) for each in found] == [(NO_TEXT, 0.5)]


def test_channels_that_come_and_go_lose_nothing() -> None:
    two = np.array([[1, 2], [3, 4]], dtype=np.int16)
    assert as_wide(two, 3).tolist() == [[1, 2, 0], [3, 4, 0]]
    assert as_wide(np.array([[1, 2, 4]], dtype=np.int16), 2).tolist() == [[1, 3]]
    assert as_wide(two, 2) is two


def test_silent_channels_are_not_alike() -> None:
    likeness = ChannelComparison(2)
    likeness.look(np.zeros((100, 2), dtype=np.int16))
    assert likeness.different() == [0, 1]
