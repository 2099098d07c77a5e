"""The web process: one `st.App` on one port, with the pages, the APIs, the uploads, and the ledger that it owns."""

import asyncio
import importlib
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, WebSocketRoute

from dashboards import (
    admin_api,
    answers,
    audit_export,
    auth,
    bundles,
    context,
    health,
    indexing,
    jobs_api,
    joining,
    known,
    landing,
    media,
    openai_api,
    own_data,
    provider_login,
    shared,
    shell,
    uploads,
    worker_api,
)
from dashboards.context import Context
from dashboards.dispatch import Dispatcher
from dashboards.gate import Gate
from dashboards.headers import Headers
from dashboards.mishaps import on_script_error
from dashboards.postman import deliver
from dashboards.prefect_runs import PrefectRuns
from dashboards.push import events
from dashboards.reconcile import Reconciler
from dashboards.shell import Shell
from dashboards.sockets import Straight
from dashboards.taking_leave import erase_leavers
from dashboards.watch import watch_doors, watch_machine
from storage import users
from storage.files import Files
from storage.ledger import Ledger
from storage.settings import Settings
from storage.tokens import worker_token

logger = logging.getLogger(__name__)

SCRIPT = Path(__file__).parent / "main.py"
SWEEP_EVERY_S = 600.0
ERASE_EVERY_S = 5.0
RESTART_AFTER_S = 2.0
FOR_THE_FIRST_PAGE = ("numpy", "PIL.Image", "PIL.ImageFile")
"""What Streamlit imports when it first shows a picture: our mark."""


def build(settings: Settings | None = None, *, ledger: Ledger | None = None) -> st.App:
    """Return the app. The ledger is opened when it starts, unless one is handed over; it is closed in any case."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(_: st.App) -> AsyncIterator[None]:
        opened = ledger if ledger else await asyncio.to_thread(_open, settings)
        try:
            async with _running(settings, opened):
                yield
        finally:
            await asyncio.to_thread(opened.close)

    return st.App(
        SCRIPT,
        routes=routes(),
        middleware=[
            Middleware(Headers),
            Middleware(Gate, token=worker_token(settings)),
            Middleware(Straight),
            Middleware(Shell),
        ],
        exception_handlers=answers.HANDLERS,
        on_script_error=on_script_error,
        lifespan=lifespan,
    )


def routes() -> list[BaseRoute]:
    """Return every route of ours; Streamlit adds its own behind them."""
    return [
        *health.ROUTES,
        *shell.ROUTES,
        *auth.ROUTES,
        *joining.ROUTES,
        *provider_login.ROUTES,
        *own_data.ROUTES,
        *audit_export.ROUTES,
        *uploads.ROUTES,
        *known.ROUTES,
        *media.ROUTES,
        *shared.ROUTES,
        *bundles.ROUTES,
        *openai_api.ROUTES,
        Mount("/api", jobs_api.api),
        *worker_api.ROUTES,
        *admin_api.ROUTES,
        WebSocketRoute("/events", events),
    ]


def _open(settings: Settings) -> Ledger:
    return Ledger.open(settings.storage.ledger_path)


@asynccontextmanager
async def _running(settings: Settings, ledger: Ledger) -> AsyncIterator[None]:
    _first_start(ledger, settings)
    holder = Context(settings=settings, ledger=ledger, files=Files.from_settings(settings.storage))
    with context.use(holder):
        dispatcher, reconciler = Dispatcher(), Reconciler()
        holder.wake_dispatcher, holder.wake_reconciler = dispatcher.wake, reconciler.wake
        holder.adopt = dispatcher.adopt
        holder.background.start(conduct(dispatcher, reconciler), "dispatch and reconcile")
        holder.background.start(watch_doors(), "watch sessions")
        holder.background.start(watch_machine(), "watch the machine")
        holder.background.start(indexing.keep_up(), "search index")
        holder.background.start(deliver(), "send mails")
        holder.background.start(_every(ERASE_EVERY_S, erase_leavers), "delete accounts")
        holder.background.start(_every(SWEEP_EVERY_S, landing.resume, landing.sweep), "look after uploads")
        try:
            yield
        finally:
            await holder.background.stop()


def _first_start(ledger: Ledger, settings: Settings) -> None:
    """Make the administrator where there are no users yet; a password that was made up is shown this once."""
    password = ledger.run(users.ensure_admin, settings.web.admin_password)
    if password:
        sys.stdout.write(
            f"\n  First start: log in at {settings.web.base_url} as `admin` with the password\n\n      {password}\n\n"
            "  It is shown this once, and has to be changed at the first log-in.\n\n"
        )
        sys.stdout.flush()


async def conduct(dispatcher: Dispatcher, reconciler: Reconciler) -> None:
    """Keep dispatcher and reconciler at work; Prefect's client takes seconds to import, which nobody waits for.

    What the first page needs is imported before it: whoever opens one at once would wait for both.
    """
    for name in FOR_THE_FIRST_PAGE:
        await asyncio.to_thread(importlib.import_module, name)
    while True:
        try:
            async with PrefectRuns() as runs, asyncio.TaskGroup() as group:
                context.current().runs = runs
                group.create_task(dispatcher.run(runs))
                group.create_task(reconciler.run(runs))
        except Exception:
            logger.exception("dispatcher and reconciler start again")
            context.current().runs = None
            await asyncio.sleep(RESTART_AFTER_S)


async def _every(pause_s: float, *works: Callable[[], Awaitable[object]]) -> None:
    while True:
        for work in works:
            try:
                await work()
            except Exception:
                logger.exception("work that is done every %g s failed, and is tried again then", pause_s)
        await asyncio.sleep(pause_s)
