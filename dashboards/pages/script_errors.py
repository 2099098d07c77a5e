"""What readers see when a page breaks on something unforeseen: plain words and an id that is found in the log."""

import logging
import secrets

import streamlit as st

from dashboards import strings

logger = logging.getLogger(__name__)


def on_script_error(error: Exception) -> bool:
    """Log the error under a fresh id and show that id in place of Streamlit's own message."""
    ident = secrets.token_hex(8)
    logger.error("a page broke", exc_info=error, extra={"request_id": ident})
    st.error(strings.MISHAP.format(ident=ident), icon=":material/error:")
    return True
