"""The command line: help, clean errors, and ledger commands without a platform."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli import doctor
from storage.accounts import worker_tokens
from storage.domain.settings import Settings
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.remote import part_troubles
from storage.remote.worker_registry import OWN_VERSION
from tests.flows.cli.in_process import run

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


def run_process(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        umask=0o022,
    )


def test_help_names_every_command(env: dict[str, str]) -> None:
    done = run_process(env, "--help")

    assert done.returncode == 0
    assert all(re.search(rf"^. {command} ", done.stdout, re.MULTILINE) for command in COMMANDS)


def test_the_version_is_the_installed_one(env: dict[str, str]) -> None:
    assert run_process(env, "--version").stdout.strip() == f"transcriber {OWN_VERSION}"


def test_help_loads_no_engine_and_no_server(env: dict[str, str]) -> None:
    heavy = "('prefect', 'ctranslate2', 'faster_whisper', 'streamlit', 'duckdb', 'httpx', 'numpy', 'pydantic')"
    probe = f"import sys, flows.cli.main; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", probe], env=env, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_an_account_can_be_made_without_a_platform(env: dict[str, str]) -> None:
    made = run_process(env, "admin", "create-user", "grace", "--role", "reader")
    assert made.returncode == 0, made.stderr
    assert "grace can log in once with the password" in made.stdout

    key = run(env, "admin", "create-key", "grace")
    assert key.stdout.startswith("wt_")
    refused = run(env, "admin", "create-key", "grace", "--requests-per-hour", "0")
    assert (refused.returncode, "requests_per_hour" in refused.stderr) == (1, True)

    checked = run(env, "admin", "verify-audit")
    assert checked.returncode == 0
    assert re.match(r"all \d+ rows of the audit log are intact", checked.stdout)


def test_a_secret_is_rotated_without_a_platform(env: dict[str, str], tmp_path: Path) -> None:
    assert run(env, "admin", "create-user", "grace").returncode == 0
    kept = tmp_path / "data" / "worker-token"
    kept.write_text("the-first\n")
    kept.chmod(0o600)

    done = run(env, "admin", "rotate-secret", "worker-token", "--overlap-hours", "1")

    assert done.returncode == 0, done.stderr
    assert re.search(r"the one before holds until 2\d{3}-.* UTC; .* TRANSCRIBER_WORKER_TOKEN", done.stdout)
    assert kept.read_text().strip() not in {"the-first", *done.stdout.split()}
    assert kept.with_name("previous-worker-token").read_text().startswith("the-first\n")


def test_the_platform_is_paused_without_a_web_process(env: dict[str, str]) -> None:
    assert run(env, "admin", "create-user", "grace").returncode == 0
    paused = run(env, "admin", "pause", "new disks", "--wait")
    assert paused.stdout.splitlines() == [
        "paused: new disks; uploads are accepted and wait",
        "the web process is not running; it hands out nothing when it starts",
    ]
    assert run(env, "admin", "resume").stdout == "resumed: recordings are handed out\n"


def test_one_command_lets_another_machine_join(env: dict[str, str], tmp_path: Path) -> None:
    assert run(env, "admin", "create-user", "grace").returncode == 0
    elsewhere = {"TRANSCRIBER_WEB_URL": "http://web.lan:8501", "PREFECT_API_URL": "http://web.lan:4200/api"}
    made = run(env | elsewhere | {"PREFECT_API_AUTH_STRING": "me:a b"}, "admin", "join-command", "attic")
    assert made.returncode == 0, made.stderr
    version, command = made.stdout.splitlines()
    assert OWN_VERSION in version
    assert command.endswith(" transcriber worker --pool gpu")
    told = dict(word.split("=", 1) for word in shlex.split(command) if "=" in word)
    assert told | elsewhere == told
    assert told["PREFECT_API_AUTH_STRING"] == "me:a b"
    with Ledger.open(tmp_path / "data" / "ledger.duckdb") as ledger:
        assert worker_tokens.lookup(ledger, told["TRANSCRIBER_WORKER_TOKEN"]) == "attic"
    assert "has to mount the folder" in made.stderr
    again = run(env, "admin", "join-command", "attic")
    assert (again.returncode, "there is a token named attic" in again.stderr) == (1, True)


def test_a_recording_that_is_not_there_cannot_be_renamed(env: dict[str, str]) -> None:
    assert run(env, "admin", "create-user", "grace").returncode == 0
    done = run(env, "admin", "rename", "nothing", "Board meeting")
    assert done.returncode == 1
    assert "there is no job nothing" in done.stderr


def test_a_backup_comes_back(env: dict[str, str], tmp_path: Path) -> None:
    assert run(env, "admin", "create-user", "grace").returncode == 0
    assert run(env, "admin", "backup", str(tmp_path / "copy.duckdb")).returncode == 0
    assert run(env, "admin", "create-user", "ada").returncode == 0

    restored = run(env, "admin", "restore", str(tmp_path / "copy.duckdb"))

    assert [path for path in tmp_path.rglob("*") if path.stat().st_mode & 0o077] == []
    assert restored.returncode == 0, restored.stderr
    assert "storage has nothing that the backup had not" in restored.stdout
    assert run(env, "admin", "reset-password", "grace").returncode == 0
    gone = run(env, "admin", "reset-password", "ada")
    assert gone.returncode == 1
    assert gone.stderr.startswith("transcriber: there is no user ada")


def test_a_packed_backup_comes_back_into_an_empty_data_dir(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    key = run(env, "admin", "backup-key").stdout.strip()
    env |= {"TRANSCRIBER_BACKUP_URL": str(tmp_path / "place"), "TRANSCRIBER_BACKUP_KEY": key}
    assert run(env, "admin", "create-user", "grace").returncode == 0
    made = run(env, "admin", "backup")
    assert made.returncode == 0, made.stderr
    drilled = run(env, "admin", "drill")
    assert drilled.returncode == 0, drilled.stderr
    assert "encrypted  0 recordings  passed its drill" in run(env, "admin", "backups").stdout
    empty = env | {"TRANSCRIBER_DATA_DIR": str(tmp_path / "new")}
    restored = run(empty, "admin", "restore", "latest")
    assert restored.returncode == 0, restored.stderr
    assert restored.stdout.startswith("restored from backup 2")
    assert run(empty, "admin", "reset-password", "grace").returncode == 0
    other = run(empty | {"TRANSCRIBER_BACKUP_KEY": ""}, "admin", "restore", "latest")
    assert "it is encrypted for age1" in other.stderr


def test_a_drill_works_beside_the_ledger_and_is_in_the_audit_log(env: dict[str, str], tmp_path: Path) -> None:
    assert run(env, "admin", "create-user", "grace").returncode == 0
    assert run(env, "admin", "backup").returncode == 0
    killed = tmp_path / "data" / "backups" / "work-of-a-killed-drill"
    killed.mkdir()
    drilled = run(env, "admin", "drill")
    assert drilled.returncode == 0, drilled.stderr
    assert not killed.exists()
    with Ledger.open(tmp_path / "data" / "ledger.duckdb") as ledger, ledger.read() as con:
        (row,) = [row for row in audit.page(con) if row.action == "ledger.drill"]
        assert (row.actor.startswith("cli:"), row.detail["passed"]) == (True, True)


def test_a_restore_takes_no_other_platforms_backup_from_a_shared_place(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    env |= {"TRANSCRIBER_BACKUP_URL": str(tmp_path / "place")}
    other = env | {"TRANSCRIBER_DATA_DIR": str(tmp_path / "other")}
    for one, name in ((env, "grace"), (other, "ada")):
        assert run(one, "admin", "create-user", name).returncode == 0
        made = run(one, "admin", "backup")
        assert made.returncode == 0, made.stderr
    assert run(env, "admin", "backups").stdout.count("of ledger ") == 2

    restored = run(env, "admin", "restore", "latest")

    assert restored.returncode == 0, restored.stderr
    assert run(env, "admin", "reset-password", "grace").returncode == 0
    empty = run(env | {"TRANSCRIBER_DATA_DIR": str(tmp_path / "new")}, "admin", "restore", "latest")
    assert (empty.returncode, "backups of several platforms" in empty.stderr) == (1, True)


def test_a_rebuild_says_what_it_brought_in(env: dict[str, str]) -> None:
    assert run(env, "admin", "create-user", "grace").returncode == 0
    rebuilt = run(env, "admin", "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert rebuilt.stdout == "0 recordings were brought in, 0 updated; 0 transcripts and 0 accounts came with them\n"


def test_rules_and_holds_name_the_person(env: dict[str, str]) -> None:
    assert run(env, "admin", "create-user", "grace").returncode == 0
    ruled = run(env, "admin", "retention", "set", "everybody", "source", "--days", "30")
    assert ruled.stdout.startswith("everybody: source kept for 30 days\n"), ruled.stderr
    held = run(env, "admin", "retention", "hold", "person", "grace", "a court's order")
    assert "person grace is held: a court's order\n" in held.stdout, held.stderr


@pytest.mark.parametrize("command", [("backup",), ("verify-audit",), ("reset-password", "admin")])
def test_an_empty_or_wrong_data_dir_is_refused_and_left_as_it_is(env: dict[str, str], command: tuple[str, ...]) -> None:
    data = Path(env["TRANSCRIBER_DATA_DIR"])
    done = run(env, "admin", *command)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"{data}/ledger.duckdb does not exist; set TRANSCRIBER_DATA_DIR" in done.stderr
    assert not data.exists()


def test_a_ledger_that_nobody_ever_used_is_not_backed_up(env: dict[str, str]) -> None:
    data = Path(env["TRANSCRIBER_DATA_DIR"])
    Ledger.open(data / "ledger.duckdb").close()
    done = run(env, "admin", "backup")

    assert (done.returncode, done.stdout) == (1, "")
    assert f"{data}/ledger.duckdb has no accounts; set TRANSCRIBER_DATA_DIR" in done.stderr
    assert not (data / "backups").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("batch", "tests/flows"), "did not answer"),
        (("batch", "no-such-folder"), "no-such-folder' does not exist"),
        (("models", "fetch", "no-such-model"), "no-such-model is not on this machine"),
        (("models", "remove", "tiny.en"), "tiny.en is not on this machine"),
        (("admin", "create-user", "x", "--role", "king"), "use one of admin, member, reader"),
        (("admin", "restore", "no-such-file"), "neither a file nor a backup's id"),
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
    done = run({**env, **away, "PIP_FIND_LINKS": str(Path(__file__).parents[1]), "COLUMNS": "500"}, "doctor")

    assert done.returncode == 1
    assert "the hub http://127.0.0.1:9 did not answer" in done.stdout
    assert "pip: No matching distribution found" in done.stdout
    assert "nothing answers at http://127.0.0.1:9" in done.stdout
    assert "Python's SQLite has FTS5" in done.stdout
    assert "transcriber up" in done.stdout
    assert "Traceback" not in done.stderr


def test_doctor_says_what_other_users_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("TRANSCRIBER_STORAGE_URL", raising=False)
    (tmp_path / "data" / "logs").mkdir(parents=True)
    (tmp_path / "data" / "logs").chmod(0o750)
    (tmp_path / "data").chmod(0o700)

    (check,) = doctor.check_privacy(Settings())
    assert check.state == "problem"
    assert f"1 in all: {tmp_path}/data/logs" in check.found

    (tmp_path / "data" / "logs").chmod(0o700)
    (check,) = doctor.check_privacy(Settings())
    assert check.state == "ok"


def test_doctor_says_that_storage_is_gone_and_does_not_make_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path))
    (check,) = doctor.check_storage(Settings())
    assert check.state == "ok"  # nothing was ever here
    (tmp_path / "ledger.duckdb").touch()
    (check,) = doctor.check_storage(Settings())
    assert check.state == "problem"
    assert check.found == f"{part_troubles.storage_away()} (the folder {tmp_path / 'store'} is gone)"
    assert not (tmp_path / "store").exists()
    (tmp_path / "store").mkdir()
    (check,) = doctor.check_storage(Settings())
    assert check.state == "ok"


def test_doctor_says_when_sqlite_cannot_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "full_text_supported", lambda: False)

    (check,) = doctor.check_search(Settings())

    assert check.state == "problem"
    assert "FTS5" in check.mend


def test_models_lists_the_catalogue_and_what_is_here(env: dict[str, str]) -> None:
    done = run(env, "models", "list")

    assert done.returncode == 0
    assert "large-v3" in done.stdout
    assert "package index" in done.stdout
    assert "demo" not in done.stdout
