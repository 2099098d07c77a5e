"""Names on storage, derived from content and options, so that equal work has equal names.

A name that ends in "/" is a folder: `Files.delete` deletes everything in it.
"""

import hashlib
import json
from dataclasses import asdict

from storage.domain.errors import BadRequest
from storage.domain.records import CueLimits, ExportFormat, Options

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
"""Options that do not affect an engine's result for given samples, or are named otherwise."""

EXPORTER_VERSION = 12
"""Increment it when the output of `tasks.exports.writers` changes, so that files are rewritten."""

INCOMING = "incoming"
PLANS, TRANSCRIPTS, ALIGNMENTS = "plans/", "transcripts/", "alignments/"
WRITTEN = (
    *("media", "spans", "plans", "results", "transcripts", "partial", "peaks", "alignments", "proposals", "exports"),
    *("summaries", "jobs", "audit", "backups", "datasets"),
)
"""The folders in which the platform writes; clients send recordings to `INCOMING`."""


def required_in(folder: str, name: str) -> str:
    """Return a name that a flow run was given, if it lies in this folder.

    Raises:
        BadRequest: it does not.
    """
    if not name.startswith(folder) or ".." in name.split("/"):
        raise BadRequest("name", f"{name!r} is not in {folder}")
    return name


def media_name(sha256: str) -> str:
    """Return the name of a recording's bytes, by their SHA-256."""
    return f"media/{sha256[:2]}/{sha256}"


def incoming_name(ident: str) -> str:
    """Return the name of an upload in the bucket until it is a recording."""
    return f"{INCOMING}/{ident}"


def span_name(samples_sha256: str) -> str:
    """Return the name of a span's audio, by the SHA-256 of its samples."""
    return f"spans/{samples_sha256[:2]}/{samples_sha256}.flac"


def plans_folder(media_sha256: str) -> str:
    """Return the folder of all plans of a recording."""
    return f"{PLANS}{media_sha256[:2]}/{media_sha256}/"


def plan_name(media_sha256: str, ingest_key: str) -> str:
    """Return the name of a recording's plan; `ingest_key` covers everything it depends on."""
    return f"{plans_folder(media_sha256)}{ingest_key}.json"


def results_folder(samples_sha256: str) -> str:
    """Return the folder of all results for these samples."""
    return f"results/{samples_sha256[:2]}/{samples_sha256}/"


def result_name(
    samples_sha256: str, fingerprint: str, engine_version: str, options: Options, language: str | None
) -> str:
    """Return the name of a span's result, by model, engine and options.

    `language` is the one given to the engine. The model counts by its fingerprint, not by its name.
    """
    asked = {name: value for name, value in asdict(options).items() if name not in NOT_HEARD}
    listened = json.dumps([fingerprint, engine_version, language, asked], sort_keys=True, separators=(",", ":"))
    return f"{results_folder(samples_sha256)}{hashlib.sha256(listened.encode()).hexdigest()[:40]}.json"


def transcript_name(job_id: str) -> str:
    """Return the name of a job's transcript."""
    return f"{TRANSCRIPTS}{job_id[-2:]}/{job_id}.json"


def later_transcript_name(job_id: str, attempt: int) -> str:
    """Return the name of an attempt's transcript if another one has the first name."""
    return f"{TRANSCRIPTS}{job_id[-2:]}/{job_id}.attempt{attempt}.json"


def partial_folder(job_id: str, attempt: int | None = None) -> str:
    """Return the folder of the text so far of a job or an attempt."""
    folder = f"partial/{job_id[-2:]}/{job_id}/"
    return folder if attempt is None else f"{folder}{attempt}/"


def partial_name(job_id: str, attempt: int, number: int) -> str:
    """Return the name of one part of the text so far; parts count from 0."""
    return f"{partial_folder(job_id, attempt)}{number:06d}.json"


def version_name(job_id: str, number: int) -> str:
    """Return the name of a version of a job's transcript; the first is the engine's."""
    return transcript_name(job_id) if number == 1 else f"{TRANSCRIPTS}{job_id[-2:]}/{job_id}.v{number}.json"


def peaks_folder(media_sha256: str) -> str:
    """Return the folder of a recording's waveforms and playback copies."""
    return f"peaks/{media_sha256[:2]}/{media_sha256}/"


def peaks_name(media_sha256: str, audio_track: int | None, *, fine: bool = False) -> str:
    """Return the name of the waveform of one of a recording's audio tracks.

    It has a byte for each 100 ms, or a `fine` one for each 10 ms.
    """
    return f"{peaks_folder(media_sha256)}track{track(audio_track)}{'.fine' if fine else ''}.u8"


def playback_name(media_sha256: str, audio_track: int | None, playback: str) -> str:
    """Return the name of a playback copy, by when browsers play it."""
    return f"{peaks_folder(media_sha256)}track{track(audio_track)}.{playback}.flac"


def track(audio_track: int | None) -> str:
    """Return how names tell the audio track; without one the file decides."""
    return "auto" if audio_track is None else str(audio_track)


def alignments_folder(job_id: str) -> str:
    """Return the folder of a job's corrected texts while they get their times."""
    return f"{ALIGNMENTS}{job_id[-2:]}/{job_id}/"


def corrected_text_name(job_id: str, alignment_id: str) -> str:
    """Return the name of a corrected text as it was sent."""
    return f"{alignments_folder(job_id)}{alignment_id}.txt"


def aligned_text_name(job_id: str, alignment_id: str) -> str:
    """Return the name of a corrected text with its times."""
    return f"{alignments_folder(job_id)}{alignment_id}.json"


def proposals_folder(job_id: str) -> str:
    """Return the folder of the transcripts that campaigns propose for a job."""
    return f"proposals/{job_id[-2:]}/{job_id}/"


def proposal_name(job_id: str, campaign_id: str) -> str:
    """Return the name of the transcript that a campaign proposes for a job."""
    return f"{proposals_folder(job_id)}{campaign_id}.json"


def exports_folder(job_id: str) -> str:
    """Return the folder of all exports of a job's transcripts."""
    return f"exports/{job_id[-2:]}/{job_id}/"


def export_name(
    job_id: str, stored_as: str, fmt: ExportFormat | str, cues: CueLimits, *, version: int = EXPORTER_VERSION
) -> str:
    """Return the name of an export, by everything that its bytes depend on.

    A file under this name is never stale: an edited transcript has another name.
    """
    fmt = ExportFormat(fmt)
    shown = {name: f"{value:g}" for name, value in asdict(cues).items() if name in fmt.spec.settings}  # 7 is 7.0
    form = json.dumps([version, stored_as, fmt, shown], sort_keys=True, separators=(",", ":"))
    return f"{exports_folder(job_id)}{hashlib.sha256(form.encode()).hexdigest()[:40]}.{fmt}"


def summaries_folder(job_id: str) -> str:
    """Return the folder of the summaries of a job's transcripts."""
    return f"summaries/{job_id[-2:]}/{job_id}/"


def summary_name(job_id: str, version: int, summary_id: str) -> str:
    """Return the name of a summary of one version of a job's transcript."""
    return f"{summaries_folder(job_id)}v{version}.{summary_id}.json"


def job_manifest_name(job_id: str) -> str:
    """Return the name of the job's manifest, from which the ledger can be rebuilt."""
    return f"jobs/{job_id}.json"
