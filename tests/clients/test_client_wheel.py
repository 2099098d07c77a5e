"""The wheel of the Python client: what is in it, what it needs, and the rules of its code."""

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.test_structure import MAX_FIRST_SENTENCE_WORDS, MAX_LINES, OURS, ROOT
from tests.waiting import PATIENCE_S

CLIENT = ROOT / "clients" / "python"
MODULES = sorted((CLIENT / "src").rglob("*.py"))


def uv() -> str:
    (found, *_) = [*ROOT.glob(".tools/uv-*/bin/uv"), *filter(None, [shutil.which("uv")])] or [""]
    return str(found) or pytest.fail("`make install` brings uv")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as users get it, from a copy without anything that git ignores."""
    folder = tmp_path_factory.mktemp("client")
    source = folder / "source"
    shutil.copytree(CLIENT, source, ignore=shutil.ignore_patterns("__pycache__", "dist"))
    command = [uv(), "build", "--wheel", "--quiet", "--python", sys.executable, "--out-dir", str(folder), str(source)]
    subprocess.run(command, check=True, timeout=PATIENCE_S, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_the_client_and_nothing_of_the_platform(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        (metadata,) = (name for name in names if name.endswith("METADATA"))
        told = Parser().parsestr(opened.read(metadata).decode())
    code = {name for name in names if ".dist-info/" not in name}
    assert code == {str(path.relative_to(CLIENT / "src")) for path in MODULES} | {"transcriber/client/py.typed"}
    assert [name for name in names if name.endswith("/licenses/LICENSE")]
    needed = {re.split(r"[<>=!~; ]", text)[0] for text in told.get_all("Requires-Dist", []) if "extra ==" not in text}
    assert needed == {"httpx", "pydantic"}
    assert wheel.stat().st_size < 100_000


def test_it_can_be_installed_beside_the_platform_and_another_transcriber(wheel: Path, tmp_path: Path) -> None:
    """`transcriber` is a namespace of everybody's: one package of that name does not hide the client."""
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        opened.extractall(tmp_path)
    assert not [name for name in names if name in {"transcriber/__init__.py", "transcriber.py"}]
    assert not {name.split("/")[0] for name in names} & OURS
    assert not [name for name in names if ".data/scripts" in name or "console_scripts" in name]
    (tmp_path / "transcriber" / "__init__.py").write_text("OTHER = 1\n")
    probe = (
        "import sys, transcriber, transcriber.client as c;"
        "print(transcriber.OTHER, c.Transcriber, [m for m in ('prefect', 'duckdb', 'streamlit') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("1 <class 'transcriber.client.blocking.Transcriber'> []")


def test_its_code_keeps_the_rules() -> None:
    for path in MODULES:
        tree = ast.parse(path.read_text())
        imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names}
        assert not {name.split(".")[0] for name in imported} & OURS, path
        assert len(path.read_text().splitlines()) <= MAX_LINES, path
        assert ast.get_docstring(tree), path
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                first = re.split(r"(?<=[.!?])\s", ast.get_docstring(node) or "", maxsplit=1)[0]
                assert len(first.split()) <= MAX_FIRST_SENTENCE_WORDS, f"{path}: {first}"
