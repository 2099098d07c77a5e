"""The bodies of `/api/v1`, as its OpenAPI page shows them."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from dashboards.http.request_options import OptionsForm
from storage.domain.job_messages import text_of, texts_of
from storage.domain.model_names import display_name
from storage.domain.recording_names import MAX_NAME_CHARS
from storage.domain.records import ExportFormat, Job, JobState, Lane, Segment
from storage.domain.tags import MAX_TAG_CHARS, MAX_TAGS

TAGS = f"at most {MAX_TAGS} of 1 to {MAX_TAG_CHARS} characters; case makes no difference"


class JobBody(BaseModel):
    """A recording and its state; times in seconds."""

    id: str
    name: str = Field(description="The recording's name: the file's, or what it was renamed to.")
    tags: list[str]
    metadata: dict[str, str] = Field(description="What came with the file: from a form, or a row of a manifest.")
    owner_id: str
    state: JobState
    lane: Lane
    options: OptionsForm
    progress: float = Field(description="Fraction of the speech that is transcribed, 0 to 1.")
    held: bool = Field(description="Whether it is paused, until somebody resumes it.")
    detail: str = Field(description="What the job is doing or waiting for.")
    error: str | None = Field(description="What happened and what to do, if the job has failed.")
    attempt: int
    media_sha256: str
    media_bytes: int
    duration_s: float | None
    speech_s: float | None
    language: str | None
    model: str | None = Field(description="The model that transcribes it.")
    given_up: list[str] = Field(description="Settings that were reduced, such as a larger batch.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deleted_at: datetime | None = Field(description="When it was deleted; it can be restored for some days.")
    files: list[str] = Field(description="Formats to download from `/api/v1/jobs/{id}/exports/{format}`.")

    @classmethod
    def of(cls, job: Job) -> Self:
        """Describe a job; options that were not set through the API are shown unchanged."""
        same = set(cls.model_fields) - {"options", "detail", "error", "given_up", "model", "files"}
        values = {field: getattr(job, field) for field in same}
        said = {"detail": text_of(job.detail), "error": text_of(job.error) or None, "given_up": texts_of(job.given_up)}
        model = display_name(job.model) if job.model else None
        files = list(ExportFormat) if job.state is JobState.COMPLETED else []
        return cls(**values, **said, model=model, options=OptionsForm.showing(job.options), files=files)


class JobList(BaseModel):
    """A page of jobs, newest first."""

    jobs: list[JobBody]
    next: str | None = Field(description="Use it as `before` for the next page; null on the last.")


class TextSoFar(BaseModel):
    """The text of a job that is being transcribed; not final."""

    partial: Literal[True]
    job_id: str
    name: str
    attempt: int
    after: int = Field(description="The parts that were skipped.")
    parts: int = Field(description="The parts there are; send it as `after` with the next request.")
    certain: bool = Field(description="Whether all of the segments are in the recording's language for certain.")
    until_s: float = Field(description="How far the text reaches.")
    duration_s: float | None
    progress: float
    language: str | None
    model: str | None
    segments: list[Segment]


class JobChange(BaseModel):
    """Another name, other tags or another lane for a recording; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=MAX_NAME_CHARS, examples=["Board meeting"])
    tags: list[str] | None = Field(
        None, max_length=10 * MAX_TAGS, description=f"All of its tags, {TAGS}.", examples=[["board", "2026"]]
    )
    lane: Lane | None = Field(
        None,
        description="Its priority while it is unfinished. One that is under way goes back into the queue first; what "
        "is transcribed stays.",
        examples=["batch"],
    )


class Me(BaseModel):
    """The caller."""

    id: str
    name: str
    role: str


class Vocabulary(BaseModel):
    """Names and terms used for all of the user's recordings, in addition to `hotwords`."""

    model_config = ConfigDict(extra="forbid")

    words: str = Field(
        max_length=20_000,
        description="One term per line; 1,000 characters in total, 80 per term.",
        examples=["Nuuk\nKalaallit Nunaat"],
    )


class ErrorText(BaseModel):
    """What happened and what to do."""

    code: str
    message: str
    type: str
    param: str | None


class ProblemBody(BaseModel):
    """The body of every error response: problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What happened and what to do.")
    instance: str
    code: str = Field(description="The kind of error, for programs.")
    param: str | None = Field(description="The parameter or field that is wrong.")
    request_id: str = Field(description="The log of the server tells more under it.")
    error: ErrorText = Field(description="The same, in the shape of earlier versions.")
