"""The names of the Prefect deployments; a test compares them with `prefect.yaml`."""

from collections.abc import Sequence
from enum import StrEnum

from storage.domain.records import Job

JOB_TAG, OWNER_TAG, MODEL_TAG, BEGUN_TAG, CLIP_TAG = "job:", "owner:", "model:", "begun:", "clip"
"""Beginnings of tags, and a tag, by which workers choose among runs."""


class Deployment(StrEnum):
    """A deployment, and the flow of the same name."""

    TRANSCRIBE_RECORDING = "transcribe-recording"
    TRANSCRIBE_CLIP = "transcribe-clip"
    TRANSCRIBE_CLIPS = "transcribe-clips"
    TRANSCRIBE_SPAN = "transcribe-span"
    TELL_SPEAKERS_APART = "tell-speakers-apart"
    ALIGN_TEXT = "align-text"
    EXPORT_TRANSCRIPT = "export-transcript"
    INGEST_BATCH = "ingest-batch"
    UPKEEP = "upkeep"
    EXPORT_DATASETS = "export-datasets"

    @property
    def full_name(self) -> str:
        """The name for Prefect's lookup: flow/deployment."""
        return f"{self.value}/{self.value}"


POOLS = ("cpu", "gpu")
"""The work pools, each with a queue for every lane."""
OF_RECORDINGS = (
    Deployment.TRANSCRIBE_RECORDING,
    Deployment.TRANSCRIBE_CLIP,
    Deployment.TRANSCRIBE_CLIPS,
    Deployment.TRANSCRIBE_SPAN,
    Deployment.TELL_SPEAKERS_APART,
)
"""Deployments whose runs belong to a job's recording."""


def run_tags(
    jobs: Sequence[Job], fingerprint: str | None, *, are_clips: bool = False, begun_by: str | None = None
) -> list[str]:
    """Return the tags of a flow run: its jobs, their lane and owners, its model.

    `begun_by` is the worker that began with it already.
    """
    tags = [f"{JOB_TAG}{job.id}" for job in jobs] + [jobs[0].lane.value]
    tags += [f"{OWNER_TAG}{owner_id}" for owner_id in sorted({job.owner_id for job in jobs})]
    tags += [f"{MODEL_TAG}{fingerprint}"] if fingerprint else []
    tags += [f"{BEGUN_TAG}{begun_by}"] if begun_by else []
    return [*tags, CLIP_TAG] if are_clips else tags
