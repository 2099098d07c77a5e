"""`transcriber up` as a command: the demonstration, from its start to its end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import srt
import webvtt

from tests.acceptance.conftest import Stack

pytestmark = pytest.mark.acceptance


def transcriber(stack: Stack, *arguments: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        env=stack.env,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        umask=0o022,
    )


def test_demo_prints_the_words_and_valid_subtitles_and_leaves_nothing_running(
    own_stack: Stack, real_models: Path
) -> None:
    own_stack.env |= {"TRANSCRIBER_MODEL": "auto", "TRANSCRIBER_MODEL_DIR": str(real_models)}

    done = transcriber(own_stack, "up", "--demo", "--exit")

    assert done.returncode == 0, done.stderr
    assert "by model base" in done.stdout
    for words in ("my fellow Americans", "ask not what your country can do for you"):
        assert words in done.stdout
    paths = {line.split(": ")[0]: Path(line.split(": ")[1]) for line in done.stdout.splitlines() if "/exports/" in line}
    assert len(list(srt.parse(paths["SRT"].read_text()))) >= 2
    assert len(webvtt.read(str(paths["VTT"])).captions) >= 2
    assert own_stack.processes() == []
    kept = [path for path in (own_stack.data_dir, *own_stack.data_dir.rglob("*")) if not path.is_symlink()]
    assert [str(path) for path in kept if path.stat().st_mode & 0o077] == []


@pytest.mark.nightly
def test_demo_with_no_model_and_no_source_says_what_to_do(own_stack: Stack) -> None:
    own_stack.env |= {"TRANSCRIBER_MODEL": "auto", "TRANSCRIBER_HUB_URL": "http://127.0.0.1:9"}
    own_stack.env |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(own_stack.data_dir)}

    done = transcriber(own_stack, "up", "--demo", "--exit")

    assert done.returncode == 1
    said = next(line for line in done.stderr.splitlines() if line.startswith("the demonstration failed"))
    for advice in ("transcriber models fetch base", "TRANSCRIBER_HUB_URL", "PIP_INDEX_URL", "models"):
        assert advice in said
    assert own_stack.processes() == []
