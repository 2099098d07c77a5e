"""A transcript in every format that people download, and where its files lie on storage."""

import io
import zipfile
from collections.abc import Iterable

from storage import names
from storage.files import Files
from storage.records import USUAL_FORMATS, CueLimits, ExportFormat, Segment, Transcript
from tasks import captions, document, manuscript
from tasks.captions import milliseconds
from tasks.cues import cues, prefix

ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that ZIP knows: the same transcript gives the same bytes
IN_ZIP = tuple(fmt for fmt in ExportFormat if fmt is not ExportFormat.ZIP)


def export(transcript: Transcript, fmt: ExportFormat | str, *, limits: CueLimits | None = None) -> bytes:
    """Return the transcript as a file of this format, text as UTF-8; `limits` are the job's own unless given."""
    shown = limits or transcript.options.cues
    match ExportFormat(fmt):
        case ExportFormat.SRT:
            text = captions.srt(cues(transcript.segments, shown, named=True), highlight=shown.highlight_words)
        case ExportFormat.VTT:
            text = captions.vtt(cues(transcript.segments, shown), highlight=shown.highlight_words)
        case ExportFormat.TXT:
            text = txt(transcript.segments, speakers=shown.speakers)
        case ExportFormat.TSV:
            text = tsv(transcript.segments)
        case ExportFormat.JSON:
            text = document.to_text(transcript)
        case ExportFormat.DOCX:
            return manuscript.docx(transcript, speakers=shown.speakers)
        case ExportFormat.ZIP:
            return packed(transcript, shown)
    return text.encode(errors="replace")


def store(
    files: Files,
    transcript: Transcript,
    *,
    stored_as: str,
    formats: Iterable[ExportFormat] = (),
    limits: CueLimits | None = None,
    again: bool = True,
) -> dict[str, str]:
    """Write a stored transcript's files and return their names by format; none asked for means the usual ones.

    Without `again`, what lies there under the same name already is left as it is.
    """
    shown = limits or transcript.options.cues
    made: dict[str, str] = {}
    for fmt in tuple(formats) or USUAL_FORMATS:
        name = made[fmt.value] = names.export_name(transcript.job_id, stored_as, fmt, shown)
        if again or not files.exists(name):
            files.write(name, export(transcript, fmt, limits=shown))
    return made


def txt(segments: Iterable[Segment], *, speakers: bool = True) -> str:
    """Return a line for each segment; where the speaker changes, it begins with the name."""
    lines: list[str] = []
    before: str | None = None
    for segment in segments:
        if text := segment.text.strip():
            changed = speakers and segment.speaker and segment.speaker != before
            lines.append(f"{prefix(str(segment.speaker)) if changed else ''}{text}\n")
            before = segment.speaker
    return "".join(lines)


def tsv(segments: Iterable[Segment]) -> str:
    """Return segments as start, end (both in milliseconds) and text, as the Whisper family writes them."""
    rows = (
        f"{milliseconds(segment.start_s)}\t{milliseconds(segment.end_s)}\t{text}\n"
        for segment in segments
        if (text := " ".join(segment.text.split()))
    )
    return "start\tend\ttext\n" + "".join(rows)


def packed(transcript: Transcript, limits: CueLimits) -> bytes:
    """Return a ZIP of the transcript in every other format, under the recording's name."""
    stem = "".join(
        c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in manuscript.title_of(transcript.name)
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as written:
        for fmt in IN_ZIP:
            entry = zipfile.ZipInfo(f"{stem.strip('. ') or 'transcript'}.{fmt}", ZIP_DATE)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            written.writestr(entry, export(transcript, fmt, limits=limits))
    return file.getvalue()
