"""What cached files depend on, recorded: `python -m tests.golden.record` writes it down, a test compares.

Exports are recorded as they are read (of a Word document or a ZIP the parts, since both hold the time of day); code
that decides a plan or a result as one digest a module, without comments, docstrings and imports, so that words may
change and modules move.
"""

import ast
import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from storage.domain import names
from storage.domain.export_formats import ExportFormat
from tasks.asr.engine import DECODING_VERSION
from tasks.audio.ingest import PLAN_VERSION
from tasks.exports.writers import export
from tests.golden.transcripts import CASES

ROOT = Path(__file__).parents[2]
EXPORTS = Path(__file__).parent / "exports"
RECORDED = Path(__file__).parent / "versions.json"
COMMAND = "python -m tests.golden.record"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
VERSIONS = {
    "EXPORTER_VERSION": names.EXPORTER_VERSION,
    "DECODING_VERSION": DECODING_VERSION,
    "PLAN_VERSION": PLAN_VERSION,
}
DECIDED_BY = {"DECODING_VERSION": {"tasks.asr.transcribe_windows"}, "PLAN_VERSION": {"tasks.audio.ingest"}}
"""Where the code behind a version begins; all that it imports of `tasks` and `storage.media` belongs to it."""
DECIDE_NOTHING = {
    "DECODING_VERSION": {
        "tasks.asr.base",  # the contract, which decodes nothing
        "tasks.audio.decode",  # a result is named by the samples, however they were decoded
    },
    "PLAN_VERSION": {
        "tasks.audio.waveform",  # waveforms are no part of a plan
        "storage.media.probe",  # looks at a file before it is a job
        "storage.media.fork_server",
        "storage.media.sandbox",
    },
}


def exports() -> dict[str, bytes]:
    """Return every case in every format, by file name, as it is recorded."""
    made = {}
    with patch("tasks.exports.docx_writer.utc_now", lambda: NOON):
        for case, (transcript, limits) in CASES.items():
            for fmt in ExportFormat:
                body = export(transcript, fmt, limits=limits)
                if zipfile.is_zipfile(io.BytesIO(body)):
                    made[f"{case}.{fmt}.parts"] = (json.dumps(parts(body), indent=1) + "\n").encode()
                else:
                    made[f"{case}.{fmt}"] = body
    return made


def parts(body: bytes) -> dict[str, Any]:
    """Return the digests of the files in a ZIP, of those that are ZIPs themselves the digests of theirs."""
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        inner = {name: packed.read(name) for name in packed.namelist()}
    return {name: parts(one) if zipfile.is_zipfile(io.BytesIO(one)) else digest(one) for name, one in inner.items()}


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


def modules_behind(version: str) -> dict[str, str]:
    """Return the digest of each module that decides what the version stands for."""
    found: dict[str, str] = {}
    waiting = set(DECIDED_BY[version])
    while waiting:
        name = waiting.pop()
        path = ROOT / f"{name.replace('.', '/')}.py"
        if name in found or name in DECIDE_NOTHING[version] or not path.exists():
            continue
        source = path.read_text()
        found[name] = meaning(source)
        waiting |= {one for one in imported_by(source) if one.startswith(("tasks.", "storage.media."))}
    return dict(sorted(found.items()))


def imported_by(source: str) -> Iterator[str]:
    """Yield the names that may be modules among what the source imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def meaning(source: str) -> str:
    """Return a digest of what the source does, however it is laid out and described."""
    return digest(repr(_shape(ast.parse(source))).encode())


def _shape(node: Any) -> Any:
    """Return a syntax tree as tuples; the same for every Python, unlike `ast.dump`."""
    if isinstance(node, list):
        return [_shape(one) for one in node if not _says_nothing(one)]
    if not isinstance(node, ast.AST):
        return node
    held = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
    return (type(node).__name__, [(name, _shape(value)) for name, value in held])


def _says_nothing(node: Any) -> bool:
    """Return whether this is an import, a docstring, or the number of a version itself."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in VERSIONS


def changed_exports() -> list[str]:
    """Return the recorded files that would be written otherwise now."""
    made = exports()
    return sorted(path.name for path in EXPORTS.iterdir() if made.get(path.name) != path.read_bytes())


def main() -> int:
    """Record what is now; refused where exports have changed and their version has not."""
    before = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    same = before.get("EXPORTER_VERSION") == names.EXPORTER_VERSION
    if same and (changed := changed_exports()):
        print(f"{', '.join(changed)} changed: count EXPORTER_VERSION up in storage/domain/names.py first")  # noqa: T201
        return 1
    EXPORTS.mkdir(exist_ok=True)
    for path in EXPORTS.iterdir():
        path.unlink()
    for name, body in exports().items():
        (EXPORTS / name).write_bytes(body)
    modules = {version: modules_behind(version) for version in DECIDED_BY}
    RECORDED.write_text(json.dumps(VERSIONS | {"modules": modules}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
