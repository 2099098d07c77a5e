"""Names on storage, made from content and options, so that equal work has an equal name.

A name that ends in "/" is a folder: `Files.delete` takes all that lies in it.
"""

import hashlib
import json
from dataclasses import asdict, fields

from storage.records import CueLimits, ExportFormat, Options

NOT_HEARD = {
    "model",
    "language",
    "audio_track",
    "channels",
    "cues",
    "language_per_span",
    "diarize",
    "speakers",
    "formats",
}
"""Options that change nothing in what an engine makes of given samples, or that are named in another way."""

EXPORTER_VERSION = 2
"""Raise it when `tasks.export` writes anything otherwise than before, so that the files are made again."""


def media_name(sha256: str) -> str:
    """Return where the bytes of a recording lie, by their SHA-256."""
    return f"media/{sha256[:2]}/{sha256}"


def span_name(samples_sha256: str) -> str:
    """Return where one span's sound lies, by the SHA-256 of its samples."""
    return f"spans/{samples_sha256[:2]}/{samples_sha256}.flac"


def plans_folder(media_sha256: str) -> str:
    """Return the folder of all the ways in which a recording was cut."""
    return f"plans/{media_sha256[:2]}/{media_sha256}/"


def plan_name(media_sha256: str, ingest_key: str) -> str:
    """Return where the plan of a recording lies; `ingest_key` stands for what the cutting depends on."""
    return f"{plans_folder(media_sha256)}{ingest_key}.json"


def results_folder(samples_sha256: str) -> str:
    """Return the folder of all that was ever heard in these samples."""
    return f"results/{samples_sha256[:2]}/{samples_sha256}/"


def result_name(
    samples_sha256: str, fingerprint: str, engine_version: str, options: Options, language: str | None
) -> str:
    """Return where a hearing of these samples lies, by who listened and how.

    `language` is what the engine was told. The model counts by its fingerprint, not by its name.
    """
    asked = {name: value for name, value in asdict(options).items() if name not in NOT_HEARD}
    listened = json.dumps([fingerprint, engine_version, language, asked], sort_keys=True, separators=(",", ":"))
    return f"{results_folder(samples_sha256)}{hashlib.sha256(listened.encode()).hexdigest()[:40]}.json"


def transcript_name(job_id: str) -> str:
    """Return where a job's transcript lies."""
    return f"transcripts/{job_id[-2:]}/{job_id}.json"


def partial_folder(job_id: str, attempt: int | None = None) -> str:
    """Return the folder of the text so far of a job under way, or of one attempt at it."""
    folder = f"partial/{job_id[-2:]}/{job_id}/"
    return folder if attempt is None else f"{folder}{attempt}/"


def partial_name(job_id: str, attempt: int, number: int) -> str:
    """Return where one part of the text so far lies; parts count from 0, and none is written twice."""
    return f"{partial_folder(job_id, attempt)}{number:06d}.json"


def version_name(job_id: str, number: int) -> str:
    """Return where a version of a job's transcript lies; the first is the engine's."""
    return transcript_name(job_id) if number == 1 else f"transcripts/{job_id[-2:]}/{job_id}.v{number}.json"


def peaks_folder(media_sha256: str) -> str:
    """Return the folder of the waveforms of a recording."""
    return f"peaks/{media_sha256[:2]}/{media_sha256}/"


def peaks_name(media_sha256: str, audio_track: int) -> str:
    """Return where the waveform of one of a recording's audio tracks lies."""
    return f"{peaks_folder(media_sha256)}track{audio_track}.u8"


def exports_folder(job_id: str) -> str:
    """Return the folder of all the files that were ever made of a job's transcripts."""
    return f"exports/{job_id[-2:]}/{job_id}/"


def export_name(job_id: str, stored_as: str, fmt: ExportFormat | str, cues: CueLimits) -> str:
    """Return where a transcript lies in this format and form, by all that its bytes depend on.

    A file under this name never goes stale: an edited transcript is stored under another name.
    """
    fmt = ExportFormat(fmt)
    shown = {name: f"{value:g}" for name, value in asdict(cues).items() if name in _seen_in(fmt)}  # 7 is 7.0
    form = json.dumps([EXPORTER_VERSION, stored_as, fmt, shown], sort_keys=True, separators=(",", ":"))
    return f"{exports_folder(job_id)}{hashlib.sha256(form.encode()).hexdigest()[:40]}.{fmt}"


def _seen_in(fmt: ExportFormat) -> set[str]:
    """Return the settings that make a difference in this format."""
    match fmt:
        case ExportFormat.JSON | ExportFormat.TSV:
            return set()
        case ExportFormat.TXT | ExportFormat.DOCX:
            return {"speakers"}
        case _:
            return {field.name for field in fields(CueLimits)}


def job_manifest_name(job_id: str) -> str:
    """Return where the description of a job lies from which the ledger can be made again."""
    return f"jobs/{job_id}.json"
