"""The wheel of the platform: one top package, which starts beside other people's `storage` and `tasks`."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.clients.test_client_wheel import uv
from tests.test_structure import MAY_IMPORT, ROOT, files_of

PROBE = """
import os, subprocess, sys
from transcriber_platform.start import put_on_path
put_on_path()
child = "import flows.platform.deploy as d, storage; print(d.PREFECT_YAML.exists(), d.__file__, storage.__file__)"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout)
"""


def test_the_wheel_overwrites_nobodys_packages(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in (*MAY_IMPORT, "packaging"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "prefect.yaml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [uv(), "build", "--wheel", "--quiet", "--python", sys.executable, "--out-dir", str(tmp_path), str(source)]
    subprocess.run(command, check=True, timeout=180, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    there = tmp_path / "site-packages"
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
        opened.extractall(there)
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"transcriber_platform"}
    ours = {str(path.relative_to(ROOT)) for package in MAY_IMPORT for path in files_of(package)} | {"prefect.yaml"}
    assert {f"transcriber_platform/{path}" for path in ours} <= set(names)

    for others in ("storage", "tasks"):
        (there / others).mkdir()
        (there / others / "__init__.py").write_text("OF_OTHERS = True\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    env = os.environ | {"PYTHONPATH": str(there)}
    said = subprocess.run([sys.executable, "-c", PROBE], cwd=empty, env=env, capture_output=True, text=True, check=True)
    has_deployments, *files = said.stdout.split()
    assert has_deployments == "True"
    assert all(Path(file).is_relative_to(there / "transcriber_platform") for file in files)
