"""Which model hears, for what a job, a setting or a command names."""

import logging
from pathlib import Path

from storage.errors import ModelMissing
from storage.settings import EngineSettings
from tasks import hub
from tasks.models import (
    AUTO,
    CATALOGUE,
    DEMO,
    DEMO_MODEL,
    FROM_HUB_BY_DEFAULT,
    HUB_PATIENCE_S,
    OTHER_NAMES,
    InstalledModel,
    OnDownload,
    Resolved,
    demo,
    find,
    incomplete,
    installed,
)
from tasks.weights import missing_part

logger = logging.getLogger(__name__)


def resolve(
    name: str,
    *,
    settings: EngineSettings,
    model_dir: Path,
    may_fetch: bool = True,
    on_download: OnDownload | None = None,
) -> Resolved:
    """Return the model for `name`: a catalogue name, a folder, `demo`, or `auto`.

    `auto` is the best model on this machine, else `small` from the hub, else, where no hub answers within 5 s or
    nothing may be fetched, the demo model with a warning.

    Raises:
        ModelMissing: it is not here and could not, or may not, be fetched.
    """
    wanted = OTHER_NAMES.get(name, name)
    if wanted == AUTO:
        return _automatic(settings, model_dir, may_fetch=may_fetch, on_download=on_download)
    if (here := find(wanted, model_dir)) is not None:
        return _resolved(here)
    if wanted in CATALOGUE and may_fetch:
        return _resolved(hub.fetch(wanted, model_dir, settings.hub_url, on_download))
    folder = Path(wanted) if "/" in wanted else model_dir / wanted
    if wanted not in {"", ".", ".."} and folder.is_dir() and (lacking := missing_part(folder)) is not None:
        raise ModelMissing(name, f"its folder is not whole: {lacking}; copy it again")
    raise ModelMissing(name, "not fetched yet" if wanted in CATALOGUE else "no such name and no such folder")


def _automatic(
    settings: EngineSettings, model_dir: Path, *, may_fetch: bool, on_download: OnDownload | None
) -> Resolved:
    here = installed(model_dir)
    if here:
        return _resolved(here[0])
    broken = [f"the folder {name} is not whole: {lacking}" for name, lacking in incomplete(model_dir).items()]
    reason = "; ".join(broken) or "nothing has been fetched yet"
    if may_fetch:
        try:
            hub.probe(settings.hub_url, patience_s=HUB_PATIENCE_S)
            return _resolved(hub.fetch(FROM_HUB_BY_DEFAULT, model_dir, settings.hub_url, on_download))
        except ModelMissing as error:
            reason = "; ".join([*broken, error.reason])
            logger.warning("no model from the hub: %s", reason, extra={"action": "model"})
    return _demo_with_warning(reason)


def _demo_with_warning(reason: str) -> Resolved:
    """Return the demo model, with the sentence that says why it is heard with and what to do.

    Raises:
        ModelMissing: this installation lacks it.
    """
    carried = demo()
    if carried is None:
        raise ModelMissing(AUTO, f"{reason}, and the demo model is missing from {DEMO_MODEL}")
    warning = (
        f"Heard with the demo model, which knows only its own small vocabulary ({reason}). For real recordings run "
        f"`transcriber models fetch {FROM_HUB_BY_DEFAULT}`, or put a model into the models folder."
    )
    return Resolved(name=DEMO, path=carried.path, fingerprint=carried.fingerprint, warning=warning)


def _resolved(here: InstalledModel) -> Resolved:
    warning = None
    if here.name == DEMO:
        warning = "Heard with the demo model, which knows only its own small vocabulary."
    return Resolved(name=here.name, path=here.path, fingerprint=here.fingerprint, warning=warning)
