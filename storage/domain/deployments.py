"""The names of the Prefect deployments; a test compares them with `prefect.yaml`."""

from enum import StrEnum


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
