"""Highlights, summaries and chapters as files to read elsewhere."""

from collections.abc import Sequence

from storage.domain.records import Chapter, Note, Summary

MARKUP = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>#"})


def highlights(name: str, found: Sequence[Note], *, fmt: str) -> str:
    """Return highlights with their times, as Markdown or plain text."""
    if fmt == "md":
        lines = [f"- **{clock(one.at_s or 0)}** ({one.colour}) {one.quote.translate(MARKUP)}" for one in found]
        return "\n".join([f"# {name.translate(MARKUP)}", "", *lines, ""])
    return "".join(f"[{clock(one.at_s or 0)}] ({one.colour}) {one.quote}\n" for one in found)


def summary(name: str, made: Summary) -> str:
    """Return a summary with its chapters as Markdown."""
    lines = [f"- **{clock(one.start_s)}** {one.title.translate(MARKUP)}" for one in made.chapters]
    return "\n".join([f"# {name.translate(MARKUP)}", "", made.text.translate(MARKUP), "", *lines, ""])


def chapters(found: Sequence[Chapter]) -> str:
    """Return chapters as WebVTT, as `<track kind="chapters">` and players take them."""
    cues = [
        f"{clock(one.start_s)}.{_ms(one.start_s)} --> {clock(one.end_s)}.{_ms(one.end_s)}\n{_vtt(one.title)}\n"
        for one in found
    ]
    return "\n".join(["WEBVTT\n", *cues])


def clock(at_s: float) -> str:
    """Return a time as 00:12:03, cut to the second."""
    whole = int(round(at_s * 1000) // 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def _ms(at_s: float) -> str:
    return f"{round(at_s * 1000) % 1000:03}"


def _vtt(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
