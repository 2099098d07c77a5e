"""Write a transcript as a Word document: title, provenance, and timed paragraphs with speakers."""

import io
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from storage.domain.clock import utc_now
from storage.domain.durations import clock
from storage.domain.model_names import display_name
from storage.domain.records import Segment, Transcript
from tasks.exports.cues import prefix
from tasks.exports.ttml_writer import xml_text
from tasks.text.direction import right_to_left
from tasks.text.line_breaking import width, without_spaces
from tasks.text.punctuation import ends_sentence

if TYPE_CHECKING:
    from docx.document import Document

PAUSE_S = 2.0  # a longer silence starts a new paragraph
LONG_COLUMNS = 600  # a longer paragraph ends with its sentence


def docx(transcript: Transcript, *, speakers: bool = True) -> bytes:
    """Return the transcript as a .docx file."""
    from docx import Document

    document = Document()
    _describe(document, transcript)
    document.add_heading(xml_text(title_of(transcript.name)), level=0)
    document.add_paragraph(xml_text("\n".join(provenance(transcript))))
    last_speaker: str | None = None
    for segments in paragraphs(transcript.segments):
        name = segments[0].speaker if speakers else None
        paragraph = document.add_paragraph()
        if transcript.timed:
            paragraph.add_run(f"[{clock(segments[0].start_s, hours=True)}] ").italic = True
        if name and name != last_speaker:
            paragraph.add_run(xml_text(prefix(name))).bold = True
        last_speaker = name
        said = paragraph.add_run(xml_text(joined(segments)))
        if right_to_left(said.text):
            _turn_round(paragraph.paragraph_format.element)
            said.font.rtl = True  # its punctuation, too (ECMA-376, 17.3.2.30)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def title_of(name: str) -> str:
    """Return a recording's name without its extension."""
    return PurePath(name).stem or name or "Transcript"


def provenance(transcript: Transcript) -> Iterator[str]:
    """Yield the provenance of the text: recording, length, language, model and speakers."""
    yield f"Recording: {transcript.name}, {clock(transcript.duration_s, hours=True)}"
    probability = transcript.language_probability
    yield f"Language: {transcript.language or 'unknown'}" + (f" ({100 * probability:.0f}% sure)" if probability else "")
    translated = ", translated into English" if transcript.options.task == "translate" else ""
    yield f"Transcribed by: model {display_name(transcript.model)} with {transcript.engine}{translated}"
    names = sorted({segment.speaker for segment in transcript.segments if segment.speaker})
    if names:
        yield f"Speakers: {', '.join(names)}"
    if transcript.findings:
        yield f"To review: {len(transcript.findings)} places, listed in the JSON file"


def paragraphs(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Yield segments of one paragraph each: one speaker, no long pause, limited length."""
    paragraph: list[Segment] = []
    columns = 0
    for segment in (each for each in segments if each.text.strip()):
        if paragraph:
            last = paragraph[-1]
            ended = columns >= LONG_COLUMNS and ends_sentence(last.text.split()[-1])
            if ended or segment.speaker != last.speaker or segment.start_s - last.end_s > PAUSE_S:
                yield paragraph
                paragraph, columns = [], 0
        paragraph.append(segment)
        columns += width(segment.text)
    if paragraph:
        yield paragraph


def joined(segments: Sequence[Segment]) -> str:
    """Return the segments' text as one string, with spaces if the script has them."""
    result = ""
    for text in (" ".join(segment.text.split()) for segment in segments):
        result += text if not result or without_spaces(result, text) else f" {text}"
    return result


def _describe(document: "Document", transcript: Transcript) -> None:
    properties = document.core_properties
    properties.title = xml_text(title_of(transcript.name))[:255]
    properties.author = "Whisper Transcriber"
    properties.comments = ""
    properties.language = transcript.language
    properties.created = properties.modified = utc_now().replace(tzinfo=None)  # python-docx writes them as UTC


def _turn_round(element: object) -> None:
    from docx.oxml import OxmlElement

    element.get_or_add_pPr().append(OxmlElement("w:bidi"))  # type: ignore[attr-defined]
