"""A database of the older application, made by its documented tables, and its folders."""

import sqlite3
import wave
from pathlib import Path
from typing import Any

TABLES = """
CREATE TABLE users (id INTEGER PRIMARY KEY, username VARCHAR NOT NULL UNIQUE, email VARCHAR NOT NULL,
    hashed_password VARCHAR NOT NULL, role VARCHAR NOT NULL, must_change_password BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL);
CREATE TABLE jobs (id VARCHAR PRIMARY KEY, original_filename VARCHAR NOT NULL, saved_filename VARCHAR NOT NULL,
    model VARCHAR NOT NULL, user_id VARCHAR(255) NOT NULL, status VARCHAR(23) NOT NULL, transcript_path VARCHAR,
    log_path VARCHAR, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL, started_at DATETIME,
    finished_at DATETIME);
CREATE TABLE transcript_metadata (job_id VARCHAR PRIMARY KEY REFERENCES jobs (id), tokens INTEGER NOT NULL,
    duration INTEGER NOT NULL, abstract TEXT NOT NULL, sample_rate INTEGER, wpm INTEGER, keywords TEXT, summary TEXT,
    language VARCHAR, sentiment FLOAT, generated_at DATETIME NOT NULL);
CREATE TABLE transcript_versions (id INTEGER PRIMARY KEY, job_id VARCHAR NOT NULL REFERENCES jobs (id),
    version_number INTEGER NOT NULL, content TEXT NOT NULL, created_by VARCHAR, created_at DATETIME NOT NULL,
    change_summary TEXT, is_current BOOLEAN NOT NULL);
CREATE TABLE transcript_tags (id INTEGER PRIMARY KEY, name VARCHAR(50) NOT NULL UNIQUE, color VARCHAR(7),
    created_at DATETIME NOT NULL, created_by VARCHAR);
CREATE TABLE job_tags (job_id VARCHAR NOT NULL REFERENCES jobs (id), tag_id INTEGER NOT NULL, assigned_by VARCHAR,
    assigned_at DATETIME NOT NULL, PRIMARY KEY (job_id, tag_id));
"""
AT = "2025-11-01 09:30:00.250000"
HASHED = "$2b$12$0123456789012345678901uZ4hVJgxKXg8Wn7Qd0oO7dpb4uXo0yK2"
SECONDS, RATE = 2, 8000


class LegacyApp:
    """A folder of the older application, to which jobs are added."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.database = folder, folder / "app.db"
        (folder / "uploads").mkdir(parents=True)
        (folder / "transcripts").mkdir()
        self.run(TABLES)
        self.add_user(1, "admin", "admin")
        self.add_user(2, "grace", "user")

    def run(self, script: str) -> None:
        con = sqlite3.connect(self.database)
        con.executescript(script)
        con.close()

    def insert(self, table: str, **row: Any) -> None:
        con = sqlite3.connect(self.database)
        marks = ", ".join("?" * len(row))
        con.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
        con.commit()
        con.close()

    def add_user(self, number: int, name: str, role: str) -> None:
        password = {"hashed_password": HASHED, "must_change_password": 0}
        mail = {"email": f"{name}@example.org", "created_at": AT}
        self.insert("users", id=number, username=name, role=role, **password, **mail)

    def add_job(self, job_id: str, text: str | None = "Good morning. All of it is here.", **changed: Any) -> None:
        """Add a completed job with a recording of two seconds; `changed` are other values of its row."""
        upload = self.folder / "uploads" / f"{job_id}_talk.wav"
        with wave.open(str(upload), "wb") as written:
            written.setnchannels(1)
            written.setsampwidth(2)
            written.setframerate(RATE)
            written.writeframes(b"".join(((n * 37) % 2000).to_bytes(2, "little") for n in range(SECONDS * RATE)))
        path = self.folder / "transcripts" / job_id / "transcript.txt"
        if text is not None:
            path.parent.mkdir()
            path.write_text(text, encoding="utf-8")
        row = {
            "id": job_id,
            "original_filename": "talk.wav",
            "saved_filename": f"/app/storage/uploads/{upload.name}",
            "model": "small",
            "user_id": "2",
            "status": "completed",
            "transcript_path": f"storage/transcripts/{job_id}/transcript.txt",
            "created_at": AT,
            "updated_at": AT,
            "finished_at": "2025-11-01 09:31:00",
        }
        self.insert("jobs", **row | changed)
