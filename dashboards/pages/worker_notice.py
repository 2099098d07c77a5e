"""A notice of what is wrong with the workers, the same on all pages."""

import streamlit as st

from dashboards import strings
from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import context
from storage.domain.clock import utc_now
from storage.remote.worker_troubles import troubles


def show(me: Viewer) -> None:
    """Show which workers fell silent and what no worker does; nothing if all is well."""
    found = [viewer.plain(formatting.sentence(one)) for one in troubles(context.workers(), utc_now())]
    if found:
        lines = [*found, strings.START_WORKERS] if me.is_admin else found
        st.warning("\n\n".join(lines), icon=":material/hourglass_disabled:")
