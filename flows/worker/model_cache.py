"""The models on a worker's machine: the installed ones, the default, and downloads for jobs."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from storage.domain.errors import TranscriberError
from storage.domain.settings import Settings
from storage.remote.worker_registry import ModelState
from tasks.models import catalogue
from tasks.models.model_choice import resolve

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 15.0
TRY_AGAIN_S = 60.0
FORGET_S = 600.0
"""How long a model that could not be had is told of after nobody waits for it any more."""


class ModelCache:
    """Kept by the worker process, not the child, so that downloads survive a crashed engine.

    `on_default` is called with the default model's name whenever it changes, from a thread of this class.
    """

    def __init__(
        self,
        settings: Settings,
        on_default: Callable[[str], None],
        *,
        look_again_s: float = LOOK_AGAIN_S,
        try_again_s: float = TRY_AGAIN_S,
        forget_s: float = FORGET_S,
    ) -> None:
        self._settings, self._on_default = settings, on_default
        self._look_again_s, self._try_again_s, self._forget_s = look_again_s, try_again_s, forget_s
        self._lock = threading.Lock()
        self._default: ModelState | None = None
        self._ready: dict[str, ModelState] = {}
        self._passing: dict[str, ModelState] = {}
        self._failed_at: dict[str, float] = {}
        self._wanted_at: dict[str, float] = {}
        self._looked_at = float("-inf")

    def start(self) -> None:
        """Find the default model or start downloading it; returns at once."""
        name = self._settings.engine.model
        shown = catalogue.FROM_HUB_BY_DEFAULT if name == catalogue.AUTO and not self._installed() else name
        if name != catalogue.AUTO or shown != name:
            self._set_default(ModelState(name=shown, fingerprint=None, state="downloading", progress=0.0))
        threading.Thread(target=self._find_default, name="default-model", daemon=True).start()

    def default(self) -> ModelState | None:
        with self._lock:
            return self._default

    def states(self) -> tuple[ModelState, ...]:
        """Return every model that is installed, downloading, or failed and wanted lately."""
        self._look()
        with self._lock:
            since = time.monotonic() - self._forget_s
            forgotten = [name for name, at in self._wanted_at.items() if at <= since and self._has_failed(name)]
            for name in forgotten:
                del self._passing[name], self._wanted_at[name]
            return tuple({**self._passing, **self._ready}.values())

    def want(self, names: tuple[str, ...]) -> None:
        """Download models that jobs wait for, each in its own thread; returns at once."""
        for name in names:
            with self._lock:
                self._wanted_at[name] = time.monotonic()
                under_way = name in self._passing and self._passing[name].state == "downloading"
                too_soon = time.monotonic() - self._failed_at.get(name, float("-inf")) < self._try_again_s
                if name in self._ready or under_way or too_soon:
                    continue
                self._passing[name] = ModelState(name=name, fingerprint=None, state="downloading", progress=0.0)
            threading.Thread(target=self._fetch, args=(name,), name=f"fetch-{name}", daemon=True).start()

    def _has_failed(self, name: str) -> bool:
        return name in self._passing and self._passing[name].state == "failed"

    def _fetch(self, name: str) -> None:
        try:
            self._resolve(name, lambda _, progress: self._pass(name, progress))
        except TranscriberError as error:
            log.warning("%s", error)
            with self._lock:
                self._failed_at[name] = self._wanted_at[name] = time.monotonic()
                self._passing[name] = ModelState(name=name, fingerprint=None, state="failed", warning=str(error))
        else:
            with self._lock:
                del self._passing[name]
            self._look(now=True)

    def _pass(self, name: str, progress: float) -> None:
        with self._lock:
            self._passing[name] = replace(self._passing[name], progress=progress)

    def _resolve(self, name: str, on_progress: Callable[[str, float], None]) -> catalogue.Resolved:
        return resolve(
            name,
            settings=self._settings.engine,
            model_dir=self._settings.model_dir,
            on_download=lambda fetched, here, total: on_progress(fetched, here / total if total else 0.0),
        )

    def _find_default(self) -> None:
        def on_progress(name: str, progress: float) -> None:
            self._set_default(ModelState(name=name, fingerprint=None, state="downloading", progress=progress))

        model_name = self._settings.engine.model
        try:
            resolved = self._resolve(model_name, on_progress)
        except TranscriberError as error:
            log.error("%s", error)
            self._failed_at[model_name] = time.monotonic()
            self._set_default(ModelState(name=model_name, fingerprint=None, state="failed", warning=str(error)))
            return
        self._have_default(resolved)

    def _have_default(self, resolved: catalogue.Resolved) -> None:
        self._set_default(ModelState(name=resolved.name, fingerprint=resolved.fingerprint, state="ready"))
        self._on_default(resolved.name)

    def _set_default(self, state: ModelState) -> None:
        with self._lock:
            self._default = state

    def _installed(self) -> list[catalogue.InstalledModel]:
        return catalogue.installed(self._settings.model_dir)

    def _look(self, *, now: bool = False) -> None:
        """Read the models folder again if some time has passed."""
        if not now and time.monotonic() - self._looked_at < self._look_again_s:
            return
        self._looked_at = time.monotonic()
        installed = self._installed()
        with self._lock:
            self._ready = {
                each.name: ModelState(name=each.name, fingerprint=each.fingerprint, state="ready") for each in installed
            }
            default = self._default
        if default is not None and default.state != "downloading":
            self._follow_changes(default)

    def _follow_changes(self, default: ModelState) -> None:
        """Switch the default if its files changed or arrived, or `auto` finds a better model.

        A failed download is tried again after a while: the network may be back.
        """
        with contextlib.suppress(TranscriberError):  # the model is gone: the loaded one keeps transcribing
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
        if default.state == "failed" and time.monotonic() - failed_at > self._try_again_s:
            self.start()
