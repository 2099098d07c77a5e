"""Check a model's folder for files that are missing, empty or truncated.

`model.bin` gives the length of each variable, so its end is known without reading it all. The layout is that of
CTranslate2's `ModelSpec._serialize` (binary version 6).
"""

import logging
import struct
from pathlib import Path
from typing import BinaryIO

logger = logging.getLogger(__name__)

NEEDED = ("model.bin", "config.json", "tokenizer.json")
VOCABULARIES = ("vocabulary.json", "vocabulary.txt")
BINARY_VERSION = 6
USUAL_MELS = 80
MELS_OF = "encoder/conv1/weight"


def missing_part(folder: Path) -> str | None:
    """Return the part of a model that is missing or damaged, or None."""
    for name in NEEDED:
        if (lacking := _lacking(folder / name)) is not None:
            return lacking
    if all(_lacking(folder / name) for name in VOCABULARIES):
        return f"{' or '.join(VOCABULARIES)} is missing"
    try:
        mels = _mels_of(folder / "model.bin")
    except EOFError:
        return f"model.bin was cut off after {(folder / 'model.bin').stat().st_size:,} bytes"
    except (ValueError, struct.error, OSError) as error:
        logger.debug("the layout of %s is not known here: %s", folder, error)
        return None
    if mels not in {None, USUAL_MELS}:
        return _lacking(folder / "preprocessor_config.json")  # without it, features are computed for 80 bands
    return None


def _lacking(path: Path) -> str | None:
    if not path.is_file():
        return f"{path.name} is missing"
    return None if path.stat().st_size else f"{path.name} is empty"


def _mels_of(path: Path) -> int | None:
    """Walk over a model's variables, and return its number of mel bands (Whisper models).

    Raises:
        EOFError: the file ends before its last variable.
        ValueError: the layout is a different one.
    """
    mels, size_bytes = None, path.stat().st_size
    with path.open("rb") as opened:
        if _number(opened, "I") != BINARY_VERSION:
            raise ValueError("another binary version")
        _text(opened)
        _number(opened, "I")
        for _ in range(_number(opened, "I")):
            name = _text(opened)
            shape = [_number(opened, "I") for _ in range(_number(opened, "B"))]
            _number(opened, "B")
            opened.seek(_number(opened, "I"), 1)
            if opened.tell() > size_bytes:
                raise EOFError
            if name == MELS_OF and len(shape) == 3:
                mels = shape[1]
        for _ in range(2 * _number(opened, "I")):  # pairs of an alias and its variable
            _text(opened)
    return mels


def _number(opened: BinaryIO, kind: str) -> int:
    return int(struct.unpack(kind, _read(opened, struct.calcsize(kind)))[0])


def _text(opened: BinaryIO) -> str:
    return _read(opened, _number(opened, "H"))[:-1].decode(errors="replace")


def _read(opened: BinaryIO, count: int) -> bytes:
    data = opened.read(count)
    if len(data) < count:
        raise EOFError
    return data
