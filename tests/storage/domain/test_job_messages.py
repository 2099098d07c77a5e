"""Messages of jobs: each code has words, survives storing, and old sentences stay as they are."""

import json
from typing import get_args

import pytest

from storage.domain import errors
from storage.domain.interruptions import CommandSilent, QueueDeleted, RunAbandoned, RunEnded, RunMissing, RunPostponed
from storage.domain.job_messages import (
    Cancelled,
    CrashedTooOften,
    Diarizing,
    DownloadingModel,
    HeldBack,
    JobMessage,
    JobPaused,
    LanePaused,
    MaintenancePause,
    ModelUnavailable,
    Raised,
    Reading,
    Requeued,
    Restored,
    RetryingModel,
    RunPaused,
    Sentence,
    TranscribedByCommand,
    WaitingForModel,
    WaitingForPrefect,
    WaitingForWorker,
    WaitingToRetry,
    decode,
    encode,
    for_audit,
    raised,
    text_of,
)
from storage.domain.text_timing_notes import TextNotTimed, TextTimed
from storage.domain.transcript_notes import (
    BreaksOff,
    ClockDrift,
    DamagedParts,
    DoubtedThroughout,
    OffsetRemoved,
    OtherLanguage,
    RanOnCpu,
    ScaledDown,
    SilentGap,
    SilentGaps,
    SmallerBatches,
    SmallerWeights,
    SoundsLike,
    SteppedDown,
    TrackChosen,
    TracksMixed,
)
from storage.domain.translation import speaking

SAID: dict[JobMessage, str] = {
    Sentence(text="reading: 2 min so far"): "reading: 2 min so far",
    WaitingForWorker(): "waiting for a worker",
    WaitingForModel(model="small"): "waiting for a worker to report model small",
    WaitingForModel(model=None): "waiting for a worker to report its model",
    RetryingModel(model="small"): "retrying model small",
    DownloadingModel(model="small", share=0.43): "downloading model small: 43%",
    DownloadingModel(model="/srv/models/small"): "downloading model small",
    WaitingForPrefect(): "waiting for the Prefect server",
    WaitingForPrefect(deployments=True): "waiting for the Prefect server to be told of the deployments",
    LanePaused(pool="cpu"): "paused in Prefect (pool cpu)",
    LanePaused(pool="gpu", queue="batch"): "paused in Prefect (queue batch of pool gpu)",
    HeldBack(each=3): "waiting for other recordings of its owner: at most 3 of one person are in progress at a time",
    MaintenancePause(reason="new disks"): "paused for maintenance: new disks",
    JobPaused(): "paused; resume it to go on",
    RunPaused(): "its flow run was paused in Prefect; resume the recording here to go on",
    QueueDeleted(): "its queue was deleted in Prefect",
    WaitingToRetry(every_s=60, cause="no storage"): "waiting: retrying every 1 min; no storage",
    Reading(read_s=120.0): "reading: 2 min so far",
    Diarizing(): "telling speakers apart",
    TranscribedByCommand(done_s=3, speech_s=40): "3 of 40 s transcribed by the command line",
    Cancelled(): "cancelled",
    Restored(): "restored",
    CommandSilent(): "the command that was transcribing it stopped reporting",
    RunMissing(): "Prefect no longer has its flow run",
    RunAbandoned(): "no worker is running its flow run",
    RunEnded(state="crashed"): "its flow run crashed without a result",
    RunEnded(state="failed", cause="no luck"): "its flow run failed without a result (no luck)",
    RunPostponed(cause="no storage"): "no storage",
    Requeued(reason=RunMissing()): "again: Prefect no longer has its flow run",
    CrashedTooOften(times=3, last=RunAbandoned()): "the work on this recording broke off 3 times (last: no worker is "
    "running its flow run); see the log of the workers and `transcriber doctor`, choose a smaller model if memory is "
    "short, then retry: the source is kept",
    ModelUnavailable(model="x", warning="the hub is gone"): "the hub is gone",
    ModelUnavailable(model="x"): str(errors.ModelMissing("x", "no worker could download it")),
    ModelUnavailable(model="x", downloaded=True): str(errors.ModelMissing("x", "its download failed")),
    Raised(error="EmptyUpload", args=("a.wav",)): str(errors.EmptyUpload("a.wav")),
    SilentGap(at_s=62.4, length_s=3.0): "the file has no sound for 3.0 s at 1:02",
    SilentGap(at_s=11.0, length_s=894.0): "the file has no sound for 14 min 54 s at 0:11",
    SilentGaps(count=4, length_s=0.4, first_s=1.0, last_s=90.0): "the file has 4 gaps without sound (0.4 s in all, "
    "from 0:01 to 1:30)",
    DamagedParts(count=1, reason="bad data"): "a damaged part of the file could not be read (bad data)",
    DamagedParts(count=2, reason="bad data"): "2 damaged parts of the file could not be read (bad data)",
    BreaksOff(there_s=4.0): "the file breaks off: its end is missing",
    BreaksOff(there_s=54.2, announced_s=4200.0): "the file breaks off: 54 s of the 1 h 10 min it announces are there",
    BreaksOff(there_s=4.0, announced_s=9.5): "the file breaks off: 4.0 s of the 9.5 s it announces are there",
    ClockDrift(share=0.021): "the sound runs 2.1% more slowly than the file's clock, and was stretched to fit it",
    ClockDrift(share=-0.05): "the sound runs 5.0% faster than the file's clock, and was squeezed to fit it",
    ScaledDown(peak_db=10.14): "the sound exceeds full scale by 10.1 dB, and was scaled down",
    OffsetRemoved(share=0.01): "the sound lies 1.0% of full scale off zero, as from a faulty sound card, and was moved "
    "back",
    DoubtedThroughout(unsure=30, words=60): "the model doubts 30 of 60 words",
    DoubtedThroughout(unsure=30, words=60, only_english=True): "the model doubts 30 of 60 words; it knows English "
    "alone: for another language, transcribe again with a multilingual model",
    TrackChosen(track=1, of=2): "the second of 2 audio tracks was transcribed; another one can be chosen",
    TrackChosen(
        track=8, of=9, about="eng", silent=(0, 1)
    ): "the 9th of 9 audio tracks was transcribed (eng), since the "
    "first and the second are silent; another one can be chosen",
    TracksMixed(count=4): "4 mono tracks of one recorder were transcribed together",
    SteppedDown(
        to=SmallerBatches(batch_size=4, usual=8), device="cuda:0"
    ): "cuda:0 had too little memory: batches of 4 windows instead of 8",
    SteppedDown(
        to=SmallerWeights(compute_type="int8", usual="float32")
    ): "a process died while transcribing this: int8 instead of float32",
    SteppedDown(
        to=RanOnCpu(usual="cuda:0"), device="cuda:0"
    ): "cuda:0 had too little memory: ran on the CPU instead of cuda:0",
    SoundsLike(language="de", model="tiny.en"): "it sounds like German, but model tiny.en knows only English: "
    "transcribe it again with a multilingual model",
    OtherLanguage(
        asked="de", used="en", model="tiny.en"
    ): "German was requested, English was transcribed: model tiny.en supports no other language",
    TextTimed(
        share=0.971, words=1200, timed=35
    ): "Aligned text: 97% of 1200 words heard as written, 35 timed from the sound",
    TextNotTimed(): "its run ended without a result; try again",
}


def test_every_code_has_an_example_here() -> None:
    assert {type(message) for message in SAID} == set(get_args(JobMessage))


@pytest.mark.parametrize(("message", "said"), SAID.items(), ids=[message.code for message in SAID])
def test_a_message_survives_storing_and_is_put_into_words(message: JobMessage, said: str) -> None:
    stored = encode(message)
    assert decode(stored) == message
    assert text_of(stored) == said


@pytest.mark.parametrize(
    "error",
    [
        errors.AudioUnreadable("a.wav", "no RIFF"),
        errors.NoSuchTrack("a.mkv", 3, ("English", "German")),
        errors.RecordingTooLong("a.wav", 30.25, 24),
        errors.TextDoesNotMatch(0.04),
        errors.SpanFailed("span 3", "the worker died", "out_of_device_memory"),
        errors.Unexpected("transcribe-recording", "KeyError('x')"),
    ],
)
def test_an_error_is_stored_by_class_and_arguments(error: errors.TranscriberError) -> None:
    stored = encode(raised(error))
    assert str(error) not in stored
    assert text_of(stored) == str(error)


def test_what_is_stored_is_said_in_the_readers_language() -> None:
    stored = [encode(TextNotTimed(sent=False)), encode(raised(errors.TextDoesNotMatch(0.04)))]
    assert text_of(stored[0]) == "it could not be sent to the workers; try again"
    with speaking("de"):
        unsent, refused = map(text_of, stored)
    assert unsent == "er konnte nicht an die Worker gesendet werden; versuchen Sie es noch einmal"
    assert refused.startswith("nur 4% der Wörter des Textes")


def test_an_error_with_other_arguments_is_stored_as_its_sentence() -> None:
    error = errors.Unexpected("here", object())  # type: ignore[arg-type]
    assert text_of(encode(raised(error))) == str(error)


@pytest.mark.parametrize(
    "stored",
    [
        "the storage was away; retry",
        "{braces} in a sentence",
        '{"code": "of_a_later_version", "n": 1}',
        '{"code": "reading", "read_s": "much"}',
        "[1]",
    ],
)
def test_what_is_no_message_is_shown_as_it_is(stored: str) -> None:
    assert text_of(stored) == stored
    assert for_audit(stored) == stored


@pytest.mark.parametrize(
    "stored",
    [
        '{"code": "raised", "error": "NoSuchError", "args": ["a"]}',
        '{"code": "raised", "error": "EmptyUpload", "args": []}',
        '{"code": "raised", "error": "RecordingTooLong", "args": ["a", "b", "c"]}',
        '{"code": "raised", "error": "PASSING", "args": ["a"]}',
    ],
)
def test_an_error_of_another_version_is_shown_by_name(stored: str) -> None:
    assert text_of(stored).split(":")[0] == json.loads(stored)["error"]


def test_no_message_has_no_words() -> None:
    assert [text_of(None), text_of("")] == ["", ""]


def test_an_audit_row_has_a_message_by_its_parts() -> None:
    assert for_audit(encode(RunEnded(state="crashed"))) == {"code": "run_ended", "state": "crashed", "cause": ""}
