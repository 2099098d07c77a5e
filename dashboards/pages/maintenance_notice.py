"""A banner on all pages while the platform is paused for maintenance."""

import streamlit as st

from dashboards import components
from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import context, db
from dashboards.strings import admin as words
from dashboards.strings import upkeep_texts
from storage.jobs import platform_pause


@st.fragment
def show(me: Viewer) -> None:
    """Show why nothing is transcribed; it comes and goes on open pages, too."""
    components.live(key="maintenance-live", job=platform_pause.SUBJECT, everybody=me.is_admin)
    pause = db.look(platform_pause.find)
    if low := context.current().disks.low:
        free, spare = formatting.size(low.free_bytes), formatting.size(low.spare_bytes)
        st.error(upkeep_texts.disk_low(free, spare), icon=":material/hard_drive:")
    if pause is not None:
        st.warning(words.maintenance(viewer.plain(pause.reason)), icon=":material/construction:")
