"""Bodies of `/api/v1`, as its OpenAPI page shows them."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from dashboards.forms import OptionsForm
from storage.records import ExportFormat, Job, JobState, Lane


class JobBody(BaseModel):
    """One recording and what has become of it; times in seconds."""

    id: str
    name: str = Field(description="The file's name, as it was sent.")
    owner_id: str
    state: JobState
    lane: Lane
    options: OptionsForm
    progress: float = Field(description="Share of the speech that has been heard, 0 to 1.")
    detail: str = Field(description="What the job waits for or does now, for readers.")
    error: str | None = Field(description="What happened and what to do, where the job has failed.")
    attempt: int
    media_sha256: str
    media_bytes: int
    duration_s: float | None
    speech_s: float | None
    language: str | None
    model: str | None = Field(description="Who heard it, or will.")
    given_up: list[str] = Field(description="What was given up on the way, such as a larger batch.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deleted_at: datetime | None = Field(description="When it was deleted; it can be restored for some days.")
    files: list[str] = Field(description="Formats to download from `/api/v1/jobs/{id}/exports/{format}`.")

    @classmethod
    def of(cls, job: Job) -> Self:
        """Describe a job; options that were set otherwise than through the API are shown as they are."""
        same = set(cls.model_fields) - {"options", "given_up", "files"}
        values = {field: getattr(job, field) for field in same}
        files = list(ExportFormat) if job.state is JobState.COMPLETED else []
        return cls(**values, options=OptionsForm.showing(job.options), given_up=list(job.given_up), files=files)


class JobList(BaseModel):
    """A page of jobs, newest first."""

    jobs: list[JobBody]
    next: str | None = Field(description="Ask with `before` set to this for the page after; null on the last.")


class Me(BaseModel):
    """Who is asking."""

    id: str
    name: str
    role: str


class Vocabulary(BaseModel):
    """Names and words that every recording of the user's is heard with, beside the job's own `hotwords`."""

    words: str = Field(max_length=20_000, description="One term a line; 1,000 characters in all, 80 a term.")


class ErrorText(BaseModel):
    """What happened and what to do."""

    code: str
    message: str
    type: str
    param: str | None


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorText
