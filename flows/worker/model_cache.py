"""The models on a worker's machine: which there are, which one is the default, and fetching what jobs wait for."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from storage.errors import TranscriberError
from storage.heartbeats import ModelState
from storage.settings import Settings
from tasks import models
from tasks.choice import resolve

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 15.0
TRY_AGAIN_S = 60.0


class Shelf:
    """Kept by the worker process, never by the child: a download goes on whatever becomes of the engine.

    `on_default` is called, from a thread of the shelf's own, with the name of the default model each time that
    another one becomes it.
    """

    def __init__(self, settings: Settings, on_default: Callable[[str], None]) -> None:
        self._settings, self._on_default = settings, on_default
        self._lock = threading.Lock()
        self._default: ModelState | None = None
        self._ready: dict[str, ModelState] = {}
        self._passing: dict[str, ModelState] = {}
        self._failed_at: dict[str, float] = {}
        self._looked_at = float("-inf")

    def start(self) -> None:
        """Find, or begin to fetch, the default model; returns at once."""
        name = self._settings.engine.model
        shown = models.FROM_HUB_BY_DEFAULT if name == models.AUTO and not self._installed() else name
        if name != models.AUTO or shown != name:
            self._set_default(ModelState(name=shown, fingerprint=None, state="downloading", progress=0.0))
        threading.Thread(target=self._find_default, name="default-model", daemon=True).start()

    def default(self) -> ModelState | None:
        with self._lock:
            return self._default

    def states(self) -> tuple[ModelState, ...]:
        """Return every model that is here, on its way, or could not be had."""
        self._look()
        with self._lock:
            return tuple({**self._passing, **self._ready}.values())

    def want(self, names: tuple[str, ...]) -> None:
        """Fetch models that jobs wait for, each in a thread of its own; returns at once."""
        for name in names:
            with self._lock:
                under_way = name in self._passing and self._passing[name].state == "downloading"
                too_soon = time.monotonic() - self._failed_at.get(name, float("-inf")) < TRY_AGAIN_S
                if name in self._ready or under_way or too_soon:
                    continue
                self._passing[name] = ModelState(name=name, fingerprint=None, state="downloading", progress=0.0)
            threading.Thread(target=self._fetch, args=(name,), name=f"fetch-{name}", daemon=True).start()

    def _fetch(self, name: str) -> None:
        try:
            self._resolve(name, lambda _, progress: self._pass(name, progress))
        except TranscriberError as error:
            log.warning("%s", error)
            with self._lock:
                self._failed_at[name] = time.monotonic()
                self._passing[name] = ModelState(name=name, fingerprint=None, state="failed", warning=str(error))
        else:
            with self._lock:
                del self._passing[name]
            self._look(now=True)

    def _pass(self, name: str, progress: float) -> None:
        with self._lock:
            self._passing[name] = replace(self._passing[name], progress=progress)

    def _resolve(self, name: str, on_progress: Callable[[str, float], None]) -> models.Resolved:
        return resolve(
            name,
            settings=self._settings.engine,
            model_dir=self._settings.model_dir,
            on_download=lambda fetched, here, total: on_progress(fetched, here / total if total else 0.0),
        )

    def _find_default(self) -> None:
        def on_progress(name: str, progress: float) -> None:
            self._set_default(ModelState(name=name, fingerprint=None, state="downloading", progress=progress))

        wanted = self._settings.engine.model
        try:
            resolved = self._resolve(wanted, on_progress)
        except TranscriberError as error:
            log.error("%s", error)
            self._failed_at[wanted] = time.monotonic()
            self._set_default(ModelState(name=wanted, fingerprint=None, state="failed", warning=str(error)))
            return
        if resolved.warning:
            log.warning("%s", resolved.warning)
        self._have_default(resolved)

    def _have_default(self, resolved: models.Resolved) -> None:
        self._set_default(
            ModelState(name=resolved.name, fingerprint=resolved.fingerprint, state="ready", warning=resolved.warning)
        )
        self._on_default(resolved.name)

    def _set_default(self, state: ModelState) -> None:
        with self._lock:
            self._default = state

    def _installed(self) -> list[models.InstalledModel]:
        return models.installed(self._settings.model_dir)

    def _look(self, *, now: bool = False) -> None:
        """Read the models folder again if it has been a while."""
        if not now and time.monotonic() - self._looked_at < LOOK_AGAIN_S:
            return
        self._looked_at = time.monotonic()
        carried = models.demo()
        here = self._installed() + ([carried] if carried else [])
        with self._lock:
            self._ready = {
                each.name: ModelState(name=each.name, fingerprint=each.fingerprint, state="ready") for each in here
            }
            default = self._default
        if default is not None and default.state != "downloading":
            self._follow_changes(default)

    def _follow_changes(self, default: ModelState) -> None:
        """Take another default where its files were replaced or have come, or `auto` finds a better model than before.

        One that could not be had is tried again after a while: the network may be back.
        """
        with contextlib.suppress(TranscriberError):  # it is gone: what is loaded goes on hearing
            best = resolve(
                self._settings.engine.model,
                settings=self._settings.engine,
                model_dir=self._settings.model_dir,
                may_fetch=False,
            )
            if best.fingerprint != default.fingerprint:
                self._have_default(best)
                return
        failed_at = self._failed_at.get(self._settings.engine.model, float("-inf"))
        if default.state == "failed" and time.monotonic() - failed_at > TRY_AGAIN_S:
            self.start()
