"""A long list in pages, with buttons to the first and the next one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager(Generic[Row]):
    """The pages of one list.

    `key` is where the session keeps the mark after which the page starts, `mark` returns that of a row, and `labels`
    those of the buttons.
    """

    key: str
    mark: Callable[[Row], Any]
    labels: Callable[[], tuple[str, str]]

    @property
    def start(self) -> Any:
        """The mark to read after; None on the first page."""
        return st.session_state.get(self.key)

    def turn_to(self, mark: Any) -> None:
        st.session_state[self.key] = mark

    @property
    def restart(self) -> dict[str, Any]:
        """Arguments of a filter, so that a change returns to the first page."""
        return {"on_change": self.turn_to, "args": (None,)}

    def buttons(self, found: Sequence[Row], rows: int) -> None:
        """Offer the first page, and the next if more than `rows` were found."""
        to_first, to_next = self.labels()
        if self.start:
            self._button("first", to_first, None, icon=":material/first_page:", type="tertiary")
        if len(found) > rows:
            last = self.mark(found[rows - 1])
            self._button("next", to_next, last, icon=":material/chevron_right:", icon_position="right")

    def _button(self, which: str, label: str, mark: Any, **look: Any) -> None:
        st.button(label, key=f"{self.key}-{which}", on_click=self.turn_to, args=(mark,), **look)
