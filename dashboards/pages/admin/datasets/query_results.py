"""The result of a query: a table, a file, and a chart."""

from typing import Any

import streamlit as st

from dashboards.pages.admin.charts import COLORS
from dashboards.presenters import csv_text
from dashboards.services.datasets.dataset_queries import Answered
from dashboards.strings import dataset_texts as words

CHART_HEIGHT, NOTHING = 360, "–"
COLORS_OF = {"range": [*COLORS, "#b7791f", "#7a5bb5", "#5f6b6a"]}
"""As in other charts, and more: a query's column has any number of values."""


def show(found: Answered) -> None:
    """Show what a query found."""
    st.caption(words.found(found.rows, found.took_s))
    if not found.rows:
        st.info(words.NO_ROWS)
        return
    if found.cut:
        st.warning(words.cut(found.rows), icon=":material/content_cut:")
    table, chart = st.tabs([words.TABLE, words.CHART])
    with table:
        st.dataframe(found.columns, hide_index=True, key="query-result", height="content" if found.rows < 14 else 520)
        st.download_button(
            words.DOWNLOAD,
            lambda: csv_text.table(found.columns),
            file_name="query.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
    with chart:
        _chart(found)


def _chart(found: Answered) -> None:
    numbers = [name for name, values in found.columns.items() if _is_numeric(values)]
    if not numbers:
        st.info(words.NO_NUMBERS)
        return
    others = [name for name in found.columns if name not in numbers]
    with st.container(horizontal=True):
        kind = st.selectbox(words.CHART_KIND, list(words.CHART_KINDS), format_func=_kind, key="query-kind")
        across = st.selectbox(words.ACROSS, [*others, *numbers], key="query-across")
        up = st.selectbox(words.UP, numbers, index=len(numbers) - 1, key="query-up")
    color = next((name for name in others if name != across), None)
    values: list[dict[str, Any]] = [
        {"across": _axis(x), "up": y, "color": _label(c)}
        for x, y, c in zip(found.columns[across], found.columns[up], found.columns[color or across], strict=True)
    ]
    spec = {
        "mark": {"type": kind, "tooltip": True, "color": COLORS[0]},
        "height": CHART_HEIGHT,
        "encoding": {
            "x": {
                "field": "across",
                "type": "quantitative" if across in numbers else "nominal",
                "title": across,
                "sort": None,  # the query's order
            },
            "y": {"field": "up", "type": "quantitative", "title": up},
        }
        | ({"color": {"field": "color", "type": "nominal", "title": color, "scale": COLORS_OF}} if color else {}),
    }
    st.vega_lite_chart(values, spec, height=CHART_HEIGHT, key="query-chart")


def _kind(kind: str) -> str:
    return words.CHART_KINDS[kind]


def _is_numeric(values: list[Any]) -> bool:
    there = [value for value in values if value is not None]
    return bool(there) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)


def _axis(value: Any) -> Any:
    return value if isinstance(value, int | float) else _label(value)


def _label(value: Any) -> str:
    return NOTHING if value is None else str(value)
