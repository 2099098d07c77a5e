"""A stock OpenAI client against `/v1`, with only its address and key changed."""

from collections.abc import Iterator

import openai
import pytest
import srt
import webvtt
from openai import OpenAI

from tests.acceptance.conftest import Stack
from tests.conftest import SAMPLE, TINY_MODEL

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[OpenAI]:
    """A client with the key of a user who has never logged in: an account for programs."""
    key = stack.key_of("programs")
    with OpenAI(base_url=f"{stack.url}/v1", api_key=key, max_retries=0) as made:
        yield made


def test_json_holds_the_words(client: OpenAI) -> None:
    with SAMPLE.open("rb") as recording:
        heard = client.audio.transcriptions.create(model="whisper-1", file=recording)

    assert "meeting" in heard.text


def test_text_srt_and_vtt_are_what_their_readers_expect(client: OpenAI) -> None:
    with SAMPLE.open("rb") as recording:
        as_srt = client.audio.transcriptions.create(model="whisper-1", file=recording, response_format="srt")
    with SAMPLE.open("rb") as recording:
        as_vtt = client.audio.transcriptions.create(model="whisper-1", file=recording, response_format="vtt")
    with SAMPLE.open("rb") as recording:
        as_text = client.audio.transcriptions.create(model="whisper-1", file=recording, response_format="text")

    assert "meeting" in as_text
    assert len(list(srt.parse(as_srt))) == len(webvtt.from_string(as_vtt).captions) >= 3


def test_verbose_json_has_words_with_times(client: OpenAI) -> None:
    with SAMPLE.open("rb") as recording:
        heard = client.audio.transcriptions.create(
            model="whisper-1",
            file=recording,
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )

    assert heard.language == "english"
    assert heard.words
    assert heard.segments
    starts = [word.start for word in heard.words]
    assert starts == sorted(starts)
    assert heard.words[-1].end <= heard.duration


def test_a_stream_has_the_same_text_in_parts(client: OpenAI) -> None:
    with SAMPLE.open("rb") as recording:
        stream = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=recording, stream=True)
    *deltas, done = stream

    assert done.type == "transcript.text.done"
    assert "meeting" in done.text
    assert "".join(each.delta for each in deltas if each.type == "transcript.text.delta") == done.text


def test_models_are_listed(client: OpenAI) -> None:
    assert TINY_MODEL.name in [model.id for model in client.models.list()]


def test_a_wrong_key_is_refused(stack: Stack) -> None:
    with (
        OpenAI(base_url=f"{stack.url}/v1", api_key="wt_wrong") as stranger,
        SAMPLE.open("rb") as recording,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.audio.transcriptions.create(model="whisper-1", file=recording)


def test_what_is_not_audio_is_refused_in_plain_words(client: OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client.audio.transcriptions.create(model="whisper-1", file=("notes.mp3", b"these are only words" * 100))

    assert refused.value.status_code == 415
    assert "not readable audio" in str(refused.value)
