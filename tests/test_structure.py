"""The rules of the house that a reader relies on, held by tests."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from storage import settings

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "flows": {"flows", "tasks", "storage", "demo"},
    "tasks": {"tasks", "storage", "demo"},
    "dashboards": {"dashboards", "storage"},
    "storage": {"storage"},
}
OURS = {"flows", "tasks", "dashboards", "storage", "demo", "tests", "benchmarks"}


def modules_imported_by(source: str) -> set[str]:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module)
    return imported


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_down(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        ours = {name.split(".")[0] for name in modules_imported_by(path.read_text())} & OURS
        assert ours <= MAY_IMPORT[package], f"{path.relative_to(ROOT)} reaches for {ours - MAY_IMPORT[package]}"


def test_only_the_ledger_connects_to_duckdb() -> None:
    connecting = {
        str(path.relative_to(ROOT))
        for package in MAY_IMPORT
        for path in (ROOT / package).rglob("*.py")
        if "duckdb.connect(" in path.read_text()
    }
    assert connecting == {"storage/ledger.py"}


def test_the_web_process_loads_no_engine() -> None:
    probe = (
        "import sys, dashboards.app;"
        "print([m for m in ('ctranslate2', 'faster_whisper', 'onnxruntime', 'torch', 'tasks') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_every_setting_is_documented() -> None:
    readme = (ROOT / "README.md").read_text()
    documented = set(re.findall(r"^\| `(TRANSCRIBER_[A-Z0-9_]+)` \|", readme, re.MULTILINE))
    classes = [kind for kind in vars(settings).values() if isinstance(kind, type) and issubclass(kind, BaseSettings)]
    fields = {name: field for kind in classes if kind is not BaseSettings for name, field in kind.model_fields.items()}
    assert documented == {f"TRANSCRIBER_{name.upper()}" for name in fields}
    assert [name for name, field in fields.items() if not field.description] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for package in MAY_IMPORT
        for path in (ROOT / package).rglob("*.py")
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_every_migration_has_a_number_of_its_own() -> None:
    numbers = [path.name.split("_")[0] for path in sorted((ROOT / "storage" / "migrations").glob("*.sql"))]
    assert numbers == [f"{place:04}" for place in range(1, len(numbers) + 1)]


def test_what_pages_say_stands_in_one_place() -> None:
    """No phrase in a module that draws with Streamlit, but for logs, exceptions and markup."""
    phrases = []
    for path in (ROOT / "dashboards").rglob("*.py"):
        source = path.read_text()
        if "import streamlit as st" not in source or path.parent.name == "components" or path.name == "app.py":
            continue
        tree = ast.parse(source)
        apart = {id(node) for held in ast.walk(tree) if not_for_readers(held) for node in ast.walk(held)}
        phrases += [
            f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
            for node in ast.walk(tree)
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
