"""The web process: one `st.App` with pages, APIs and uploads, which owns the ledger."""

import asyncio
import importlib
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, WebSocketRoute

from dashboards.api import (
    account_export,
    admin_api,
    archives,
    asr_webservice,
    audit_api,
    jobs_api,
    media,
    openai_api,
    prefect_link,
    public_share,
    worker_api,
)
from dashboards.api.corrections import alignment_api
from dashboards.api.event_stream import events
from dashboards.api.operations import backups_api, datasets_api, maintenance_api, operators_campaigns, retention_api
from dashboards.auth import login, oidc_routes, signup
from dashboards.clients import prefect_events
from dashboards.clients.prefect_runs import PrefectRuns
from dashboards.components import modules
from dashboards.http import error_responses, health, pwa
from dashboards.http.access_middleware import Authentication, Gate
from dashboards.http.answers.kept_answers import KeptAnswers
from dashboards.http.body_limits import Bounded
from dashboards.http.conditional import RefusedGzip
from dashboards.http.cross_origin import CrossOrigin
from dashboards.http.forwarding import Forwarding, SubPath
from dashboards.http.pwa import Shell
from dashboards.http.rate_limits import RateLimits
from dashboards.http.response_headers import Headers
from dashboards.http.route_methods import NoPage
from dashboards.http.static_files.streamlit_files import StaticFirst
from dashboards.http.websocket_fast_path import Straight
from dashboards.loops import checkpointer, search_indexer
from dashboards.loops.account_eraser import erase_leavers
from dashboards.loops.backup_keeper import keep_backups
from dashboards.loops.campaign_runner import run_campaigns
from dashboards.loops.closed_pages import LOOK_EVERY_S, forget_closed_pages
from dashboards.loops.dispatcher import Dispatcher
from dashboards.loops.event_sender import send_to_prefect
from dashboards.loops.key_counter import write_counts
from dashboards.loops.mail_sender import deliver
from dashboards.loops.part_watcher import watch_parts
from dashboards.loops.reconciler import Reconciler
from dashboards.loops.watchers import watch_disks, watch_doors, watch_machine, watch_workers
from dashboards.loops.webhook_sender import send_events
from dashboards.pages.registry import PAGES
from dashboards.pages.script_errors import on_script_error
from dashboards.runtime import context, security_log, upkeep
from dashboards.runtime.context import Context
from dashboards.runtime.limits import Limits
from dashboards.runtime.maintenance import canary
from dashboards.uploads import batch_uploads, dedupe, direct_uploads, finish_upload, tus, url_uploads
from storage.accounts import users
from storage.domain.errors import TranscriberError
from storage.domain.settings import Settings
from storage.files import privacy, temporary_files
from storage.files.file_store import Files
from storage.ledger.database import Ledger
from storage.remote.service_tokens import worker_secret

logger = logging.getLogger(__name__)

SCRIPT = Path(__file__).parent / "pages" / "navigation.py"
SWEEP_EVERY_S = 600.0
ERASE_EVERY_S = 5.0
COUNT_EVERY_S = 60.0
RESTART_AFTER_S = 2.0
FOR_THE_FIRST_PAGE = ("numpy", "PIL.Image", "PIL.ImageFile")
"""Modules that Streamlit imports when it first shows an image."""


def build(settings: Settings | None = None, *, ledger: Ledger | None = None, limits: Limits | None = None) -> st.App:
    """Return the app, which opens the given or configured ledger and closes it."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(_: st.App) -> AsyncIterator[None]:
        opened = ledger if ledger else await asyncio.to_thread(_open, settings)
        try:
            async with _running(settings, opened, limits or Limits()):
                yield
        finally:
            await asyncio.to_thread(opened.close)

    return st.App(
        SCRIPT,
        routes=routes(),
        middleware=[
            Middleware(Headers),
            *([Middleware(SubPath, path=settings.web.sub_path)] if settings.web.sub_path else []),
            Middleware(Forwarding, web=settings.web),
            *([Middleware(CrossOrigin, origins=settings.web.origins)] if settings.web.origins else []),
            Middleware(Authentication, token=worker_secret(settings)),
            Middleware(RateLimits, settings=settings.rates),
            Middleware(Gate),
            Middleware(KeptAnswers),
            Middleware(RefusedGzip),
            Middleware(Straight),
            Middleware(Bounded),
            Middleware(Shell),
            Middleware(StaticFirst, modules=modules.MODULES, below=modules.url_of("")),
        ],
        exception_handlers=error_responses.HANDLERS,
        on_script_error=on_script_error,
        lifespan=lifespan,
    )


def routes() -> list[BaseRoute]:
    """Return all of our routes; Streamlit appends its own."""
    ours: list[BaseRoute] = [
        *health.ROUTES,
        *modules.ROUTES,
        *pwa.ROUTES,
        *login.ROUTES,
        *signup.ROUTES,
        *oidc_routes.ROUTES,
        *account_export.ROUTES,
        *audit_api.ROUTES,
        *prefect_link.ROUTES,
        *dedupe.ROUTES,
        *direct_uploads.ROUTES,
        *tus.ROUTES,
        *media.ROUTES,
        *public_share.ROUTES,
        *archives.ROUTES,
        *openai_api.ROUTES,
        *asr_webservice.ROUTES,
        Mount("/api", jobs_api.api),
        *worker_api.ROUTES,
        *alignment_api.ROUTES,
        *admin_api.ROUTES,
        *maintenance_api.ROUTES,
        *backups_api.ROUTES,
        *retention_api.ROUTES,
        *operators_campaigns.ROUTES,
        *datasets_api.ROUTES,
        WebSocketRoute("/events", events),
    ]
    return [*ours, NoPage(ours, pages={page.path for page in PAGES.values()})]


def _open(settings: Settings) -> Ledger:
    return Ledger.open(settings.storage.ledger_path)


@asynccontextmanager
async def _running(settings: Settings, ledger: Ledger, limits: Limits) -> AsyncIterator[None]:
    _first_start(ledger, settings)
    files = Files.from_settings(settings.storage)
    holder = Context(settings=settings, ledger=ledger, files=files, limits=limits)
    with context.use(holder):
        holder.shelf.drop_forms()
        temporary_files.sweep()
        dispatcher, reconciler = Dispatcher(), Reconciler()
        holder.wake_dispatcher, holder.wake_reconciler = dispatcher.wake, reconciler.wake
        holder.adopt, holder.land = dispatcher.adopt, finish_upload.land
        holder.background.start(conduct(dispatcher, reconciler), "dispatch and reconcile")
        holder.background.start(watch_doors(), "watch sessions")
        holder.background.start(watch_machine(), "watch the machine")
        holder.background.start(watch_disks(), "watch the disks")
        holder.background.start(watch_workers(), "watch workers")
        holder.background.start(watch_parts(), "watch storage and Prefect")
        holder.background.start(checkpointer.keep_short(), "checkpoints")
        holder.background.start(search_indexer.keep_up(), "search index")
        holder.background.start(deliver(), "send mails")
        holder.background.start(send_events(), "send webhooks")
        holder.background.start(send_to_prefect(), "send events to Prefect")
        holder.background.start(upkeep.keep_tidy(), "maintenance")
        holder.background.start(keep_backups(), "backups")
        if minutes := settings.upkeep.canary_minutes:
            holder.background.start(canary.keep_flying(minutes), "canary")
        holder.background.start(security_log.keep_writing(), "security events")
        holder.background.start(_make_files_private(settings), "make files private")
        holder.background.start(_every(ERASE_EVERY_S, erase_leavers), "delete accounts")
        holder.background.start(_every(COUNT_EVERY_S, write_counts), "count the use of keys")
        holder.background.start(_every(SWEEP_EVERY_S, finish_upload.resume, finish_upload.sweep), "look after uploads")
        downloads = _every(limits.download_look_every_s, url_uploads.continue_downloads)
        holder.background.start(downloads, "look after downloads")
        holder.background.start(_every(LOOK_EVERY_S, forget_closed_pages), "forget closed pages")
        holder.background.start(batch_uploads.keep_going(), "look after batches")
        holder.background.start(_every(limits.campaign_look_every_s, run_campaigns), "look after campaigns")
        try:
            yield
        finally:
            await holder.background.stop()
            await security_log.write_waiting(everything=True)
            with suppress(TranscriberError):  # the ledger may be gone
                await write_counts()


async def _make_files_private(settings: Settings) -> None:
    """Mend a folder that an earlier version left readable to other users."""
    mended = await asyncio.to_thread(privacy.mend, settings.storage)
    if mended:
        logger.warning("%d files and folders were open to other users of this machine; they are private now", mended)


def _first_start(ledger: Ledger, settings: Settings) -> None:
    """Create the administrator if there are no users; print a generated password once."""
    password = ledger.run(users.ensure_admin, settings.web.admin_password)
    if password:
        sys.stdout.write(
            f"\n  First start: log in at {settings.web.base_url} as `admin` with the password\n\n      {password}\n\n"
            "  It is shown this once, and has to be changed at the first log-in.\n\n"
        )
        sys.stdout.flush()


async def conduct(dispatcher: Dispatcher, reconciler: Reconciler) -> None:
    """Run dispatcher and reconciler; Prefect's client takes seconds to import, in the background.

    The modules of the first page are imported before it: a page opened at once would wait for both.
    """
    for name in FOR_THE_FIRST_PAGE:
        await asyncio.to_thread(importlib.import_module, name)
    while True:
        try:
            async with (
                PrefectRuns(cluster_lanes=context.settings().cluster.lanes) as runs,
                asyncio.TaskGroup() as group,
            ):
                context.current().runs = runs
                group.create_task(dispatcher.run(runs))
                group.create_task(reconciler.run(runs))
                group.create_task(prefect_events.watch(reconciler.wake))
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
