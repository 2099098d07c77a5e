"""The canary: a short recording that proves the whole way every few minutes.

It is accepted, dispatched, decoded, transcribed, exported and reported as everybody's recordings are. A few of its
samples are changed by one each time, so that no result of before is found again. Then it is deleted with its files.
"""

import array
import asyncio
import hashlib
import io
import logging
import random
import time
import wave
from pathlib import Path

from dashboards.runtime import context, db, notify
from storage.accounts import canary_account
from storage.accounts.canary_account import ACTOR, CANARY_ID
from storage.domain.clock import new_id, utc_now
from storage.domain.errors import NotFound, TranscriberError
from storage.domain.job_messages import text_of
from storage.domain.records import Job, JobState, Lane, Options, Transcript, from_json
from storage.jobs import canary_jobs, intake, job_store, platform_pause
from storage.transcripts import transcript_store

logger = logging.getLogger(__name__)
SAMPLE = Path(__file__).with_name("canary.wav")
SAID = ("fellow", "americans")
"""Words of the sample, John F. Kennedy's "And so my fellow Americans" (1961, public domain)."""
PATIENCE_S, LOOK_EVERY_S = 300.0, 0.25
CHANGED_SAMPLES = 200


async def fly(*, said: tuple[str, ...] = SAID, patience_s: float = PATIENCE_S) -> bool:
    """Transcribe the sample once and note how it went; return whether it was right."""
    holder = context.current()
    began = time.monotonic()
    problem: str | None = None
    try:
        await _clear()
        job = await db.in_thread(_accept)
        notify.announce(job)
        problem = await _problem_of(job.id, said, patience_s)
    except TranscriberError as error:
        problem = str(error)
    took_s, now = time.monotonic() - began, utc_now()
    state = holder.canary
    state.at, state.problem = now, problem
    if problem is None:
        state.took_s, state.passed_at = took_s, now
        logger.info("the canary took %.1f s", took_s)
    else:
        state.failures += 1
        logger.error("the canary failed: %s", problem)
    await _clear()
    return problem is None


async def keep_flying(every_minutes: float) -> None:
    """Do so every few minutes, but not while nothing is handed out or taken."""
    while True:
        await asyncio.sleep(60 * every_minutes)
        try:
            paused = await db.read(platform_pause.find)
            if paused is None and context.current().disks.low is None:
                await fly()
        except Exception:
            logger.exception("the canary could not fly, and tries again")


def _accept() -> Job:
    holder = context.current()
    holder.ledger.run(canary_account.ensure)
    data = changed_sample()
    path = holder.settings.storage.uploads_dir / f"canary-{new_id()}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    try:
        return intake.take_in(
            holder.ledger,
            holder.files,
            path,
            sha256=hashlib.sha256(data).hexdigest(),
            owner_id=CANARY_ID,
            name="canary.wav",
            options=Options(),
            lane=Lane.INTERACTIVE,
            actor=ACTOR,
        )
    finally:
        path.unlink(missing_ok=True)


def changed_sample() -> bytes:
    """Return the sample with a few values changed by one, which nobody hears."""
    with wave.open(str(SAMPLE), "rb") as file:
        kind, values = file.getparams(), array.array("h", file.readframes(file.getnframes()))
    for place in random.sample(range(len(values)), CHANGED_SAMPLES):
        values[place] ^= 1
    return _as_wave(kind, values.tobytes())


def _as_wave(kind: "wave._wave_params", frames: bytes) -> bytes:
    sink = io.BytesIO()
    with wave.open(sink, "wb") as file:
        file.setparams(kind)
        file.writeframes(frames)
    return sink.getvalue()


async def _problem_of(job_id: str, said: tuple[str, ...], patience_s: float) -> str | None:
    """Wait for the job's end; return what is wrong, or None."""
    until = time.monotonic() + patience_s
    while not (job := await db.read(job_store.get, job_id)).state.finished:
        if time.monotonic() > until:
            where = text_of(job.detail) or job.state.value
            return f"no transcript within {patience_s:.0f} s; it is {job.state.value} ({where})"
        await asyncio.sleep(LOOK_EVERY_S)
    if job.state is not JobState.COMPLETED:
        return text_of(job.error) or f"it ended as {job.state.value}"
    text = await db.in_thread(_text_of, job_id)
    missing = [word for word in said if word not in text.lower()]
    return f"the transcript lacks {' and '.join(missing)}" if missing else None


def _text_of(job_id: str) -> str:
    """Return the text as it is on storage.

    Raises:
        NotFound, NotStored: it is not there.
    """
    with context.ledger().read() as con:
        stored_as = transcript_store.stored_as(con, job_id)
    if stored_as is None:
        raise NotFound("transcript of the canary", job_id)
    return from_json(Transcript, context.files().read(stored_as)).text


async def _clear() -> None:
    holder = context.current()
    for job_id in await db.in_thread(canary_jobs.clear, holder.ledger, holder.files, actor=ACTOR):
        notify.removed(job_id, CANARY_ID)
