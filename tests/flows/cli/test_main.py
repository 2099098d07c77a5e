"""The command line as its users meet it: help, clean errors, and the ledger's commands without a platform."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = ("up", "transcribe", "web", "worker", "batch", "doctor", "models", "admin")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "TRANSCRIBER_"))}
    return kept | {
        "TRANSCRIBER_DATA_DIR": str(tmp_path / "data"),
        "TRANSCRIBER_PORT": "9",  # nobody listens there
        "PREFECT_SERVER_API_PORT": "9",
        "COLUMNS": "200",
    }


def run(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments], env=env, capture_output=True, text=True, check=False
    )


def test_help_names_every_command(env: dict[str, str]) -> None:
    done = run(env, "--help")

    assert done.returncode == 0
    assert all(re.search(rf"^. {command} ", done.stdout, re.MULTILINE) for command in COMMANDS)


def test_help_loads_no_engine_and_no_server(env: dict[str, str]) -> None:
    heavy = "('prefect', 'ctranslate2', 'faster_whisper', 'streamlit', 'duckdb', 'httpx', 'numpy', 'pydantic')"
    probe = f"import sys, flows.cli; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", probe], env=env, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_an_account_can_be_made_without_a_platform(env: dict[str, str]) -> None:
    made = run(env, "admin", "create-user", "grace", "--role", "reader")
    assert made.returncode == 0, made.stderr
    assert "grace may log in once with the password" in made.stdout

    key = run(env, "admin", "create-key", "grace")
    assert key.stdout.startswith("wt_")

    checked = run(env, "admin", "verify-audit")
    assert checked.returncode == 0
    assert re.match(r"all \d+ rows of the audit log are as they were written", checked.stdout)


def test_a_backup_comes_back(env: dict[str, str], tmp_path: Path) -> None:
    assert run(env, "admin", "create-user", "grace").returncode == 0
    assert run(env, "admin", "backup", str(tmp_path / "copy.duckdb")).returncode == 0
    assert run(env, "admin", "create-user", "ada").returncode == 0

    restored = run(env, "admin", "restore", str(tmp_path / "copy.duckdb"))

    assert restored.returncode == 0, restored.stderr
    assert run(env, "admin", "reset-password", "grace").returncode == 0
    gone = run(env, "admin", "reset-password", "ada")
    assert gone.returncode == 1
    assert gone.stderr.startswith("transcriber: there is no user ada")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("batch", "tests/flows"), "did not answer"),
        (("batch", "no-such-folder"), "'no-such-folder' does not exist"),
        (("models", "fetch", "no-such-model"), "no-such-model is not here"),
        (("models", "remove", "tiny.en"), "tiny.en is not here"),
        (("admin", "create-user", "x", "--role", "king"), "use one of admin, member, reader"),
        (("admin", "restore", "no-such-file"), "there is no such file"),
    ],
)
def test_what_goes_wrong_is_one_line_and_status_1(
    env: dict[str, str], arguments: tuple[str, ...], message: str
) -> None:
    done = run(env, *arguments)

    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_doctor_finds_what_is_not_running_and_says_how_to_start_it(env: dict[str, str]) -> None:
    away = {"TRANSCRIBER_HUB_URL": "http://127.0.0.1:9", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    done = run({**env, **away, "PIP_FIND_LINKS": str(Path(__file__).parent), "COLUMNS": "500"}, "doctor")

    assert done.returncode == 1
    assert "the hub http://127.0.0.1:9 did not answer" in done.stdout
    assert "pip: No matching distribution found" in done.stdout
    assert "nobody answers at http://127.0.0.1:9" in done.stdout
    assert "transcriber up" in done.stdout
    assert "Traceback" not in done.stderr


def test_models_lists_the_catalogue_and_what_is_here(env: dict[str, str]) -> None:
    done = run(env, "models", "list")

    assert done.returncode == 0
    assert "large-v3" in done.stdout
    assert "package index" in done.stdout
    assert "demo/model" in done.stdout
