"""Notes on a corrected text say how the attempt to give it times ended.

Each is a code with arguments, a part of `JobMessage`, and is put into words when shown.
"""

from dataclasses import dataclass
from typing import Literal, assert_never

from storage.domain.translation import gettext as _


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTimed:
    """The text has its times; `share` of its words was heard as written."""

    share: float
    words: int
    timed: int
    code: Literal["text_timed"] = "text_timed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNotTimed:
    """The run ended without a report, or never began."""

    sent: bool = True
    code: Literal["text_not_timed"] = "text_not_timed"


TextTimingNote = TextTimed | TextNotTimed


def words(note: TextTimingNote) -> str:
    """Put a note into words."""
    match note:
        case TextTimed():
            return _(
                "Aligned text: {share:.0%} of {words} words heard as written, {timed} timed from the sound",
                share=note.share,
                words=note.words,
                timed=note.timed,
            )
        case TextNotTimed(sent=sent):
            return _(
                "its run ended without a result; try again"
                if sent
                else "it could not be sent to the workers; try again"
            )
        case _ as never:
            assert_never(never)
