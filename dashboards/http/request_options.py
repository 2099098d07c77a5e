"""What callers may ask of a job, checked: the same fields for the page's uploads and both APIs."""

from dataclasses import asdict
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.datastructures import QueryParams

from dashboards.answers import bad_request
from dashboards.languages import NAMES
from storage.abilities import translates
from storage.errors import BadRequest, BadSetting, ModelCannot
from storage.records import CueLimits, ExportFormat, Lane, Options

NO_SETTINGS = {"inline", "v", "download"}
"""What our own pages add to addresses of files, beside caption settings."""


def _known_language(code: str | None) -> str | None:
    if code is None or code.strip().lower() in {"", "auto"}:
        return None
    wanted = code.strip().lower().split("-")[0]
    wanted = next((known for known, name in NAMES.items() if name == wanted), wanted)
    if wanted not in NAMES:
        raise ValueError(f"{code} is not a language code that the models know, such as en, de or ja")
    return wanted


class CueForm(BaseModel):
    """How subtitles are built and shown; lengths in characters, times in seconds."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    max_line_width: int = Field(42, ge=8, le=200, description="Characters a line; East Asian wide ones count twice.")
    max_line_count: int = Field(2, ge=1, le=6, description="Lines a subtitle.")
    min_duration_s: float = Field(5 / 6, ge=0, le=10, description="Shortest time on screen, where there is room.")
    max_duration_s: float = Field(7.0, ge=1, le=60, description="Longest time on screen.")
    max_chars_per_s: float = Field(20.0, ge=5, le=100, description="Reading speed, where there is room.")
    min_gap_s: float = Field(0.083, ge=0, le=2, description="Pause between subtitles, where there is room.")
    highlight_words: bool = Field(False, description="Mark each word while it is spoken (SRT and VTT).")
    speakers: bool = Field(True, description="Say who speaks, where that is known.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_duration_s > self.max_duration_s:
            raise ValueError("min_duration_s must not be above max_duration_s")
        return self


class OptionsForm(BaseModel):
    """How a recording is heard; every field has a default that suits most recordings."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field("auto", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$", max_length=120)
    language: Annotated[str | None, AfterValidator(_known_language)] = None
    task: Literal["transcribe", "translate"] = "transcribe"
    prompt: str | None = Field(None, max_length=2000)
    hotwords: str | None = Field(None, max_length=2000)
    beam_size: int = Field(5, ge=1, le=20)
    temperature: float = Field(0.0, ge=0, le=1)
    word_timestamps: bool = True
    audio_track: int = Field(0, ge=0, le=63, description="Which audio track of the file, from 0.")
    channels: Literal["mix", "split"] = Field("mix", description="split: a transcript of each channel, as a speaker.")
    cues: CueForm = Field(default_factory=CueForm)
    diarize: bool = Field(False, description="Tell speakers apart, where a worker can; the text comes in any case.")
    speakers: int | None = Field(None, ge=1, le=50, description="How many speakers there are, if that is known.")
    language_per_span: bool = Field(False, description="Find out the language; a given one where unsure.")
    formats: tuple[ExportFormat, ...] = Field(
        (), description="Files to write when the job ends; others are made when they are asked for."
    )

    @model_validator(mode="after")
    def _can_translate(self) -> "OptionsForm":
        if self.task == "translate" and self.model != "auto" and not translates(self.model):
            raise ValueError(str(ModelCannot(self.model, "translate")))
        return self

    @classmethod
    def showing(cls, options: Options) -> "OptionsForm":
        """Return the form that a job's options would have come from, unchecked: a folder may be a model's name."""
        return cls.model_construct(**asdict(options) | {"cues": CueForm.model_construct(**asdict(options.cues))})

    def options(self) -> Options:
        """Return the domain's record."""
        values = self.model_dump(exclude={"cues"})
        values |= {"prompt": self.prompt or None, "hotwords": self.hotwords or None}
        values |= {"formats": tuple(dict.fromkeys(self.formats))}
        return Options(**values, cues=CueLimits(**self.cues.model_dump()))


def cues_from_query(asked: QueryParams, usual: CueLimits) -> CueLimits:
    """Read caption settings out of an address; what it leaves out is as usual for the job.

    Raises:
        BadSetting: one is unknown, given twice, or out of its range; the message names it.
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
    """Return in words what a caption setting can be."""
    field = CueForm.model_fields[setting]
    if field.annotation is bool:
        return "say true or false"
    lowest, highest = (getattr(limit, side) for limit, side in zip(field.metadata, ("ge", "le"), strict=True))
    return f"give {'a whole number' if field.annotation is int else 'a number'} from {lowest} to {highest}"


def options_from_json(text: str | None) -> Options:
    """Read options sent as JSON; none at all means all defaults.

    Raises:
        BadRequest: a field is unknown or out of its range; the message names it.
    """
    try:
        return (OptionsForm.model_validate_json(text) if text else OptionsForm()).options()
    except ValidationError as error:
        raise bad_request(error, within="options") from error


def lane_from(text: str | None) -> Lane:
    """Read a lane's name; none means interactive.

    Raises:
        BadRequest: there is no such lane.
    """
    try:
        return Lane(text or Lane.INTERACTIVE)
    except ValueError as error:
        raise BadRequest("lane", f"use one of {', '.join(Lane)}") from error
