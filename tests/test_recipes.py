"""The recipes of CONTRIBUTING.md, checked with toys in a copy of the tree."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from storage.domain import deployments, export_formats
from storage.domain.settings import web_settings
from tasks.exports import writers

ROOT = Path(__file__).parents[1]
COPIED = ("flows", "tasks", "dashboards", "storage", "prefect.yaml", "pyproject.toml")
SPEC = """    LRC = FormatSpec(
        extension="lrc", media_type="text/plain; charset=utf-8", label="Lyrics", settings=NO_SETTINGS, usual=True
    )
"""
WRITER = """        case ExportFormat.LRC:
            return "".join(f"[{one.start_s:.2f}]{one.text}\\n" for one in transcript.segments)
"""
EXPORTED = """
import json, zipfile, io
from dashboards import strings
from flows.cli.export_command import formats_of
from flows.platform import deploy
from storage.domain import names
from storage.domain.records import CueLimits, Options, Segment, Transcript
from tasks.exports.writers import export
said = Segment(start_s=1.5, end_s=2.0, text="Hello.")
transcript = Transcript(
    job_id="0190", media_sha256="00", name="talk.mp3", duration_s=9.0, speech_s=1.0, language="en",
    language_probability=None, model="m", fingerprint="f", engine="e", options=Options(), segments=(said,),
)
(form,) = (each for each in deploy.read(deploy.PREFECT_YAML)["deployments"] if each["name"] == "export-transcript")
print(json.dumps({
    "written": export(transcript, "lrc").decode(),
    "in_zip": zipfile.ZipFile(io.BytesIO(export(transcript, "zip"))).namelist(),
    "name": names.export_name("0190", "t", "lrc", CueLimits()),
    "lists": strings.LIST["formats"],
    "command": formats_of(["lrc"]),
    "form": form["parameter_openapi_schema"]["properties"]["formats"]["items"]["enum"],
}))
"""

SETTING = """    toy_seconds: float = Field(2.5, gt=0, description="Nothing but a toy.")
"""
CONFIGURED = """
import json
from dashboards.pages.admin import configuration
from storage.domain.settings import Settings
(row,) = (row for row in configuration.rows(Settings().web) if row["Setting"] == "TRANSCRIBER_TOY_SECONDS")
print(json.dumps(row))
"""
FLOW = '''"""A toy."""

from prefect import flow

from storage.domain.deployments import Deployment


@flow(name=Deployment.TOY.value)
def toy(times: int = 1) -> int:
    """Return `times`."""
    return times
'''
DEPLOYMENT = """  - name: toy
    flow_name: toy
    entrypoint: flows/flows/toy.py:toy
    description: Nothing but a toy.
    tags: [toys]
    work_pool: {name: cpu, work_queue_name: batch}
"""
DEPLOYED = """
import json
from flows.flows.toy import toy
from flows.platform import deploy
from storage.domain.deployments import Deployment
print(json.dumps({
    "deployed": [each["name"] for each in deploy.read(deploy.PREFECT_YAML)["deployments"]],
    "members": list(Deployment),
    "flow": toy.name,
}))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the code that may be changed."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "static"))
        else:
            shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def insert(path: Path, text: str, *, before: str) -> None:
    source = path.read_text()
    assert source.count(before) == 1, (path, before)
    path.write_text(source.replace(before, text + before))


def python(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=tree, capture_output=True, text=True, check=False, timeout=300
    )


def told(tree: Path, script: str) -> Any:
    """Run a script in the copy, and return what it prints."""
    done = python(tree, "-c", script)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def in_copy(tree: Path, module: object) -> Path:
    return tree / Path(str(vars(module)["__file__"])).relative_to(ROOT)


def test_a_format_is_a_spec_and_a_writer(tree: Path) -> None:
    spec, writer = in_copy(tree, export_formats), in_copy(tree, writers)
    insert(spec, SPEC, before="    ZIP = FormatSpec(")
    checking = ("-m", "mypy", "--no-incremental", "--follow-imports=silent", str(writer.relative_to(tree)))
    alone = python(tree, *checking)
    assert "LRC" in alone.stdout, alone.stderr
    assert alone.returncode == 1

    insert(writer, WRITER, before="        case ExportFormat.ZIP:")
    found = told(tree, EXPORTED)
    assert found["written"] == "[1.50]Hello.\n"
    assert "talk.lrc" in found["in_zip"]
    assert found["name"].endswith(".lrc")
    assert found["lists"]["lrc"] == "LRC"
    assert found["command"] == ["lrc"]
    assert "lrc" in found["form"]


def test_a_setting_is_a_field(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSCRIBER_TOY_SECONDS", "7")
    insert(in_copy(tree, web_settings), SETTING, before="    port: int = Field(8501,")
    row = told(tree, CONFIGURED)
    assert row == {
        "Setting": "TRANSCRIBER_TOY_SECONDS",
        "Value": "7.0",
        "Source": "Set",
        "Description": "Nothing but a toy.",
    }


def test_a_flow_is_a_member_a_module_and_a_deployment(tree: Path) -> None:
    insert(in_copy(tree, deployments), '    TOY = "toy"\n', before='    UPKEEP = "upkeep"\n')
    (tree / "flows" / "flows" / "toy.py").write_text(FLOW)
    insert(tree / "prefect.yaml", DEPLOYMENT, before="  - name: upkeep\n")
    found = told(tree, DEPLOYED)
    assert found["deployed"] == found["members"]
    assert found["flow"] == "toy"


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "ARCHITECTURE.md"])
def test_documents_name_files_that_are_there(document: str) -> None:
    named = re.findall(
        r"`((?:flows|tasks|dashboards|storage|tests|docs)/[\w./-]+(?:\.\w+|/))`", (ROOT / document).read_text()
    )
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
