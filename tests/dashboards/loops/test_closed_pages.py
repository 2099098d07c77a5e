"""Sessions of closed pages, with Streamlit's own storage of them."""

import weakref
from typing import Any, cast

import pytest
from streamlit.runtime import Runtime
from streamlit.runtime.memory_session_storage import MemorySessionStorage
from streamlit.runtime.session_manager import SessionInfo

from dashboards.loops.closed_pages import forget_closed_pages


class PlayedSession:
    """A session of a page, as far as the storage looks at it."""

    id = "closed"


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(("kept_s", "forgotten"), [(0, True), (3600, False)])
async def test_a_closed_page_is_forgotten_in_time_though_no_other_is_closed(kept_s: int, *, forgotten: bool) -> None:
    manager = cast(Any, Runtime.instance())._session_mgr
    assert isinstance(manager._session_storage, MemorySessionStorage)
    manager._session_storage = storage = MemorySessionStorage(ttl_seconds=kept_s)
    session = PlayedSession()
    storage.save(SessionInfo(client=None, session=cast(Any, session)))
    seen = weakref.ref(session)
    del session

    assert seen() is not None, "Streamlit let go of it by itself"
    await forget_closed_pages()
    assert (seen() is None) is forgotten
