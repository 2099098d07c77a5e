"""The fields of OpenAI's audio API, each followed or refused by name.

https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dashboards.api import headerless_form
from dashboards.api.speaker_segments import DIARIZED
from dashboards.http.error_responses import bad_request
from dashboards.http.multipart import Form
from dashboards.http.request_options import OptionsForm
from dashboards.runtime import context
from dashboards.services import model_aliases
from storage.domain.errors import BadRequest
from storage.domain.records import Options

OPTIONS = ("language", "prompt", "temperature", "audio_track", "channels")
LISTS = ("timestamp_granularities", "keywords")
FIELDS = ("model", *OPTIONS, *LISTS, "response_format", "stream", "chunking_strategy", *headerless_form.FIELDS)
STREAMED = ("json", "text", DIARIZED)
BY_SAMPLE = "speakers are not recognised by samples; leave it out, and name them on the page of the recording"
NOT_OFFERED = {
    "include": "probabilities of tokens are not kept; leave it out, or take `avg_logprob` of verbose_json's segments",
    "languages": "send one `language`, or none to have it detected",
    "known_speaker_names": BY_SAMPLE,
    "known_speaker_references": BY_SAMPLE,
}
"""Parameters that OpenAI documents and this server cannot follow, and what to do instead."""


class Ask(BaseModel):
    """The fields of a request that say how it is answered."""

    model_config = ConfigDict(extra="forbid")

    stream: bool = False
    response_format: Literal["json", "text", "srt", "vtt", "verbose_json", "diarized_json"] = "json"
    timestamp_granularities: set[Literal["word", "segment"]] = Field({"segment"}, min_length=1)

    @property
    def diarizes(self) -> bool:
        return self.response_format == DIARIZED


def check_field(field: str, value: str) -> None:
    """Refuse a field as soon as it has arrived, usually before the recording.

    Raises:
        ModelNotFound: there is no such model.
        BadRequest: the parameter is unknown or cannot be followed; the message names it.
    """
    name = field.partition("[")[0]
    if name not in FIELDS and name not in NOT_OFFERED:
        raise BadRequest(field[:40] or "body", f"there is no such parameter; there are {', '.join(FIELDS)}")
    if name in NOT_OFFERED and value:
        raise BadRequest(name, NOT_OFFERED[name])
    if name == "chunking_strategy" and (field, value) not in {(name, ""), (name, "auto")}:
        raise BadRequest(name, "leave it out or send auto: speech is found in any case, without settings")
    if name == "model" and value:
        model_aliases.model_for(value)


def options_of(form: Form, task: str, *, diarize: bool = False) -> Options:
    """Return the options of the job.

    Raises:
        ModelNotFound, BadRequest: one is not valid; the message names it.
    """
    asked: dict[str, Any] = {"task": task, "model": model_aliases.model_for(form.first("model")), "diarize": diarize}
    asked |= {name: value for name in OPTIONS if (value := form.first(name))}
    asked |= {"hotwords": ", ".join(keywords)} if (keywords := _list(form, "keywords")) else {}
    try:
        return OptionsForm(**asked).options()
    except ValidationError as error:
        wrong = bad_request(error)
        raise BadRequest("keywords" if wrong.field == "hotwords" else wrong.field, wrong.problem) from error


def ask_of(form: Form, task: str) -> Ask:
    """Return how the request is to be answered.

    Raises:
        BadRequest: a field is not valid, or not together with another; the message names it.
    """
    granularities = _list(form, "timestamp_granularities")
    asked: dict[str, Any] = {name: value for name in ("stream", "response_format") if (value := form.first(name))}
    asked |= {"timestamp_granularities": granularities} if granularities else {}
    try:
        ask = Ask.model_validate(asked)
    except ValidationError as error:
        wrong = bad_request(error)
        raise BadRequest(wrong.field.partition(".")[0], wrong.problem) from error
    if ask.stream and ask.response_format not in STREAMED:
        raise BadRequest("stream", f"{ask.response_format} cannot be streamed; choose {' or '.join(STREAMED)}")
    if granularities and ask.response_format != "verbose_json":
        raise BadRequest("timestamp_granularities", "only verbose_json has times; choose it as response_format")
    if ask.diarizes and task != "transcribe":
        raise BadRequest("response_format", f"{DIARIZED} is for transcriptions, not for translations")
    if ask.diarizes and form.first("channels") != "split" and not context.workers().tell_speakers_apart():
        raise BadRequest("response_format", f"{DIARIZED} needs a worker that tells speakers apart, and none is here")
    return ask


def _list(form: Form, name: str) -> list[str]:
    """Return the values of a list, whose field clients send with brackets or without."""
    return [value for value in (*form.fields.get(f"{name}[]", ()), *form.fields.get(name, ())) if value]
