"""The structural rules of the code base, enforced by tests."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from storage.domain import settings

ROOT = Path(__file__).parents[1]
MAX_FIRST_SENTENCE_WORDS = 15
MAY_IMPORT = {
    "flows": {"flows", "tasks", "storage"},
    "tasks": {"tasks", "storage"},
    "dashboards": {"dashboards", "storage"},
    "storage": {"storage"},
}
ROOMS: dict[str, dict[str, set[str]]] = {
    "storage": {
        "domain": set(),
        "files": {"domain"},
        "ledger": {"domain"},
        "media": {"domain"},
        "accounts": {"domain", "ledger"},
        "search": {"domain", "ledger"},
        "transcripts": {"domain", "files"},
        "jobs": {"accounts", "domain", "files", "ledger", "transcripts"},
        "campaigns": {"accounts", "domain", "files", "jobs", "ledger", "transcripts"},
        "maintenance": {"accounts", "domain", "files", "jobs", "ledger", "media", "transcripts"},
        "backup": {"domain", "files", "ledger", "media"},
        "datasets": {"backup", "domain", "files", "ledger", "media"},
        "remote": {"domain", "jobs", "ledger"},
    },
    "tasks": {
        "audio": set(),
        "models": set(),
        "text": set(),
        "asr": {"audio", "models", "text"},
        "assembly": {"asr", "text"},
        "diarization": {"asr", "audio", "models"},
        "exports": {"asr", "assembly", "text"},
        "pipeline": {"asr", "assembly", "audio", "diarization"},
    },
    "flows": {
        "platform": set(),
        "runs": set(),
        "batch": {"platform"},
        "worker": {"platform", "runs"},
        "cli": {"batch", "platform", "worker"},
        "flows": {"batch", "runs", "worker"},
    },
    "dashboards": {
        "clients": set(),
        "strings": set(),
        "components": {"strings"},
        "presenters": {"components", "strings"},
        "runtime": {"clients", "presenters"},
        "http": {"runtime", "strings"},
        "loops": {"clients", "runtime"},
        "services": {"clients", "runtime"},
        "auth": {"http", "runtime"},
        "uploads": {"http", "runtime", "services"},
        "api": {"components", "http", "presenters", "runtime", "services", "strings"},
        "pages": {"clients", "components", "presenters", "runtime", "services", "strings"},
        "app": {"api", "auth", "clients", "components", "http", "loops", "pages", "runtime", "uploads"},
        "serve": {"app", "http"},
        "__main__": {"serve"},
    },
}
"""Each room and the rooms beside it that it imports from; a room stands below every one that reaches for it."""

MAX_ARROWS = 40
MAX_MODULES_IN_A_FOLDER = 25
MAX_LINES = 400
OURS = {"flows", "tasks", "dashboards", "storage", "tests", "benchmarks"}


@pytest.fixture(scope="module", autouse=True)
def nothing_parsed_stays() -> Iterator[None]:
    yield
    parsed.cache_clear()
    nodes.cache_clear()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return all nodes of a file, which most of these tests go through."""
    return tuple(ast.walk(parsed(path)))


@cache
def files_of(package: str) -> tuple[Path, ...]:
    return tuple(sorted((ROOT / package).rglob("*.py")))


def modules_imported_by(path: Path) -> set[str]:
    imported: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module)
    return imported


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_down(package: str) -> None:
    for path in files_of(package):
        ours = {name.split(".")[0] for name in modules_imported_by(path)} & OURS
        assert ours <= MAY_IMPORT[package], f"{path.relative_to(ROOT)} reaches for {ours - MAY_IMPORT[package]}"


def modules() -> dict[str, Path]:
    found = {}
    for package in MAY_IMPORT:
        for path in files_of(package):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def arrows(package: str) -> dict[str, set[str]]:
    """Return which rooms of a package each of its rooms imports from, wherever in a module the import stands."""
    known, found = modules(), {room: set[str]() for room in ROOMS[package]}
    for name, path in known.items():
        top, _, rest = name.partition(".")
        if top != package or not rest or rest.startswith("static."):
            continue
        room = rest.split(".")[0]
        reached = {one.split(".")[1] for one in targets(path, known) if one.startswith(f"{package}.")}
        found.setdefault(room, set()).update(reached - {room})
    return found


def targets(path: Path, known: Collection[str]) -> set[str]:
    """Return the modules of ours that a file imports, or imports something of."""
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inside & set(known)) or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & set(known)


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_import_from_the_rooms_below_them(package: str) -> None:
    """An arrow that goes has to leave the table, too, so that it does not come back unseen."""
    assert arrows(package) == ROOMS[package]
    below: set[str] = set()
    for room, reached in ROOMS[package].items():
        assert reached <= below, f"{package}/{room} reaches up for {reached - below}"
        below.add(room)


def test_the_rooms_of_the_dashboards_stay_apart() -> None:
    assert sum(len(reached) for reached in arrows("dashboards").values()) <= MAX_ARROWS


def test_modules_import_each_other_in_no_circle() -> None:
    known = modules()
    reached = {name: targets(path, known) - {name} for name, path in known.items()}
    list(TopologicalSorter(reached).static_order())  # raises CycleError, which names the modules


def test_no_folder_and_no_module_is_too_large() -> None:
    folders = Counter(path.parent for path in modules().values())
    assert {str(folder): n for folder, n in folders.items() if n > MAX_MODULES_IN_A_FOLDER} == {}
    lines = {name: len(path.read_text().splitlines()) for name, path in modules().items()}
    assert {name: n for name, n in lines.items() if n > MAX_LINES} == {}


def test_every_module_has_a_name_of_its_own() -> None:
    stems = Counter(path.stem for path in modules().values() if not path.stem.startswith("__"))
    assert [name for name, n in stems.items() if n > 1] == []


def test_every_class_has_a_name_of_its_own() -> None:
    names = Counter(node.name for path in modules().values() for node in nodes(path) if isinstance(node, ast.ClassDef))
    assert [name for name, n in names.items() if n > 1] == []


def test_routes_and_pages_change_jobs_through_services_alone() -> None:
    """Services ask whether the caller may, and tell open pages; whoever goes past them forgets one of the two."""
    kept = {
        "collaborators": {"put", "remove"},
        "intake": {"accept_in_hand", "delete", "restore", "take_in", "throw_out"},
        "job_store": {"accept", "cancel", "delete", "purge", "requeue", "restore", "retry"},
        "notes": {"add", "change", "remove"},
        "save_edit": {"edit", "restore"},
        "share_links": {"create", "revoke"},
        "tagging": {"change_tags", "set_tags"},
    }
    past = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
        for room in ("api", "auth", "http", "pages", "uploads")
        for path in (ROOT / "dashboards" / room).rglob("*.py")
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.attr in kept.get(node.value.id, ())
    ]
    assert past == []


def test_only_the_ledger_connects_to_duckdb() -> None:
    connecting = {
        str(path.relative_to(ROOT))
        for package in MAY_IMPORT
        for path in files_of(package)
        if "duckdb.connect(" in path.read_text()
    }
    assert connecting == {"storage/ledger/database_file.py"}


def test_only_the_ledger_makes_cursors_of_connections() -> None:
    """They are counted, so that `close` waits for them, and their statements are timed."""
    making = {
        str(path.relative_to(ROOT))
        for package in MAY_IMPORT
        for path in files_of(package)
        if re.search(r"con\.cursor\(", path.read_text())
    }
    assert making == {"storage/ledger/database_file.py"}


def test_sql_stands_in_storage_alone() -> None:
    statement = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|CREATE|ALTER)\s")
    elsewhere = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in MAY_IMPORT.keys() - {"storage"}
        for path in files_of(package)
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and statement.match(node.value)
    ]
    assert elsewhere == []


def test_the_web_process_loads_no_engine() -> None:
    probe = (
        "import sys, dashboards.app;"
        "print([m for m in ('ctranslate2', 'faster_whisper', 'onnxruntime', 'torch', 'tasks') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_workers_load_no_ledger_and_an_idle_supervisor_no_engine() -> None:
    probe = (
        "import sys, flows.platform.supervisor; from tasks.models import devices;"
        "from storage.domain.settings import EngineSettings; devices.CUDA_DRIVER = 'no driver';"
        "devices.devices(EngineSettings(device='auto', _env_file=None));"
        "engine = [m for m in ('ctranslate2', 'numpy', 'prefect') if m in sys.modules];"
        "import flows.worker.run_worker, flows.flows.transcribe_recording, flows.flows.transcribe_clip;"
        "engine += [m for m in ('ctranslate2',) if m in sys.modules];"
        "import tasks.asr.engine;"
        "print(engine + [m for m in ('duckdb', 'streamlit', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_one_package_knows_the_engine_and_its_model() -> None:
    knowing = {
        str(path.relative_to(ROOT))
        for package in MAY_IMPORT
        for path in files_of(package)
        if "faster_whisper" in modules_imported_by(path) or ".model.model" in path.read_text()
    }
    assert knowing
    assert all(path.startswith("tasks/asr/") for path in knowing), knowing


def test_every_setting_is_documented() -> None:
    table = (ROOT / "docs" / "configuration.md").read_text()
    documented = set(re.findall(r"^\| `(TRANSCRIBER_[A-Z0-9_]+)` \|", table, re.MULTILINE))
    classes = [kind for kind in vars(settings).values() if isinstance(kind, type) and issubclass(kind, BaseSettings)]
    fields = {name: field for kind in classes if kind is not BaseSettings for name, field in kind.model_fields.items()}
    assert documented == {f"TRANSCRIBER_{name.upper()}" for name in fields}
    assert [name for name, field in fields.items() if not field.description] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for package in MAY_IMPORT
        for path in files_of(package)
        if not ast.get_docstring(parsed(path))
    ]
    assert silent == []


def test_docstrings_begin_with_a_short_sentence() -> None:
    too_long = []
    for package in MAY_IMPORT:
        for path in files_of(package):
            for node in nodes(path):
                if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    continue
                first = re.split(r"(?<=[.!?])\s", ast.get_docstring(node) or "", maxsplit=1)[0]
                if len(first.split()) > MAX_FIRST_SENTENCE_WORDS:
                    too_long.append(f"{path.relative_to(ROOT)}: {first}")
    assert too_long == []


def test_every_migration_has_a_number_of_its_own() -> None:
    numbers = [path.name.split("_")[0] for path in sorted((ROOT / "storage" / "ledger" / "migrations").glob("*.sql"))]
    assert numbers == [f"{place:04}" for place in range(1, len(numbers) + 1)]


def test_what_pages_say_stands_in_one_place() -> None:
    """No phrase in a module that draws with Streamlit, but for logs, exceptions and markup."""
    phrases = []
    for path in files_of("dashboards"):
        source = path.read_text()
        if "import streamlit as st" not in source or path.parent.name == "components" or path.name == "app.py":
            continue
        apart = {id(node) for held in nodes(path) if not_for_readers(held) for node in ast.walk(held)}
        phrases += [
            f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
            for node in nodes(path)
            if isinstance(node, ast.Constant) and id(node) not in apart
            if isinstance(node.value, str) and re.search(r"[a-z]{2} [a-z]{2}", node.value) and "<" not in node.value
        ]
    assert phrases == []


def not_for_readers(node: ast.AST) -> bool:
    """Return whether this is a docstring, a line of the log or an exception."""
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        return name.startswith("logger.") or name in {"NotFound", "RuntimeError"}
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_tests_patch_no_constant_and_nothing_private() -> None:
    """Pauses and limits are parameters; `os.write` and other people's functions may be patched."""
    patched = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {name}"
        for path in files_of("tests")
        for node in nodes(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".setattr")
        if (name := patched_name(node)).isupper() or (name.startswith("_") and not name.startswith("__"))
    ]
    assert patched == []


def test_tests_type_with_the_keyboard() -> None:
    """Playwright's `fill` sets a value past all key handlers, so a field that swallows keys passes."""
    filled = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in files_of("tests")
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fill"
    ]
    assert filled == []


def patched_name(node: ast.Call) -> str:
    """Return the last part of what `setattr("module.name", …)` or `setattr(module, "name", …)` replaces."""
    texts = [arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    return texts[0].rpartition(".")[2] if texts else ""
