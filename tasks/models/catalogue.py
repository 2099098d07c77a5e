"""Models: which there are, which are on this machine, which one a job gets, and what exactly it was.

A model is a CTranslate2 folder (`model.bin`, `config.json`, tokenizer) as faster-whisper loads it; its fingerprint
is taken from the bytes of its files, so that two folders with the same name are told apart.
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
from pathlib import Path

from storage.errors import ModelInUse, ModelMissing
from tasks.weights import NEEDED, missing_part

logger = logging.getLogger(__name__)

AUTO = "auto"
DEMO = "demo"
FROM_HUB_BY_DEFAULT = "small"
FROM_INDEX_BY_DEFAULT = "base"
DEMO_MODEL = Path(__file__).parents[1] / "demo" / "model"
SIDECAR = ".fingerprint.json"
HUB_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueModel:
    """A model that the hub offers; a higher rank hears better."""

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
    """The model that a job gets; `warning` is for the reader where it is not what one would wish for."""

    name: str
    path: Path
    fingerprint: str
    warning: str | None = None


def is_model(path: Path) -> bool:
    """Return whether the folder holds a whole model."""
    return missing_part(path) is None


def installed(model_dir: Path) -> list[InstalledModel]:
    """Return the models in the folder, best first."""
    folders = sorted(model_dir.iterdir()) if model_dir.is_dir() else []
    found = [_installed(folder.name, folder) for folder in folders if is_model(folder)]
    return sorted(found, key=_rank, reverse=True)


def incomplete(model_dir: Path) -> dict[str, str]:
    """Return the folders that hold a part of a model, and what each lacks."""
    folders = sorted(model_dir.iterdir()) if model_dir.is_dir() else []
    begun = [each for each in folders if any((each / part).is_file() for part in NEEDED)]
    return {each.name: lacking for each in begun if (lacking := missing_part(each)) is not None}


def demo() -> InstalledModel | None:
    """Return the model that the repo carries, or None where its folder is missing."""
    return _installed(DEMO, DEMO_MODEL) if is_model(DEMO_MODEL) else None


def fingerprint(path: Path) -> str:
    """Return 16 hex digits that the bytes of the model's files decide.

    Large files are read once; the result is kept beside them with their sizes and times.
    """
    parts = _parts(path)
    state = [[part.name, part.stat().st_size, part.stat().st_mtime_ns] for part in parts]
    sidecar = path / SIDECAR
    try:
        kept = json.loads(sidecar.read_text())
        if kept["files"] == state:
            return str(kept["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no sidecar yet, or one of another time: it is written anew below
    whole = hashlib.sha256()
    for part in parts:
        with part.open("rb") as opened:
            whole.update(part.name.encode() + b"\0" + hashlib.file_digest(opened, "sha256").digest())
    found = whole.hexdigest()[:16]
    _keep(sidecar, found, state)
    return found


def find(name: str, model_dir: Path) -> InstalledModel | None:
    """Return the model of this name, or in this folder, if it is on this machine."""
    wanted = OTHER_NAMES.get(name, name)
    if wanted == DEMO:
        return demo()
    if "/" in wanted and is_model(Path(wanted)):
        return _installed(wanted, Path(wanted))
    if "/" not in wanted and wanted not in {"", ".", ".."} and is_model(model_dir / wanted):
        return _installed(wanted, model_dir / wanted)
    return None


def remove(name: str, model_dir: Path) -> None:
    """Delete a model, or what was copied of one, from the folder.

    Raises:
        ModelMissing: it is not in this folder.
        ModelInUse: a process of this machine has it loaded.
    """
    folder = model_dir / OTHER_NAMES.get(name, name)
    if folder.parent != model_dir or not (is_model(folder) or folder.name in incomplete(model_dir)):
        raise ModelMissing(name, f"not in {model_dir}")
    with hold(folder, alone=True):
        shutil.rmtree(folder)


@contextmanager
def hold(folder: Path, *, alone: bool = False) -> Iterator[None]:
    """Keep others of this machine from deleting a model, or, `alone`, make sure that nobody has it loaded.

    Raises:
        ModelInUse: somebody has it, and it is wanted alone.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise ModelInUse(folder.name) from error
    except OSError as error:  # some network file systems know no locks
        logger.info("no lock on %s: %s", folder, error, extra={"action": "model"})
    try:
        yield
    finally:
        os.close(handle)


def is_multilingual(path: Path) -> bool:
    """Return whether the model knows other languages than English, without loading it.

    This is CTranslate2's own rule (4.8): multilingual Whisper vocabularies have an empty token, English ones do not.
    """
    listed = path / "vocabulary.json"
    if listed.is_file():
        return "" in json.loads(listed.read_text())
    return "" in (path / "vocabulary.txt").read_text().splitlines()


def speaks_only_english(name: str, model_dir: Path) -> bool:
    """Return whether the model of this name hears English alone; one that is not here is asked by its name."""
    here = find(name, model_dir)
    if here is not None:
        return not is_multilingual(here.path)
    return CATALOGUE[name].languages == "English" if name in CATALOGUE else name.endswith(".en")


def _installed(name: str, path: Path) -> InstalledModel:
    size = sum(part.stat().st_size for part in _parts(path))
    return InstalledModel(name=name, path=path, fingerprint=fingerprint(path), bytes=size)


def _rank(model: InstalledModel) -> tuple[int, int]:
    """Catalogue models by their rank, others by their size among them."""
    known = CATALOGUE.get(model.name)
    if known is not None:
        return known.rank, model.bytes
    return max((other.rank for other in CATALOGUE.values() if other.bytes <= model.bytes), default=0), model.bytes


def _parts(path: Path) -> list[Path]:
    known = (part for part in path.iterdir() if part.suffix in {".bin", ".json", ".txt"} and part.name != SIDECAR)
    return sorted(part for part in known if part.is_file())


def _keep(sidecar: Path, found: str, state: list[list[object]]) -> None:
    if not any(isinstance(row[1], int) and row[1] > 50_000_000 for row in state):
        return  # small models are read faster than a stale note could be explained
    try:
        sidecar.write_text(json.dumps({"fingerprint": found, "files": state}))
    except OSError:
        logger.info("cannot keep the fingerprint beside %s", sidecar.parent, extra={"action": "model"})
