"""A Prefect flow: the platform transcribes a prefix, and a CSV table says what became of each recording.

Store the address and the key once, then run the flow, or `serve` it with a schedule:

    from transcriber.client.prefect import TranscriberCredentials
    TranscriberCredentials(url="https://transcriber.example.org", api_key="wt_…").save("archive")

    python archive_table.py s3://recordings/interviews/ interviews.csv
"""

import csv
import sys
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_table_artifact

from transcriber.client.prefect import TranscribedPrefix, TranscriberCredentials, transcribe_prefix

COLUMNS = ("source", "state", "language", "duration_s", "words", "job_id", "error")


@task
def rows_of(done: TranscribedPrefix, credentials: TranscriberCredentials) -> list[dict[str, Any]]:
    """Return a row for each recording; no text of it."""
    rows = []
    with credentials.client() as client:
        for item in done.items:
            row: dict[str, Any] = {"source": item.source, "state": item.state, "job_id": item.job_id}
            if item.job_id and item.state == "completed":
                transcript = client.transcript(item.job_id)
                words = sum(len(segment.words) for segment in transcript.segments)
                row |= {"language": transcript.language, "duration_s": transcript.duration_s, "words": words}
            elif item.job_id:
                row["error"] = client.job(item.job_id).error
            elif item.error:
                row["error"] = item.error.message
            rows.append({column: row.get(column) for column in COLUMNS})
    return rows


@flow(name="archive-table")
def archive_table(prefix: str, table: str, credentials: str = "archive", language: str | None = None) -> int:
    """Transcribe all recordings of a prefix and save the table; return how many are completed."""
    block = TranscriberCredentials.load(credentials)
    assert isinstance(block, TranscriberCredentials)  # noqa: S101 - `load` awaits in asynchronous flows
    options = {"language": language} if language else {}
    done = transcribe_prefix(prefix, block, name=prefix, options=options, recursive=True)
    rows = rows_of(done, block)
    fresh = Path(f"{table}.new")
    with fresh.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    fresh.replace(table)
    create_table_artifact(rows, key="archive-table", description=f"Recordings of {prefix}")
    return sum(row["state"] == "completed" for row in rows)


if __name__ == "__main__":
    archive_table(*sys.argv[1:3])
