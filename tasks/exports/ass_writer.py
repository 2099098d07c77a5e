"""Write cues as Advanced SubStation Alpha, which libass draws and Aegisub edits.

pysubs2 writes no times after ten hours, so that its writer is not used here. Braces and backslashes are markup to every
reader and have no escape that all of them know; they are spelled as in SRT files.
"""

from collections.abc import Iterator, Sequence

from tasks.exports.cues import Cue
from tasks.exports.srt_vtt import lines_of, milliseconds, srt_spelling

HEADER = """\
[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288
WrapStyle: 0
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&H00FFFFFF,&H0000FFFF,&H00000000,&H00000000,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,{encoding}

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
ANY, BY_LETTERS = 1, -1
"""Values of `Encoding`: with the second, libass takes the direction of each line from its letters."""


def ass(cues_found: Sequence[Cue], *, highlight: bool = False) -> str:
    """Return cues as ASS; with `highlight`, words change their colour as they are spoken (karaoke)."""
    encoding = BY_LETTERS if any(cue.right_to_left for cue in cues_found) else ANY
    return HEADER.format(encoding=encoding) + "".join(_event(cue, highlight=highlight) for cue in cues_found)


def _event(cue: Cue, *, highlight: bool) -> str:
    begin, end = (_timestamp(at_s) for at_s in (cue.start_s, cue.end_s))
    actor = " ".join((cue.speaker or "").replace(",", " ").split())
    return f"Dialogue: 0,{begin},{end},Default,{actor},0,0,0,,{_text(cue, highlight=highlight)}\n"


def _text(cue: Cue, *, highlight: bool) -> str:
    spelled = srt_spelling(cue.text, tagged=highlight)
    for angle in map(ord, "<>"):  # no markup in ASS
        spelled.pop(angle, None)
    waits = _waits(cue) if highlight else iter(())

    def marked(text: str) -> str:
        wait = next(waits, "")
        lead = text[: len(text) - len(text.lstrip())]
        return f"{lead}{wait}{text.lstrip().translate(spelled)}"

    return "\\N".join(lines_of(cue, lambda word: marked(word.text)))


def _waits(cue: Cue) -> Iterator[str]:
    """Yield each word's karaoke tag: the hundredths of a second until the next one."""
    begin = _hundredths(cue.start_s)
    starts = [max(begin, _hundredths(word.start_s)) for word in cue.words] + [_hundredths(cue.end_s)]
    for number, start in enumerate(starts[:-1]):
        silence = f"{{\\k{start - begin}}}" if not number and start > begin else ""
        yield f"{silence}{{\\k{max(0, starts[number + 1] - start)}}}"


def _hundredths(at_s: float) -> int:
    return milliseconds(at_s) // 10


def _timestamp(at_s: float) -> str:
    """Return H:MM:SS.cc; rounded down, so that cues stay apart."""
    minutes, rest = divmod(_hundredths(at_s), 6000)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest // 100:02d}.{rest % 100:02d}"
