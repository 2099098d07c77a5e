"""A recording's artifacts in the Prefect UI: a progress bar and a summary."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any
from uuid import UUID

from prefect.artifacts import acreate_markdown_artifact, acreate_progress_artifact, aupdate_progress_artifact
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from storage.domain.durations import clock
from storage.domain.model_names import display_name
from storage.domain.records import Job, Transcript

log = logging.getLogger(__name__)

UPDATE_EVERY_S = 2.0
OLD_KEY = "transcript-"
FORGOTTEN_TOGETHER, MOST_FORGOTTEN = 100, 5000


class RunArtifacts:
    """Artifacts of one flow run, written in the background; failures never fail a job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._bar: UUID | None = None
        self._share = self._shown = 0.0
        self._writing: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        self._again = False

    def _in_background(self, writing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(writing)
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    def progress(self, share: float) -> None:
        """Move the progress bar to `share` (0 to 1), at most every two seconds."""
        self._share = min(1.0, share)
        if not self._again:
            self._again = True
            self._in_background(self._show())

    async def _show(self) -> None:
        await self._move_bar()
        await asyncio.sleep(UPDATE_EVERY_S)
        self._again = False
        if self._share > self._shown:
            self.progress(self._share)

    async def _move_bar(self) -> None:
        async with self._lock:
            share = self._share
            try:
                if self._bar is None:
                    made = acreate_progress_artifact(
                        100 * share, key=f"progress-{self._job.id}", description=f"Transcribed of {self._job.name}"
                    )
                    self._bar = await made
                else:
                    await aupdate_progress_artifact(self._bar, 100 * share)
                self._shown = share
            except Exception as error:  # noqa: BLE001 - Prefect may be unavailable; the app shows the same
                log.debug("job %s: no progress artifact (%s)", self._job.id, error)

    async def finish(self, transcript: Transcript) -> None:
        """Fill the progress bar, if progress was shown, and add the summary."""
        for task in set(self._writing):
            task.cancel()
        if self._share:
            self._share = 1.0
            await self._move_bar()
        try:
            await acreate_markdown_artifact(
                markdown(transcript),
                key=f"summary-{self._job.id}",
                description=f"Summary of {self._job.name}",
            )
        except Exception as error:  # noqa: BLE001 - as above
            log.debug("job %s: no summary artifact (%s)", self._job.id, error)

    def close(self) -> None:
        for task in set(self._writing):
            task.cancel()


def markdown(transcript: Transcript) -> str:
    """Return a table of facts about the transcript. Its text stays in the app, behind its rights."""
    facts = {
        "length": clock(transcript.duration_s, hours=True),
        "language": transcript.language,
        "model": display_name(transcript.model),
        "segments": len(transcript.segments),
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts.items())])


async def summarize(transcripts: Sequence[Transcript]) -> None:
    """Add one summary of several recordings to the running flow run."""
    if not transcripts:
        return
    table = ["| job | length | language | model | segments |", "|---|---|---|---|---|"]
    for each in transcripts:
        length, model = clock(each.duration_s, hours=True), display_name(each.model)
        table.append(f"| {each.job_id} | {length} | {each.language} | {model} | {len(each.segments)} |")
    try:
        await acreate_markdown_artifact(
            markdown="\n".join(table),
            key=f"summary-{transcripts[0].job_id}",
            description=f"Summary of {len(transcripts)} recordings",
        )
    except Exception as error:  # noqa: BLE001 - as above
        log.debug("job %s and others: no summary artifact (%s)", transcripts[0].job_id, error)


async def forget_transcripts(client: PrefectClient) -> int:
    """Delete the texts that earlier versions showed as artifacts; return how many."""
    of_text = ArtifactFilter(key=ArtifactFilterKey(like_=OLD_KEY))
    deleted = 0
    while deleted < MOST_FORGOTTEN:
        found = await client.read_artifacts(artifact_filter=of_text, limit=FORGOTTEN_TOGETHER)
        old = [each for each in found if (each.key or "").startswith(OLD_KEY)]
        for each in old:
            await client.delete_artifact(each.id)
        deleted += len(old)
        if not old:
            break
    return deleted
