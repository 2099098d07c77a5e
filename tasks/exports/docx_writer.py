"""A transcript as a Word document: title, where it comes from, and paragraphs with their times and speakers."""

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from storage.clock import utc_now
from storage.records import Segment, Transcript
from tasks.breaks import width, without_spaces
from tasks.cues import SENTENCE_ENDS, prefix

if TYPE_CHECKING:
    from docx.document import Document

PAUSE_S = 2.0  # who is silent for so long begins a new paragraph
LONG_COLUMNS = 600  # a paragraph this long ends with its sentence
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
RIGHT_TO_LEFT = {"ar", "fa", "he", "ps", "sd", "ur", "yi"}


def docx(transcript: Transcript, *, speakers: bool = True) -> bytes:
    """Return the transcript as a .docx file."""
    from docx import Document

    written = Document()
    _describe(written, transcript)
    written.add_heading(_xml(title_of(transcript.name)), level=0)
    written.add_paragraph(_xml("\n".join(provenance(transcript))))
    before: str | None = None
    for segments in paragraphs(transcript.segments):
        name = segments[0].speaker if speakers else None
        paragraph = written.add_paragraph()
        paragraph.add_run(f"[{clock(segments[0].start_s)}] ").italic = True
        if name and name != before:
            paragraph.add_run(_xml(prefix(name))).bold = True
        before = name
        paragraph.add_run(_xml(joined(segments)))
        if transcript.language in RIGHT_TO_LEFT:
            _turn_round(paragraph.paragraph_format.element)
    file = io.BytesIO()
    written.save(file)
    return file.getvalue()


def title_of(name: str) -> str:
    """Return a recording's name without its ending."""
    return PurePath(name).stem or name or "Transcript"


def provenance(transcript: Transcript) -> Iterator[str]:
    """Yield what a reader should know of the text: of which recording, how long, by whom."""
    yield f"Recording: {transcript.name}, {clock(transcript.duration_s)}"
    sure = transcript.language_probability
    yield f"Language: {transcript.language}" + (f" ({100 * sure:.0f}% sure)" if sure else "")
    translated = ", translated into English" if transcript.options.task == "translate" else ""
    yield f"Heard by: model {transcript.model} with {transcript.engine}{translated}"
    names = sorted({segment.speaker for segment in transcript.segments if segment.speaker})
    if names:
        yield f"Speakers: {', '.join(names)}"
    if transcript.findings:
        yield f"To review: {len(transcript.findings)} places; the JSON file lists them"


def paragraphs(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Yield segments that are read together: one speaker, no long pause, and not too long."""
    held: list[Segment] = []
    columns = 0
    for segment in (each for each in segments if each.text.strip()):
        if held:
            last = held[-1]
            ended = columns >= LONG_COLUMNS and last.text.rstrip().endswith(SENTENCE_ENDS)
            if ended or segment.speaker != last.speaker or segment.start_s - last.end_s > PAUSE_S:
                yield held
                held, columns = [], 0
        held.append(segment)
        columns += width(segment.text)
    if held:
        yield held


def joined(segments: Sequence[Segment]) -> str:
    """Return the segments' text in one piece, with spaces where the script has them."""
    found = ""
    for text in (" ".join(segment.text.split()) for segment in segments):
        found += text if not found or without_spaces(found, text) else f" {text}"
    return found


def clock(at_s: float) -> str:
    """Return H:MM:SS."""
    minutes, seconds = divmod(int(at_s), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def _describe(written: "Document", transcript: Transcript) -> None:
    about = written.core_properties
    about.title = _xml(title_of(transcript.name))[:255]
    about.author = "Whisper Transcriber"
    about.comments = ""
    about.language = transcript.language
    about.created = about.modified = utc_now().replace(tzinfo=None)  # it writes them as UTC


def _turn_round(element: object) -> None:
    from docx.oxml import OxmlElement

    element.get_or_add_pPr().append(OxmlElement("w:bidi"))  # type: ignore[attr-defined]


def _xml(text: str) -> str:
    """Return the text without the characters that XML cannot hold."""
    return NOT_IN_XML.sub("", text)
