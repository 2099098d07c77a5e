"""Job changes for open pages and programs: a WebSocket, and server-sent events.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from dashboards.http.access_middleware import MOST_WEBSOCKETS
from dashboards.http.identity import caller_of, language_of
from dashboards.runtime import context
from dashboards.runtime.event_bus import KeptNews, News, Subscriber
from dashboards.runtime.websocket_registry import Door
from dashboards.services import job_access
from storage.domain import translation
from storage.domain.errors import TooManyOpen
from storage.domain.scopes import Scope

router = APIRouter(tags=["jobs"])

GATHER_S = 0.05
STILL_HERE_S = 15.0
"""A comment this often keeps proxies from closing an idle stream."""
CROWD_S = 0.001
"""Updates with many listeners are batched longer: a thousand open lists get one per second."""


async def events(websocket: WebSocket) -> None:
    """Send `{id, job_id, owner_id, state, progress, detail, attempt, parts}` for each job change.

    Unknown fields are omitted. The events are of the caller's jobs; an admin who asks with `?all=1` gets
    everybody's. `parts` of the text so far can be read. With `?last_id=`, the events after that one come first, or
    `{"missed": true}` if some of them are not known any more. Changes within 50 ms are sent once. Our own pages ask
    with `?batch=1` and get arrays of events with list rows in them, and with `heard`, the number of events when the
    page was rendered, `[{"missed": true}]` if it missed some; an event with `missed` follows a change that belongs
    to no job.
    """
    user = caller_of(websocket).the_user()
    last_id = websocket.query_params.get("last_id")
    everybody = job_access.may_see_all(user) and websocket.query_params.get("all") == "1"
    bus, owner_id = context.current().bus, None if everybody else user.id
    batch = websocket.query_params.get("batch") == "1"
    language = await language_of(websocket) if batch else translation.ENGLISH
    with bus.listen(owner_id=owner_id, is_page=batch) as listener:
        told = str(bus.count(owner_id))
        await websocket.accept()
        if websocket.query_params.get("heard", told) != told:
            await websocket.send_text('[{"missed":true}]')
        before = [] if last_id is None or batch else _missed(last_id, owner_id)
        push = _push_batches(websocket, listener, language) if batch else _push(websocket, listener, before)
        pushing = asyncio.ensure_future(push)
        try:
            while (await websocket.receive())["type"] != "websocket.disconnect":
                pass
        finally:
            pushing.cancel()
            with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await pushing


def _missed(last_id: str, owner_id: str | None) -> Sequence[News | KeptNews]:
    """Return the events after one, or an event that says that some are lost."""
    bus = context.current().bus
    found = bus.since(last_id, owner_id)
    return [News({"missed": True}, ident=bus.last_ident())] if found is None else found


async def _push(websocket: WebSocket, listener: Subscriber, before: Sequence[News | KeptNews]) -> None:
    for news in before:
        await websocket.send_text(news.for_programs)
    sent = max((news.seq for news in before), default=0)
    while True:
        await listener.some()
        for news in listener.taken():
            if news.seq > sent:
                await websocket.send_text(news.for_programs)
        await asyncio.sleep(GATHER_S)


async def _push_batches(websocket: WebSocket, listener: Subscriber, language: str) -> None:
    crowd = 1
    while True:
        await listener.some()
        await asyncio.sleep(CROWD_S * crowd)
        news = listener.taken()
        crowd = max(one.crowd for one in news)
        await websocket.send_text(f"[{','.join(one.for_pages_in(language) for one in news)}]")
        await asyncio.sleep(GATHER_S)


@router.get(
    "/v1/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "The stream."}},
)
async def server_sent_events(
    request: Request,
    everybody: Annotated[bool, Query(description="Events of all users' jobs; for administrators.")] = False,
    last_id: Annotated[str | None, Query(description="Like the header, for the first connection.")] = None,
    last_event_id: Annotated[str | None, Header(description="The id of the last event that was received.")] = None,
) -> StreamingResponse:
    """Stream job changes as server-sent events, each `{id, job_id, owner_id, state, progress, …}`.

    A client that was away sends `Last-Event-ID`, as browsers do, and gets what it missed. If some of it is not known
    any more, an event of the type `missed` comes first: look at the jobs again.
    """
    caller = caller_of(request)
    if everybody:
        caller.require(Scope.ADMIN)
    owner_id = job_access.listed_owner(caller.the_user(), everybody=everybody, doing="listening to everybody's jobs")
    ident = caller.lets_in or ""
    if context.current().doors.count(ident) >= MOST_WEBSOCKETS:
        raise TooManyOpen(MOST_WEBSOCKETS)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    lines = _lines(ident, owner_id, last_event_id or last_id)
    return StreamingResponse(lines, media_type="text/event-stream", headers=headers)


async def _lines(ident: str, owner_id: str | None, last_id: str | None) -> AsyncIterator[str]:
    """Yield the events; ends with the session or key."""
    holder = context.current()
    with holder.doors.passed(ident) as door, holder.bus.listen(owner_id=owner_id) as listener:
        yield f"retry: 2000\nid: {holder.bus.last_ident()}\n\n" if last_id is None else "retry: 2000\n\n"
        sent = 0
        for news in _missed(last_id, owner_id) if last_id is not None else ():
            yield _event(news)
            sent = max(sent, news.seq)
        while not door.is_shut():
            if not await _some(listener, door):
                yield ": still here\n\n"
                continue
            for news in listener.taken():
                if news.seq > sent:
                    yield _event(news)
            await asyncio.sleep(GATHER_S)


def _event(news: News | KeptNews) -> str:
    kind = "event: missed\n" if isinstance(news, News) and "missed" in news.facts else ""
    return f"id: {news.ident}\n{kind}data: {news.for_programs}\n\n"


async def _some(listener: Subscriber, door: Door) -> bool:
    """Wait for events; return whether there are any."""
    door.waiting = task = asyncio.current_task()
    try:
        async with asyncio.timeout(STILL_HERE_S):
            await listener.some()
    except TimeoutError:
        return False
    except asyncio.CancelledError:
        if task is None or not door.is_shut() or task.uncancel():
            raise
        return False
    finally:
        door.waiting = None
    return True
