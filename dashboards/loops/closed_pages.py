"""Forget the sessions of pages that were closed.

Streamlit keeps them for two minutes, so that a page whose connection broke goes on where it was. But it lets go of
older ones only when another page is closed: until then it holds up to 128, with what each of them loaded.
"""

from typing import Any, cast

from streamlit import runtime

LOOK_EVERY_S = 60.0


async def forget_closed_pages() -> None:
    """Let go of sessions that nobody can continue any more."""
    if runtime.exists():
        manager = cast(Any, runtime.get_instance())._session_mgr
        manager._session_storage._cache.expire()
