"""Cues as SubRip and WebVTT files, always from whole milliseconds.

SRT goes through pysubs2, which takes `{…}` and backslashes for its own tags and leaves `-->` as it is, and counts
no further than 100 hours; VTT escapes as https://www.w3.org/TR/webvtt1/ asks, which no writer at hand does.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from html import escape

from storage.records import Word
from tasks.cues import Cue, prefix

HOUR_MS = 3_600_000
LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
SRT_END_MS = 100 * HOUR_MS - 1


def srt(found: Sequence[Cue], *, highlight: bool = False) -> str:
    """Return cues as SubRip; with `highlight` each word has a subtitle of its own in which it is underlined."""
    from pysubs2 import SSAEvent, SSAFile

    written = SSAFile()
    for cue in found:
        for start_ms, end_ms, text in _steps(cue) if highlight else _whole(cue):
            written.append(SSAEvent(start=min(start_ms, SRT_END_MS), end=min(end_ms, SRT_END_MS), text=text))
    # keep_ssa_tags: braces are somebody's words here, not tags to be stripped
    return written.to_string("srt", keep_ssa_tags=True) if len(written) else ""


def vtt(found: Sequence[Cue], *, highlight: bool = False, language: str | None = None) -> str:
    """Return cues as WebVTT, with speakers as voices; with `highlight` each word begins at its own time stamp.

    Cues in another language than `language`, the recording's, name theirs.
    """
    parts = ["WEBVTT"]
    for cue in found:
        text = "\n".join(_vtt_lines(cue, highlight=highlight))
        if language and cue.language not in {None, language} and LANGUAGE_TAG.fullmatch(str(cue.language)):
            text = f"<lang {cue.language}>{text}</lang>"
        if cue.speaker:
            text = f"<v {_escaped(' '.join(cue.speaker.split()))}>{text}"
        parts.append(f"{vtt_timestamp(cue.start_s)} --> {vtt_timestamp(cue.end_s)}\n{text}")
    return "\n\n".join(parts) + "\n"


def milliseconds(at_s: float) -> int:
    """Return a moment as whole milliseconds; everything that is written is rounded here, once."""
    return max(0, round(at_s * 1000))


def vtt_timestamp(at_s: float) -> str:
    """Return HH:MM:SS.mmm, with more digits of hours where they are needed."""
    minutes, rest_ms = divmod(milliseconds(at_s), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest_ms // 1000:02d}.{rest_ms % 1000:03d}"


def _whole(cue: Cue) -> Iterator[tuple[int, int, str]]:
    yield milliseconds(cue.start_s), milliseconds(cue.end_s), _srt_text(cue)


def _steps(cue: Cue) -> Iterator[tuple[int, int, str]]:
    """Yield one subtitle a word, and the plain cue where nobody speaks, as openai-whisper's --highlight_words does."""
    now_ms, last_ms = milliseconds(cue.start_s), milliseconds(cue.end_s)
    for word in cue.words:
        start_ms = min(max(now_ms, milliseconds(word.start_s)), last_ms)
        end_ms = min(max(start_ms, milliseconds(word.end_s)), last_ms)
        if end_ms == start_ms:
            continue
        if start_ms > now_ms:
            yield now_ms, start_ms, _srt_text(cue)
        yield start_ms, end_ms, _srt_text(cue, underlined=word)
        now_ms = end_ms
    if last_ms > now_ms:
        yield now_ms, last_ms, _srt_text(cue)


def _srt_text(cue: Cue, *, underlined: Word | None = None) -> str:
    """Return the lines as neither a reader nor pysubs2 takes them for anything but text."""

    def marked(word: Word) -> str:
        text = word.text.replace("-->", "→").replace("\\", "⧵")
        if word is not underlined:
            return text
        name = f" {prefix(cue.speaker)}" if cue.speaker else ""
        lead = name if name and text.startswith(name) else text[: len(text) - len(text.lstrip())]
        return f"{lead}<u>{text[len(lead) :]}</u>"

    return "\\N".join(_lines(cue, marked))


def _vtt_lines(cue: Cue, *, highlight: bool) -> list[str]:
    latest_ms, last_ms = milliseconds(cue.start_s), milliseconds(cue.end_s)

    def marked(word: Word) -> str:
        nonlocal latest_ms
        text = _escaped(word.text)
        start_ms = milliseconds(word.start_s)
        if not highlight or not latest_ms < start_ms < last_ms:  # the first word begins with the cue
            return text
        latest_ms = start_ms
        return f"{' ' * text.startswith(' ')}<{vtt_timestamp(word.start_s)}>{text.lstrip()}"

    return _lines(cue, marked)


def _lines(cue: Cue, marked: Callable[[Word], str]) -> list[str]:
    """Return the cue's lines without empty ones, which would end it."""
    return [line for line in ("".join(map(marked, words)).strip() for words in cue.lines) if line] or ["…"]


def _escaped(text: str) -> str:
    return escape(text, quote=False)
