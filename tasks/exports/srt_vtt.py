"""Write cues as SubRip, WebVTT and SBV files, from whole milliseconds.

SRT has no way to escape markup: FFmpeg drops `<…>`, libass and pysubs2 `{…}`, so that such text is spelled with
similar marks. pysubs2 writes it, leaves `-->` unchanged, and counts no further than 100 hours. VTT is escaped as
https://www.w3.org/TR/webvtt1/ requires, which no available writer does.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from html import escape

from storage.domain.records import Word
from tasks.exports.cues import Cue, prefix

HOUR_MS = 3_600_000
LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
SRT_END_MS = 100 * HOUR_MS - 1
SILENT_SRT = "1\n00:00:00,000 --> 00:00:00,001\n\u200b\n\n"  # readers refuse a file without any cue, or without text
SILENT_SBV = "0:00:00.000,0:00:00.001\n\u200b\n\n"
LOOKS_LIKE_TAG, LOOKS_LIKE_OVERRIDE = re.compile(r"<[^>]*>"), re.compile(r"\{[^}]*\}")
ANGLES, BRACES, BACKSLASH = str.maketrans("<>", "‹›"), str.maketrans("{}", "()"), str.maketrans("\\", "⧵")
MOMENT, COLON = re.compile(r"\d+:\d+:\d+[.,]\d"), str.maketrans(":", "∶")
NO_BREAK_SPACE = "\u00a0"


def srt(cues_found: Sequence[Cue], *, highlight: bool = False) -> str:
    """Return cues as SubRip; with `highlight`, one subtitle per word, which is underlined."""
    from pysubs2 import SSAEvent, SSAFile

    document = SSAFile()
    for cue in cues_found:
        for start_ms, end_ms, text in _steps(cue) if highlight else _whole(cue):
            document.append(SSAEvent(start=min(start_ms, SRT_END_MS), end=min(end_ms, SRT_END_MS), text=text))
    # keep_ssa_tags: braces are part of the text here, not tags to strip
    return document.to_string("srt", keep_ssa_tags=True) if len(document) else SILENT_SRT


def vtt(cues_found: Sequence[Cue], *, highlight: bool = False, language: str | None = None) -> str:
    """Return cues as WebVTT with voices; with `highlight`, words carry time stamps.

    Cues in a language other than `language`, the recording's, carry a language tag.
    """
    parts = ["WEBVTT"]
    for cue in cues_found:
        text = "\n".join(_vtt_lines(cue, highlight=highlight))
        if language and cue.language not in {None, language} and LANGUAGE_TAG.fullmatch(str(cue.language)):
            text = f"<lang {cue.language}>{text}</lang>"
        if cue.speaker:
            text = f"<v {_escaped(' '.join(cue.speaker.split()))}>{text}"
        parts.append(f"{vtt_timestamp(cue.start_s)} --> {vtt_timestamp(cue.end_s)}\n{text}")
    return "\n\n".join(parts) + "\n"


def sbv(cues_found: Sequence[Cue]) -> str:
    """Return cues as YouTube's SBV, with text spelled as in SRT."""
    blocks = [
        "\n".join([f"{_sbv_timestamp(cue.start_s)},{_sbv_timestamp(cue.end_s)}", *_srt_lines(cue)])
        for cue in cues_found
    ]
    return "".join(f"{block}\n\n" for block in blocks) or SILENT_SBV


def srt_spelling(text: str, *, tagged: bool = False) -> dict[int, int]:
    """Return what replaces the marks of this text that readers take for markup.

    Among tags, which end in `>` or `}`, any `<` and `{` looks like one.
    """
    angles = ANGLES if LOOKS_LIKE_TAG.search(text) or (tagged and "<" in text) else {}
    braces = BRACES if LOOKS_LIKE_OVERRIDE.search(text) or (tagged and "{" in text) else {}
    return BACKSLASH | angles | braces


def lines_of(cue: Cue, marked: Callable[[Word], str]) -> list[str]:
    """Return the cue's lines without empty ones, which would end it.

    A last line of digits would be read as the number of a next cue; a space that is no blank prevents that.
    """
    lines = [line for line in ("".join(map(marked, words)).strip() for words in cue.lines) if line] or ["…"]
    if len(lines) > 1 and lines[-1].isdigit():
        lines[-1] = NO_BREAK_SPACE + lines[-1]
    return lines


def milliseconds(at_s: float) -> int:
    """Return a moment as whole milliseconds; all output is rounded here, once."""
    return max(0, round(at_s * 1000))


def vtt_timestamp(at_s: float) -> str:
    """Return HH:MM:SS.mmm, with more digits for hours if needed."""
    minutes, rest_ms = divmod(milliseconds(at_s), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest_ms // 1000:02d}.{rest_ms % 1000:03d}"


def _whole(cue: Cue) -> Iterator[tuple[int, int, str]]:
    yield milliseconds(cue.start_s), milliseconds(cue.end_s), _srt_text(cue)


def _steps(cue: Cue) -> Iterator[tuple[int, int, str]]:
    """Yield one subtitle per word, and the plain cue in pauses, as openai-whisper does.

    The option there is --highlight_words.
    """
    position_ms, last_ms = milliseconds(cue.start_s), milliseconds(cue.end_s)
    for word in cue.words:
        start_ms = min(max(position_ms, milliseconds(word.start_s)), last_ms)
        end_ms = min(max(start_ms, milliseconds(word.end_s)), last_ms)
        if end_ms == start_ms:
            continue
        if start_ms > position_ms:
            yield position_ms, start_ms, _srt_text(cue, tagged=True)
        yield start_ms, end_ms, _srt_text(cue, tagged=True, underlined=word)
        position_ms = end_ms
    if last_ms > position_ms:
        yield position_ms, last_ms, _srt_text(cue, tagged=True)


def _srt_text(cue: Cue, *, tagged: bool = False, underlined: Word | None = None) -> str:
    return "\\N".join(_srt_lines(cue, tagged=tagged, underlined=underlined))


def _srt_lines(cue: Cue, *, tagged: bool = False, underlined: Word | None = None) -> list[str]:
    """Return the lines such that no reader, nor pysubs2, mistakes text for markup."""
    spelled = srt_spelling(cue.text.replace("-->", "→"), tagged=tagged)
    if len(MOMENT.findall(cue.text)) > 1:  # pysubs2 takes a line with two for the times of a cue
        spelled |= COLON

    def marked(word: Word) -> str:
        text = word.text.replace("-->", "→").translate(spelled)
        if word is not underlined:
            return text
        name = f" {prefix(cue.speaker)}".translate(spelled) if cue.speaker else ""
        lead = name if name and text.startswith(name) else text[: len(text) - len(text.lstrip())]
        return f"{lead}<u>{text[len(lead) :]}</u>"

    return [line.replace("-->", "→") for line in lines_of(cue, marked)]  # also where two words make one


def _vtt_lines(cue: Cue, *, highlight: bool) -> list[str]:
    latest_ms, last_ms = milliseconds(cue.start_s), milliseconds(cue.end_s)

    def marked(word: Word) -> str:
        nonlocal latest_ms
        text = _escaped(word.text)
        start_ms = milliseconds(word.start_s)
        if not highlight or not latest_ms < start_ms < last_ms:  # the first word starts with the cue
            return text
        latest_ms = start_ms
        return f"{' ' * text.startswith(' ')}<{vtt_timestamp(word.start_s)}>{text.lstrip()}"

    return lines_of(cue, marked)


def _sbv_timestamp(at_s: float) -> str:
    hours, _, rest = vtt_timestamp(at_s).partition(":")
    return f"{int(hours)}:{rest}"


def _escaped(text: str) -> str:
    return escape(text, quote=False)
