"""Start the platform from its wheel, with its folders on the path of all of its processes."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent


def put_on_path() -> None:
    """Let `flows`, `tasks`, `dashboards` and `storage` be imported here and in child processes.

    In a checkout they are on the path already.
    """
    if not (HERE / "flows").is_dir():
        return
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    inherited = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    if str(HERE) not in inherited:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), *inherited])


def main() -> None:
    """Run the command `transcriber`."""
    put_on_path()
    from flows.cli.main import main as run

    run()
