"""The fields of a campaign's budget, in a form."""

import streamlit as st

from dashboards.pages.viewer import Viewer
from dashboards.strings import campaign_texts as words
from storage.campaigns.campaign_states import Budget


def fields(me: Viewer, now: Budget) -> Budget:
    """Draw the fields of a budget, and return what they say.

    Hours that are changed are of the reader's time zone.
    """
    columns = st.columns(3)
    device_hours = columns[0].number_input(
        words.DEVICE_HOURS, min_value=0.0, value=(now.device_s or 0) / 3600, help=words.DEVICE_HOURS_HELP
    )
    hours: list[int | None] = [None, *range(24)]
    start, end = (
        column.selectbox(label, hours, index=hours.index(hour), format_func=_hour)
        for column, label, hour in zip(
            columns[1:], (words.FROM_HOUR, words.UNTIL_HOUR), (now.from_hour, now.until_hour), strict=True
        )
    )
    zone = now.time_zone if (start, end) == (now.from_hour, now.until_hour) else str(me.zone)
    return Budget(device_s=3600 * device_hours or None, from_hour=start, until_hour=end, time_zone=zone)


def _hour(hour: int | None) -> str:
    return words.ALL_DAY if hour is None else f"{hour:02}:00"
