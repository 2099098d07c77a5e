"""`transcriber admin import-legacy`, on a database made by the older application's documented tables."""

import json
import shutil
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import typer

from flows.cli import import_command
from storage.accounts import users
from storage.campaigns import corrections
from storage.domain import names
from storage.domain.errors import LegacyDatabaseUnreadable, TimesNotMeasured
from storage.domain.records import Job, JobState, Role, Transcript
from storage.domain.settings import Settings
from storage.files.file_store import Files
from storage.jobs import job_store
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.maintenance import legacy_import
from storage.transcripts import transcript_store, versions
from tasks.exports.writers import export
from tests.storage.maintenance.legacy import LegacyApp

LISTED = "SELECT id FROM jobs WHERE owner_id <> 'canary' ORDER BY id"
IMPORTED = "SELECT detail FROM audit WHERE action = 'job.import' ORDER BY seq"


@pytest.fixture
def app(tmp_path: Path, empty_ledger: Path, monkeypatch: pytest.MonkeyPatch) -> LegacyApp:
    """The older application's folder; the command's data dir has an administrator."""
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    path = Settings().storage.ledger_path
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_ledger, path)
    with Ledger.open(path) as ledger:
        ledger.run(users.create, name="admin", password="a long enough one", role=Role.ADMIN, actor="test")
    return LegacyApp(tmp_path / "older")


def run(app: LegacyApp, **options: Any) -> int:
    """Run the command and return its exit status."""
    try:
        import_command.import_legacy(app.database, **{"owner": "admin", "rejects": Path("rejects.jsonl"), **options})
    except typer.Exit as ended:
        return ended.exit_code
    return 0


def rejects() -> dict[str, str]:
    lines = Path("rejects.jsonl").read_text(encoding="utf-8").splitlines()
    return {told["job"]: told["reason"] for told in map(json.loads, lines)}


def imported() -> list[tuple[Job, Transcript | None, str]]:
    """Return the jobs of the ledger with transcript and owner; the audit log must be intact."""
    with Ledger.open(Settings().storage.ledger_path) as ledger, ledger.read() as con:
        assert audit.verify(con) is None
        jobs = [job_store.get(con, row[0]) for row in con.execute(LISTED).fetchall()]
        return [(job, transcript_store.get(con, job.id), users.get(con, job.owner_id).name) for job in jobs]


def test_a_job_comes_with_recording_text_owner_times_of_day_and_tags(app: LegacyApp) -> None:
    app.add_job("a1")
    app.insert("transcript_metadata", job_id="a1", tokens=7, duration=99, abstract="", language="en", generated_at="x")
    app.insert("transcript_tags", id=1, name="Board", created_at="x")
    app.insert("job_tags", job_id="a1", tag_id=1, assigned_at="x")
    assert run(app) == 0
    assert not Path("rejects.jsonl").exists()
    ((job, transcript, owner),) = imported()
    assert transcript is not None
    assert (owner, job.name, job.state, job.tags, job.language) == (
        "grace",
        "talk.wav",
        JobState.COMPLETED,
        ("board",),
        "en",
    )
    assert job.created_at == datetime(2025, 11, 1, 9, 30, 0, 250000, tzinfo=UTC)
    assert (job.duration_s, transcript.text) == (2.0, "Good morning. All of it is here.")  # the file's own length
    files = Files.from_settings(Settings().storage)
    assert files.read(names.media_name(job.media_sha256)) == (app.folder / "uploads/a1_talk.wav").read_bytes()
    with Ledger.open(Settings().storage.ledger_path) as ledger, ledger.read() as con:
        assert [json.loads(row[0])["origin"] for row in con.execute(IMPORTED).fetchall()] == ["a1"]
        assert [one.made_by for one in versions.list_of(con, job.id)] == ["older application"]
        grace = users.get(con, job.owner_id)
        assert (grace.role, users.has_password(con, grace.id)) == (Role.MEMBER, False)


def test_no_times_are_invented_for_a_text_without_times(app: LegacyApp) -> None:
    app.add_job("a1", text="One.\nTwo. " + "A sentence that is long enough to be cut. " * 20)
    assert run(app) == 0
    ((_, transcript, _),) = imported()
    assert transcript is not None
    assert len(transcript.segments) > 3
    assert {(one.start_s, one.end_s, one.words) for one in transcript.segments} == {(0.0, 2.0, ())}
    assert [finding.kind for finding in transcript.findings] == ["times not measured"]
    for fmt in ("srt", "vtt", "tsv", "ass", "ttml", "sbv"):
        with pytest.raises(TimesNotMeasured):
            export(transcript, fmt)
    told = json.loads(export(transcript, "json"))
    assert (told["quality"]["word_probability"], any("words" in one for one in told["segments"])) == (None, False)
    assert export(transcript, "txt").startswith(b"One.\nTwo. A sentence")
    assert sorted(zipfile.ZipFile(BytesIO(export(transcript, "zip"))).namelist()) == [
        "talk.docx",
        "talk.json",
        "talk.txt",
    ]


def test_it_may_be_run_as_often_as_one_likes(app: LegacyApp) -> None:
    app.add_job("a1")
    assert (run(app), run(app)) == (0, 0)
    app.add_job("a2")
    assert run(app) == 0
    assert len(imported()) == 2


def test_what_was_deleted_for_good_here_stays_away(app: LegacyApp) -> None:
    from storage.jobs import intake

    app.add_job("a1")
    assert run(app) == 0
    with Ledger.open(Settings().storage.ledger_path) as ledger, ledger.read() as con:
        (job_id,) = (row[0] for row in con.execute(LISTED).fetchall())
        intake.throw_out(ledger, Files.from_settings(Settings().storage), job_id, actor="test")
    assert run(app) == 0
    assert imported() == []


def test_an_import_that_was_killed_is_completed_by_the_next(app: LegacyApp, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        app.add_job(f"a{number}")

    class Killed(BaseException):
        """The process ends here."""

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(legacy_import, "bring_in", killed)
        with pytest.raises(Killed):
            run(app)
    assert imported() == []
    assert run(app) == 0
    assert len(imported()) == 3


def test_a_dry_run_says_what_would_happen_and_changes_nothing(
    app: LegacyApp, capsys: pytest.CaptureFixture[str]
) -> None:
    app.add_job("a1")
    app.add_job("a2", text=None)
    assert run(app, dry_run=True) == 1
    told = capsys.readouterr().out
    assert "'talk.wav' for grace: 2 s, text of 32 characters, without times" in told
    assert "nothing is changed: 1 taken over (0.0 MB), 0 already here, 0 deleted here for good, 1 rejected" in told
    assert set(rejects()) == {"a2"}
    assert imported() == []
    assert list(Files.from_settings(Settings().storage).list("")) == []


def test_a_recording_without_text_is_queued_if_asked(app: LegacyApp) -> None:
    app.add_job("a1", text=None, status="failed_whisper_error", transcript_path=None, user_id="legacy")
    assert run(app) == 1
    assert "--transcribe" in rejects()["a1"]
    assert run(app, transcribe=True, owner="ada") == 0
    ((job, transcript, owner),) = imported()
    assert (job.state, transcript, owner) == (JobState.QUEUED, None, "ada")


def test_the_edited_text_is_taken(app: LegacyApp) -> None:
    app.add_job("a1")
    for number, text in enumerate(("first edit", "second edit"), start=1):
        row = {"version_number": number, "content": text, "created_at": "x", "is_current": number == 2}
        app.insert("transcript_versions", job_id="a1", **row)
    assert run(app) == 0
    ((job, transcript, _),) = imported()
    assert transcript is not None
    assert transcript.text == "second edit"
    with Ledger.open(Settings().storage.ledger_path) as ledger, ledger.read() as con:
        assert corrections.is_corrected(con, job.id)


HOSTILE: list[tuple[dict[str, Any], str]] = [
    ({"transcript_path": "/etc/passwd"}, "not a path in the folder transcripts"),
    ({"transcript_path": "transcripts/../../secret.txt"}, "not a path in the folder transcripts"),
    ({"transcript_path": "transcripts/link.txt"}, "leads out of"),
    ({"transcript_path": "transcripts/none.txt"}, "there is no file"),
    ({"transcript_path": b"\x00\x01"}, "transcript_path is not usable"),
    ({"transcript_path": "transcripts/latin1.txt"}, "utf-8"),
    ({"transcript_path": "transcripts/zeros.txt"}, "zero bytes"),
    ({"transcript_path": "transcripts/blank.txt"}, "no text"),
    ({"saved_filename": "uploads/notes.txt"}, "not readable audio"),
    ({"saved_filename": "uploads/none.wav"}, "there is no file"),
    ({"saved_filename": b"7"}, "saved_filename is not usable"),
    ({"created_at": "yesterday"}, "created_at is not usable"),
    ({"created_at": "9999-01-01 00:00:00"}, "in the future"),
    ({"original_filename": ""}, "original_filename is not usable"),
    ({"user_id": "9"}, "printable"),
]


def test_what_cannot_be_used_is_rejected_and_the_rest_comes(app: LegacyApp) -> None:
    (app.folder.parent / "secret.txt").write_text("secret")
    (app.folder / "transcripts/link.txt").symlink_to(app.folder.parent / "secret.txt")
    (app.folder / "transcripts/latin1.txt").write_bytes("Grüße".encode("latin-1"))
    (app.folder / "transcripts/zeros.txt").write_bytes(b"a\0b")
    (app.folder / "transcripts/blank.txt").write_bytes(b" \n")
    (app.folder / "uploads/notes.txt").write_text("no sound in here")
    app.add_user(9, "tab\tin\tit", "user")
    for number, (changed, _) in enumerate(HOSTILE):
        app.add_job(f"bad{number}", **changed)
    app.add_job("good")
    assert run(app) == 1
    told = rejects()
    assert [reason for number, (_, reason) in enumerate(HOSTILE) if reason not in told[f"bad{number}"]] == []
    assert len(told) == len(HOSTILE)
    assert [transcript.text for _, transcript, _ in imported() if transcript] == ["Good morning. All of it is here."]


@pytest.mark.parametrize("damage", ["no database", "cut", "other tables", "missing"])
def test_a_file_that_is_no_such_database_imports_nothing(app: LegacyApp, damage: str) -> None:
    app.add_job("a1", text="x" * 100)
    match damage:
        case "no database":
            app.database.write_text("this is no database at all, although it is long enough to be one" * 9)
        case "cut":
            app.database.write_bytes(app.database.read_bytes()[:9000])
        case "other tables":
            app.run("ALTER TABLE jobs RENAME TO tasks")
        case _:
            app.database.unlink()
    with pytest.raises(LegacyDatabaseUnreadable, match="older application's database"):
        run(app)
    assert imported() == []
