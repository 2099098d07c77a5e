"""The WebSocket that hands each user's job changes on to the open pages."""

import asyncio
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from dashboards import context
from dashboards.callers import caller_of
from dashboards.events import Listener
from storage.records import Role

GATHER_S = 0.05
CROWD_S = 0.001
"""News that many wait for are gathered for longer: a thousand open lists are sent to once a second, not ten times."""


async def events(websocket: WebSocket) -> None:
    """Push `{job_id, owner_id, and, where known, state, progress, detail, attempt, parts}` for each change of a job.

    They are the caller's jobs; an admin who asks with `?all=1` hears of everybody's. `parts` of the text so far can be
    read along. What changes twice within 50 ms is told once. Our own pages ask with `?batch=1`: they get arrays of
    news, with the row of a list in them, and with `heard`, how much had been told when the page was made,
    `[{"missed": true}]` where that is not all any more.
    """
    user = caller_of(websocket).the_user()
    everybody = user.role is Role.ADMIN and websocket.query_params.get("all") == "1"
    bus, owner_id = context.current().bus, None if everybody else user.id
    with bus.listen(owner_id=owner_id) as listener:
        told = str(bus.count(owner_id))
        await websocket.accept()
        if websocket.query_params.get("heard", told) != told:
            await websocket.send_text('[{"missed":true}]')
        batch = websocket.query_params.get("batch") == "1"
        pushing = asyncio.ensure_future(_push_batches(websocket, listener) if batch else _push(websocket, listener))
        try:
            while (await websocket.receive())["type"] != "websocket.disconnect":
                pass
        finally:
            pushing.cancel()
            with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await pushing


async def _push(websocket: WebSocket, listener: Listener) -> None:
    while True:
        await listener.some()
        for news in listener.taken():
            await websocket.send_text(news.for_programs)
        await asyncio.sleep(GATHER_S)


async def _push_batches(websocket: WebSocket, listener: Listener) -> None:
    crowd = 1
    while True:
        await listener.some()
        await asyncio.sleep(CROWD_S * crowd)
        news = listener.taken()
        crowd = max(one.crowd for one in news)
        await websocket.send_text(f"[{','.join(one.for_pages for one in news)}]")
        await asyncio.sleep(GATHER_S)
