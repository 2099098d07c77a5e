"""Small flows for tests with real warm workers."""

import asyncio
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled

from flows.runs.artifacts import RunArtifacts
from flows.runs.process_state import current
from storage.domain.records import Options, Segment, Transcript


@flow(name="mark")
async def mark(folder: str, name: str) -> None:
    """Write the moment of the first line of flow code, in seconds since the epoch."""
    await asyncio.to_thread(Path(folder, name).write_text, str(time.time()))


@flow(name="lethal")
async def lethal(folder: str, name: str, deaths: int) -> None:
    """Kill the process until it has done so `deaths` times, then succeed."""
    if await asyncio.to_thread(one_more, Path(folder, name)) <= deaths:
        os.kill(os.getpid(), 9)


def one_more(tries: Path) -> int:
    """Add a mark to the file and return how many it has."""
    with tries.open("a") as note:
        note.write("x")
    return len(tries.read_text())


@flow(name="patient")
async def patient(folder: str, name: str, seconds: float) -> State[None] | None:
    """Sleep until cancelled or until `seconds` have passed."""
    await asyncio.to_thread(Path(folder, name).write_text, str(os.getpid()))
    flag = current().flag(UUID(flow_run.get_id()))
    try:
        async with asyncio.timeout(seconds):
            await flag.wait()
    except TimeoutError:
        return None
    return Cancelled(message="told to stop")


@flow(name="shown")
async def shown(job_id: str) -> None:
    """Show a recording's progress and its transcript."""
    board = RunArtifacts(cast("Any", SimpleNamespace(id=job_id, name="a.wav")))
    board.progress(0.5)
    await board.finish(
        Transcript(
            job_id=job_id,
            media_sha256="0" * 64,
            name="a.wav",
            duration_s=2.0,
            speech_s=1.0,
            language="en",
            language_probability=None,
            model="small",
            fingerprint="0",
            engine="none",
            options=Options(),
            segments=(Segment(start_s=0.0, end_s=1.0, text=" Good morning."),),
        )
    )
