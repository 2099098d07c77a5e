"""The message for unforeseen page errors, with an id that is in the log."""

import logging
import secrets

import streamlit as st

from dashboards import strings

logger = logging.getLogger(__name__)


def on_script_error(error: Exception) -> bool:
    """Log the error with a new id, and show the id instead of Streamlit's message."""
    ident = secrets.token_hex(8)
    logger.error("a page broke", exc_info=error, extra={"request_id": ident})
    st.error(strings.MISHAP.format(ident=ident), icon=":material/error:")
    return True
