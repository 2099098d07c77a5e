"""Charts over time, with 24 hours, whose place is kept until they are drawn."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import streamlit as st

from storage.domain.translation import number

CLOCK = "%H:%M"
WHOLE = {"scale": {"domainMin": 0}, "axis": {"tickMinStep": 1, "format": "d"}}
"""Ticks of counts, percents and megabytes, which have no places behind the point, also where all values are 0.

(With `g`, d3 writes 100 as 1e+2 where the ticks have one digit that counts.)
"""
COLORS = ("#2f8f7b", "#c4473e", "#3f7fc1")


def over_time(
    mark: Literal["line", "bar"],
    rows: Sequence[Mapping[str, Any]],
    *,
    key: str,
    at: str,
    names: Sequence[str],
    height: int,
) -> None:
    """Draw the columns `names` of the rows over their local time in the column `at`.

    Bars stand for an hour each, and on each other. `key` names the chart's place.
    """
    values = [
        {"at": _local(row[at]), "name": name, "value": row[name], "told": _told(row[at], name, row[name])}
        for row in rows
        for name in names
    ]
    x: dict[str, Any] = {"field": "at", "type": "temporal", "axis": {"format": CLOCK, "title": None, "grid": False}}
    if mark == "bar":
        x |= {"timeUnit": "yearmonthdatehours"}
    names_of = {"field": "name", "type": "nominal", "sort": None, "title": None}
    spec = {
        "mark": {"type": mark} | ({"point": "transparent"} if mark == "line" else {}),
        "height": height,
        "encoding": {
            "x": x,
            "y": {"field": "value", "type": "quantitative", "title": None} | WHOLE,
            "tooltip": {"field": "told", "type": "nominal"},
            "color": names_of
            | {
                "scale": {"domain": list(names), "range": list(COLORS[: len(names)])},
                "legend": {"orient": "bottom"} if len(names) > 1 else None,
            },
        },
    }
    with st.container(key=f"chart-{key}"):
        st.vega_lite_chart(values, spec, height=height)


def _told(at: datetime, name: str, value: float) -> str:
    """Say one value in the reader's language; a chart's own tip would name the fields."""
    return f"{at:%H:%M} · {name}: {number(round(value, 1), ',g')}"


def _local(at: datetime) -> str:
    return at.replace(tzinfo=None).isoformat(timespec="seconds")
