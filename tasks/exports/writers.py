"""A transcript in every format that people download, and where its files lie on storage."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache, partial

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
    ((_, body),) = each(transcript, [ExportFormat(fmt)], limits or transcript.options.cues)
    return body


def each(
    transcript: Transcript, formats: Iterable[ExportFormat], limits: CueLimits
) -> Iterator[tuple[ExportFormat, bytes]]:
    """Yield the transcript as a file of each format; what several of them need is worked out once."""
    naming = limits.speakers and any(segment.speaker for segment in transcript.segments)
    found = cache(partial(cues, transcript.segments, limits))
    for fmt in formats:
        match fmt:
            case ExportFormat.SRT:
                text = captions.srt(found(named=naming), highlight=limits.highlight_words)
            case ExportFormat.VTT:
                spoken = None if transcript.options.task == "translate" else transcript.language
                text = captions.vtt(found(named=False), highlight=limits.highlight_words, language=spoken)
            case ExportFormat.TXT:
                text = txt(transcript.segments, speakers=limits.speakers)
            case ExportFormat.TSV:
                text = tsv(transcript.segments)
            case ExportFormat.JSON:
                text = document.to_text(transcript)
            case ExportFormat.DOCX:
                yield fmt, manuscript.docx(transcript, speakers=limits.speakers)
                continue
            case ExportFormat.ZIP:
                yield fmt, packed(transcript, limits)
                continue
        yield fmt, text.encode(errors="replace")


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
    wanted = {
        fmt: names.export_name(transcript.job_id, stored_as, fmt, shown) for fmt in tuple(formats) or USUAL_FORMATS
    }
    missing = [fmt for fmt, name in wanted.items() if again or not files.exists(name)]
    for fmt, body in each(transcript, missing, shown):
        files.write(wanted[fmt], body)
    return {fmt.value: name for fmt, name in wanted.items()}


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
        for fmt, body in each(transcript, IN_ZIP, limits):
            entry = zipfile.ZipInfo(f"{stem.strip('. ') or 'transcript'}.{fmt}", ZIP_DATE)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            written.writestr(entry, body)
    return file.getvalue()
