"""Write a transcript in every export format, and store the files."""

from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cache, partial
from typing import Protocol, assert_never

from storage.domain import names
from storage.domain.errors import TimesNotMeasured
from storage.domain.export_formats import SINGLE_FORMATS, TEXT, USUAL_FORMATS
from storage.domain.records import CueLimits, ExportFormat, Segment, Transcript
from storage.files.file_store import Files
from storage.files.zip_names import stem_of
from storage.files.zip_stream import ZipStream
from tasks.exports import ass_writer, docx_writer, srt_vtt, transcript_json, ttml_writer
from tasks.exports.cues import Cue, cues, prefix
from tasks.exports.srt_vtt import milliseconds

ZIP_DATE = datetime(1980, 1, 1, tzinfo=UTC)  # the earliest in ZIP, so that a transcript always gives the same bytes
AT_ONCE = 4  # files that are being stored


class CuesOf(Protocol):
    """Returns the transcript's cues; with `named`, their text names the speakers."""

    def __call__(self, *, named: bool) -> list[Cue]: ...


def export(transcript: Transcript, fmt: ExportFormat | str, *, limits: CueLimits | None = None) -> bytes:
    """Return the transcript as a file of this format; text is UTF-8.

    `limits` default to the job's own.
    """
    ((_, written),) = each(transcript, [ExportFormat(fmt)], limits or transcript.options.cues)
    return written


def each(
    transcript: Transcript, formats: Iterable[ExportFormat], limits: CueLimits
) -> Iterator[tuple[ExportFormat, bytes]]:
    """Yield the transcript as a file of each format; shared work is done once."""
    cues_of = cache(partial(cues, transcript.segments, limits, pinned=transcript.pinned_cues))
    for fmt in formats:
        written = write(fmt, transcript, limits, cues_of)
        if isinstance(written, str):
            mark = BOM_UTF8 if limits.byte_order_mark and fmt.spec.settings >= TEXT else b""
            written = mark + written.encode(errors="replace")
        yield fmt, written


def write(fmt: ExportFormat, transcript: Transcript, limits: CueLimits, cues_of: CuesOf) -> str | bytes:  # noqa: PLR0911 - one writer a format
    """Return the transcript in this format; mypy rejects a format without a writer.

    Raises:
        TimesNotMeasured: the format has times, and the transcript has not.
    """
    if fmt.spec.timed and not transcript.timed:
        raise TimesNotMeasured(transcript.name)
    named = limits.speakers and any(segment.speaker for segment in transcript.segments)
    spoken = None if transcript.options.task == "translate" else transcript.language
    match fmt:
        case ExportFormat.SRT:
            return srt_vtt.srt(cues_of(named=named), highlight=limits.highlight_words)
        case ExportFormat.VTT:
            return srt_vtt.vtt(cues_of(named=False), highlight=limits.highlight_words, language=spoken)
        case ExportFormat.TXT:
            return txt(transcript.segments, speakers=limits.speakers)
        case ExportFormat.TSV:
            return tsv(transcript.segments)
        case ExportFormat.JSON:
            return transcript_json.to_text(transcript)
        case ExportFormat.DOCX:
            return docx_writer.docx(transcript, speakers=limits.speakers)
        case ExportFormat.ASS:
            return ass_writer.ass(cues_of(named=named), highlight=limits.highlight_words)
        case ExportFormat.TTML:
            return ttml_writer.ttml(cues_of(named=named), language=spoken)
        case ExportFormat.SBV:
            return srt_vtt.sbv(cues_of(named=named))
        case ExportFormat.ZIP:
            return packed(transcript, limits)
        case _:
            assert_never(fmt)


def store(
    files: Files,
    transcript: Transcript,
    *,
    stored_as: str,
    formats: Iterable[ExportFormat] = (),
    limits: CueLimits | None = None,
    again: bool = True,
) -> dict[str, str]:
    """Store a transcript's files and return their names by format (default: the usual ones).

    Without `again`, a file that already exists is left unchanged.
    """
    cue_limits = limits or transcript.options.cues
    names_by_format = {
        fmt: names.export_name(transcript.job_id, stored_as, fmt, cue_limits) for fmt in tuple(formats) or USUAL_FORMATS
    }
    missing = [fmt for fmt, name in names_by_format.items() if again or not files.exists(name)]
    with ThreadPoolExecutor(AT_ONCE) as pool:  # each waits for the disk or the network
        bodies = each(transcript, missing, cue_limits)
        writing = [pool.submit(files.write, names_by_format[fmt], body) for fmt, body in bodies]
    for written in writing:
        written.result()
    return {fmt.value: name for fmt, name in names_by_format.items()}


def txt(segments: Iterable[Segment], *, speakers: bool = True) -> str:
    """Return a line for each segment; a change of speaker starts with the name."""
    lines: list[str] = []
    last_speaker: str | None = None
    for segment in segments:
        if text := segment.text.strip():
            changed = speakers and segment.speaker and segment.speaker != last_speaker
            lines.append(f"{prefix(str(segment.speaker)) if changed else ''}{text}\n")
            last_speaker = segment.speaker
    return "".join(lines)


def tsv(segments: Iterable[Segment]) -> str:
    """Return segments as start, end (both in milliseconds) and text, as Whisper tools do."""
    rows = (
        f"{milliseconds(segment.start_s)}\t{milliseconds(segment.end_s)}\t{text}\n"
        for segment in segments
        if (text := " ".join(segment.text.split()))
    )
    return "start\tend\ttext\n" + "".join(rows)


def packed(transcript: Transcript, limits: CueLimits) -> bytes:
    """Return a ZIP of the transcript in every other format that it can have."""
    zipped, stem = ZipStream(dated=ZIP_DATE), stem_of(transcript.name)
    formats = [fmt for fmt in SINGLE_FORMATS if transcript.timed or not fmt.spec.timed]
    for fmt, body in each(transcript, formats, limits):
        zipped.add(f"{stem}.{fmt}", body)
    return zipped.close()
