"""Validated job options, shared by the upload page and both APIs."""

import re
from dataclasses import asdict
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.datastructures import QueryParams
from starlette.requests import Request

from dashboards.http.error_responses import bad_request
from storage.domain.errors import BadRequest, BadSetting, ModelCannot
from storage.domain.languages import ALSO_KNOWN_AS, NAMES
from storage.domain.model_names import MODEL_NAME, display_name, translates
from storage.domain.records import CueLimits, ExportFormat, Lane, Options

NO_SETTINGS = {"inline", "v", "download"}
"""Parameters that our pages add to file URLs, besides caption settings."""


def _known_language(code: str | None) -> str | None:
    if code is None or code.strip().lower() in {"", "auto"}:
        return None
    wanted = code.strip().lower().split("-")[0]
    wanted = ALSO_KNOWN_AS.get(wanted) or next((known for known, name in NAMES.items() if name == wanted), wanted)
    if wanted not in NAMES:
        raise ValueError(f"{code} is not a language code that the models know, such as en, de or ja")
    return wanted


def _model_name(name: str) -> str:
    if not re.fullmatch(MODEL_NAME, name):
        raise ValueError(
            f"{name!r} is no name of a model, such as base, large-v3 or owner/name; GET /v1/models lists them"
        )
    return name


class CueForm(BaseModel):
    """How subtitles are built and shown; lengths in characters, times in seconds."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    max_line_width: int = Field(42, ge=8, le=200, description="Characters per line; East Asian wide ones count twice.")
    max_line_count: int = Field(2, ge=1, le=6, description="Lines per subtitle.")
    min_duration_s: float = Field(5 / 6, ge=0, le=10, description="Shortest time on screen, if there is room.")
    max_duration_s: float = Field(7.0, ge=1, le=60, description="Longest time on screen.")
    max_chars_per_s: float = Field(20.0, ge=5, le=100, description="Reading speed, if there is room.")
    min_gap_s: float = Field(0.083, ge=0, le=2, description="Gap between subtitles, if there is room.")
    highlight_words: bool = Field(False, description="Highlight each word while it is spoken (SRT, VTT and ASS).")
    speakers: bool = Field(True, description="Name the speakers, if they are known.")
    byte_order_mark: bool = Field(False, description="Start text files with a byte order mark, for older programs.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_duration_s > self.max_duration_s:
            raise ValueError("min_duration_s must not be above max_duration_s")
        return self


class OptionsForm(BaseModel):
    """How a recording is transcribed; every default suits most recordings."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, AfterValidator(_model_name)] = Field(
        "auto", max_length=120, json_schema_extra={"pattern": MODEL_NAME}
    )
    language: Annotated[str | None, AfterValidator(_known_language)] = None
    task: Literal["transcribe", "translate"] = "transcribe"
    prompt: str | None = Field(None, max_length=2000)
    hotwords: str | None = Field(None, max_length=2000)
    beam_size: int = Field(5, ge=1, le=20)
    temperature: float = Field(0.0, ge=0, le=1)
    word_timestamps: bool = True
    audio_track: int | None = Field(
        None, ge=0, le=63, description="Which audio track of the file, from 0. Default: the one with sound."
    )
    channels: Literal["mix", "split"] = Field("mix", description="split: a transcript of each channel, as a speaker.")
    cues: CueForm = Field(default_factory=CueForm)
    diarize: bool = Field(
        False, description="Identify the speakers, if a worker can; the text is produced in any case."
    )
    speakers: int | None = Field(None, ge=1, le=50, description="Number of speakers, if known.")
    language_per_span: bool = Field(False, description="Detect the language; use a given one if uncertain.")
    formats: tuple[ExportFormat, ...] = Field(
        (), description="Files to write when the job ends; others are made on request."
    )

    @model_validator(mode="after")
    def _can_translate(self) -> "OptionsForm":
        if self.task == "translate" and self.model != "auto" and not translates(self.model):
            raise ValueError(str(ModelCannot(self.model, "translate")))
        return self

    @classmethod
    def showing(cls, options: Options) -> "OptionsForm":
        """Return the form for a job's options, without validation; a folder's model by its name."""
        shown = {"model": display_name(options.model), "cues": CueForm.model_construct(**asdict(options.cues))}
        return cls.model_construct(**asdict(options) | shown)

    def options(self) -> Options:
        """Return the options as a domain record."""
        values = self.model_dump(exclude={"cues"})
        values |= {"prompt": self.prompt or None, "hotwords": self.hotwords or None}
        values |= {"formats": tuple(dict.fromkeys(self.formats))}
        return Options(**values, cues=CueLimits(**self.cues.model_dump()))


def cues_from_query(asked: QueryParams, usual: CueLimits) -> CueLimits:
    """Read caption settings from a URL; omitted ones are the job's.

    Raises:
        BadSetting: one is unknown, repeated or out of range; the message names it.
    """
    given = [(name, value) for name, value in asked.multi_items() if name not in NO_SETTINGS]
    if not given:
        return usual
    for name, _ in given:
        if name not in CueForm.model_fields:
            raise BadSetting(name[:40], f"there is no such setting; there are {', '.join(CueForm.model_fields)}")
        if len(asked.getlist(name)) > 1:
            raise BadSetting(name, "it is given twice; leave one out")
    try:
        return CueLimits(**CueForm.model_validate(asdict(usual) | dict(given)).model_dump())
    except ValidationError as error:
        wrong = [str(one["loc"][0]) for one in error.errors() if one["loc"]]
        if not wrong:
            raise BadSetting("min_duration_s", "it must not be above max_duration_s") from error
        raise BadSetting(wrong[0], _range_of(wrong[0])) from error


def _range_of(setting: str) -> str:
    """Return the range of a caption setting in words."""
    field = CueForm.model_fields[setting]
    if field.annotation is bool:
        return "say true or false"
    lowest, highest = (getattr(limit, side) for limit, side in zip(field.metadata, ("ge", "le"), strict=True))
    return f"give {'a whole number' if field.annotation is int else 'a number'} from {lowest} to {highest}"


def options_from_json(text: str | None) -> Options:
    """Read options sent as JSON; without any, all defaults apply.

    Raises:
        BadRequest: a field is unknown or out of range; the message names it.
    """
    try:
        return (OptionsForm.model_validate_json(text) if text else OptionsForm()).options()
    except ValidationError as error:
        raise bad_request(error, within="options") from error


def idempotency_key(request: Request) -> str | None:
    """Return the request's idempotency key, in a namespace of its own."""
    key = request.headers.get("idempotency-key")
    return f"http:{key}" if key else None


def lane_from(text: str | None) -> Lane:
    """Read a lane's name; the default is interactive.

    Raises:
        BadRequest: there is no such lane.
    """
    try:
        return Lane(text or Lane.INTERACTIVE)
    except ValueError as error:
        raise BadRequest("lane", f"use one of {', '.join(Lane)}") from error
