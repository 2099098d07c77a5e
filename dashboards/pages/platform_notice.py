"""A notice of what is wrong with the platform, the same on all pages."""

from collections.abc import Sequence

import streamlit as st

from dashboards import strings
from dashboards.pages import viewer
from dashboards.pages.viewer import Viewer
from dashboards.presenters import formatting
from dashboards.runtime import context
from storage.domain.clock import utc_now
from storage.remote.part_troubles import PlatformPart, storage_away
from storage.remote.worker_troubles import troubles


def show(me: Viewer) -> None:
    """Show which parts are away, which workers fell silent and what no worker does."""
    away, workers = context.current().parts.troubles(), troubles(context.workers(), utc_now())
    _say([*away, *workers, *([strings.START_WORKERS] if me.is_admin and workers else [])])


def storage() -> None:
    """Show that storage is away, where a finished recording would be played and downloaded."""
    if context.current().parts.reason(PlatformPart.STORAGE) is not None:
        _say([storage_away()])


def _say(found: Sequence[str]) -> None:
    if found:
        lines = [one if one == strings.START_WORKERS else viewer.plain(formatting.sentence(one)) for one in found]
        st.warning("\n\n".join(lines), icon=":material/hourglass_disabled:")
