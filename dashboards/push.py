"""The WebSocket that hands each user's job changes on to the open pages."""

import asyncio
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from dashboards import context
from dashboards.callers import caller_of
from dashboards.events import Listener
from storage.records import Role

GATHER_S = 0.05


async def events(websocket: WebSocket) -> None:
    """Push `{job_id, owner_id, and, where known, state, progress, detail, attempt}` for each change of a caller's job.

    An admin who asks with `?all=1` hears of everybody's. A job that changes twice within 50 ms is told once.
    """
    user = caller_of(websocket).the_user()
    everybody = user.role is Role.ADMIN and websocket.query_params.get("all") == "1"
    await websocket.accept()
    with context.current().bus.listen(owner_id=None if everybody else user.id) as listener:
        pushing = asyncio.ensure_future(_push(websocket, listener))
        try:
            while (await websocket.receive())["type"] != "websocket.disconnect":
                pass
        finally:
            pushing.cancel()
            with suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await pushing


async def _push(websocket: WebSocket, listener: Listener) -> None:
    while True:
        for news in await listener.next():
            await websocket.send_json(news)
        await asyncio.sleep(GATHER_S)
