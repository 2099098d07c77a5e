"""The command line in this process: an interpreter of its own takes seconds to start for each command."""

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest

from flows.cli.main import main


def run(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command with this environment and the usual umask, as a process of its own would."""
    out, err = StringIO(), StringIO()
    umask = os.umask(0o022)
    try:
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in os.environ.keys() - env.keys():
                patch.delenv(name)
            for name, value in env.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["transcriber", *arguments])
            status = _status_of_main()
    finally:
        os.umask(umask)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), err.getvalue())


def _status_of_main() -> int:
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
