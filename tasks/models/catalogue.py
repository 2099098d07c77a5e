"""The catalogue of models, the models on this machine, and their fingerprints.

A model is a CTranslate2 folder (`model.bin`, `config.json`, tokenizer) as faster-whisper loads it. Its fingerprint is
computed from the bytes of its files, which distinguishes two folders with the same name.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from storage.domain.errors import ModelInUse, ModelMissing
from tasks.models.integrity import NEEDED, missing_part

logger = logging.getLogger(__name__)

AUTO = "auto"
FROM_HUB_BY_DEFAULT = "small"
FROM_INDEX_BY_DEFAULT = "base"
SIDECAR = ".fingerprint.json"
HUB_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueModel:
    """A model that the hub offers; a higher rank is more accurate."""

    name: str
    repo: str
    rank: int
    languages: str = "99 languages"
    bytes: int


def _hub(name: str, repo: str, rank: int, megabytes: int) -> CatalogueModel:
    languages = "English" if name.endswith(".en") or name.startswith("distil") else "99 languages"
    return CatalogueModel(name=name, repo=repo, rank=rank, languages=languages, bytes=megabytes * 1_000_000)


CATALOGUE: dict[str, CatalogueModel] = {
    model.name: model
    for model in (
        _hub("tiny.en", "Systran/faster-whisper-tiny.en", 11, 78),
        _hub("tiny", "Systran/faster-whisper-tiny", 10, 78),
        _hub("base.en", "Systran/faster-whisper-base.en", 21, 148),
        _hub("base", "Systran/faster-whisper-base", 20, 148),
        _hub("small.en", "Systran/faster-whisper-small.en", 31, 486),
        _hub("small", "Systran/faster-whisper-small", 32, 486),
        _hub("medium.en", "Systran/faster-whisper-medium.en", 41, 1_530),
        _hub("medium", "Systran/faster-whisper-medium", 42, 1_530),
        _hub("large-v1", "Systran/faster-whisper-large-v1", 50, 3_090),
        _hub("large-v2", "Systran/faster-whisper-large-v2", 60, 3_090),
        _hub("large-v3", "Systran/faster-whisper-large-v3", 70, 3_090),
        _hub("large-v3-turbo", "mobiuslabsgmbh/faster-whisper-large-v3-turbo", 65, 1_620),
        _hub("distil-small.en", "Systran/faster-distil-whisper-small.en", 30, 336),
        _hub("distil-medium.en", "Systran/faster-distil-whisper-medium.en", 40, 789),
        _hub("distil-large-v3", "Systran/faster-distil-whisper-large-v3", 55, 1_510),
    )
}
OTHER_NAMES = {"large": "large-v3", "turbo": "large-v3-turbo", "whisper-1": AUTO}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledModel:
    """A model on this machine."""

    name: str
    path: Path
    fingerprint: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The model for a job."""

    name: str
    path: Path
    fingerprint: str


def is_model(path: Path) -> bool:
    """Return whether the folder holds a complete model."""
    return missing_part(path) is None


def installed(model_dir: Path) -> list[InstalledModel]:
    """Return the models in the folder, best first."""
    folders = sorted(model_dir.iterdir()) if model_dir.is_dir() else []
    models = [_installed(folder.name, folder) for folder in folders if is_model(folder)]
    return sorted(models, key=_rank, reverse=True)


def incomplete(model_dir: Path) -> dict[str, str]:
    """Return the folders that hold an incomplete model, and what each lacks."""
    folders = sorted(model_dir.iterdir()) if model_dir.is_dir() else []
    partial = [each for each in folders if any((each / part).is_file() for part in NEEDED)]
    return {each.name: lacking for each in partial if (lacking := missing_part(each)) is not None}


def fingerprint(path: Path) -> str:
    """Return the fingerprint of a model's files, 16 hex digits.

    Large files are read once; the result is cached next to them with their sizes and times.
    """
    parts = _parts(path)
    state = [[part.name, part.stat().st_size, part.stat().st_mtime_ns] for part in parts]
    sidecar = path / SIDECAR
    try:
        cached = json.loads(sidecar.read_text())
        if cached["files"] == state:
            return str(cached["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no sidecar yet, or an outdated one: it is written below
    whole = hashlib.sha256()
    for part in parts:
        with part.open("rb") as opened:
            whole.update(part.name.encode() + b"\0" + hashlib.file_digest(opened, "sha256").digest())
    digest = whole.hexdigest()[:16]
    _keep(sidecar, digest, state)
    return digest


def find(name: str, model_dir: Path) -> InstalledModel | None:
    """Return the installed model of this name or folder, or None."""
    model_name = OTHER_NAMES.get(name, name)
    if "/" in model_name and is_model(Path(model_name)):
        return _installed(model_name, Path(model_name))
    if "/" not in model_name and model_name not in {"", ".", ".."} and is_model(model_dir / model_name):
        return _installed(model_name, model_dir / model_name)
    return None


def remove(name: str, model_dir: Path) -> None:
    """Delete a model, complete or not, from the folder.

    Raises:
        ModelMissing: it is not in this folder.
        ModelInUse: a process on this machine has it loaded.
    """
    folder = model_dir / OTHER_NAMES.get(name, name)
    if folder.parent != model_dir or not (is_model(folder) or folder.name in incomplete(model_dir)):
        raise ModelMissing(name, f"not in {model_dir}")
    with hold(folder, alone=True):
        shutil.rmtree(folder)


@contextmanager
def hold(folder: Path, *, alone: bool = False) -> Iterator[None]:
    """Lock a model against deletion, or with `alone`, make sure that no process uses it.

    Raises:
        ModelInUse: it is in use, and `alone` was requested.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise ModelInUse(folder.name) from error
    except OSError as error:  # some network file systems have no locks
        logger.info("no lock on %s: %s", folder, error, extra={"action": "model"})
    try:
        yield
    finally:
        os.close(handle)


def is_multilingual(path: Path) -> bool:
    """Return whether the model supports languages other than English, without loading it.

    This is CTranslate2's own rule (4.8): multilingual Whisper vocabularies have an empty token, English ones do not.
    """
    listed = path / "vocabulary.json"
    vocabulary = listed if listed.is_file() else path / "vocabulary.txt"
    return _has_empty_token(vocabulary, vocabulary.stat().st_mtime_ns)


@lru_cache(maxsize=32)
def _has_empty_token(vocabulary: Path, changed_ns: int) -> bool:  # noqa: ARG001 - a file that has changed is read again
    text = vocabulary.read_text()
    return "" in (json.loads(text) if vocabulary.suffix == ".json" else text.splitlines())


def speaks_only_english(name: str, model_dir: Path) -> bool:
    """Return whether a model supports only English; one that is not here by its name."""
    model = find(name, model_dir)
    if model is not None:
        return not is_multilingual(model.path)
    return CATALOGUE[name].languages == "English" if name in CATALOGUE else name.endswith(".en")


def _installed(name: str, path: Path) -> InstalledModel:
    size = sum(part.stat().st_size for part in _parts(path))
    return InstalledModel(name=name, path=path, fingerprint=fingerprint(path), bytes=size)


def _rank(model: InstalledModel) -> tuple[int, int]:
    """Rank catalogue models by their rank, and others by their size among them."""
    listed = CATALOGUE.get(model.name)
    if listed is not None:
        return listed.rank, model.bytes
    return max((other.rank for other in CATALOGUE.values() if other.bytes <= model.bytes), default=0), model.bytes


def _parts(path: Path) -> list[Path]:
    candidates = (part for part in path.iterdir() if part.suffix in {".bin", ".json", ".txt"} and part.name != SIDECAR)
    return sorted(part for part in candidates if part.is_file())


def _keep(sidecar: Path, digest: str, state: list[list[object]]) -> None:
    if not any(isinstance(row[1], int) and row[1] > 50_000_000 for row in state):
        return  # small models are read faster than a stale cache could be explained
    try:
        sidecar.write_text(json.dumps({"fingerprint": digest, "files": state}))
    except OSError:
        logger.info("cannot keep the fingerprint beside %s", sidecar.parent, extra={"action": "model"})
