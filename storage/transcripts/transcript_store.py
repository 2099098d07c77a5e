"""Transcripts in the ledger: a head row, and a row for each segment.

They are on storage, too.
"""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.records import Segment, Transcript, Word, from_json, to_json

FORGET_HEAD = "DELETE FROM transcripts WHERE job_id = $id"
FORGET_SEGMENTS = "DELETE FROM segments WHERE job_id = $id"
KEEP_HEAD = """
INSERT INTO transcripts (job_id, stored_as, language, duration_s, head, created_at)
VALUES ($id, $stored_as, $language, $duration_s, $head, $now)
"""
KEEP_SEGMENTS = """
INSERT INTO segments (job_id, idx, start_s, end_s, text, speaker, avg_logprob, compression_ratio, no_speech_prob,
    temperature, language, words)
SELECT $id, s.idx, s.start_s, s.end_s, s.text, s.speaker, s.avg_logprob, s.compression_ratio, s.no_speech_prob,
    s.temperature, s.language, s.words
FROM (SELECT unnest(from_json($segments::JSON, '[{"idx": "INTEGER", "start_s": "DOUBLE", "end_s": "DOUBLE",
    "text": "VARCHAR", "speaker": "VARCHAR", "avg_logprob": "DOUBLE", "compression_ratio": "DOUBLE",
    "no_speech_prob": "DOUBLE", "temperature": "DOUBLE", "language": "VARCHAR", "words": "VARCHAR"}]')) AS s)
"""
HEAD = "SELECT head FROM transcripts WHERE job_id = $id"
SEGMENTS = """
SELECT start_s, end_s, text, speaker, avg_logprob, compression_ratio, no_speech_prob, temperature, language, words
FROM segments WHERE job_id = $id ORDER BY idx
"""


def keep(con: DuckDBPyConnection, job_id: str, transcript: Transcript, *, stored_as: str) -> bool:
    """Store the job's transcript, in the job's transaction.

    Returns whether there was one before.
    """
    is_another = con.execute(FORGET_HEAD, {"id": job_id}).fetchall() != [(0,)]
    if is_another:
        con.execute(FORGET_SEGMENTS, {"id": job_id})
    head = to_json(dataclasses.replace(transcript, segments=())).decode()
    told = {"stored_as": stored_as, "language": transcript.language, "duration_s": transcript.duration_s}
    con.execute(KEEP_HEAD, {"id": job_id, "head": head, "now": utc_now(), **told})
    rows = [_row(place, one) for place, one in enumerate(transcript.segments)]
    if rows:
        con.execute(KEEP_SEGMENTS, {"id": job_id, "segments": json.dumps(rows, ensure_ascii=False)})
    return is_another


def get(con: DuckDBPyConnection, job_id: str) -> Transcript | None:
    """Return the job's whole transcript, or None."""
    found = head(con, job_id)
    return found and dataclasses.replace(found, segments=segments(con, job_id))


def head(con: DuckDBPyConnection, job_id: str) -> Transcript | None:
    """Return the job's transcript without its segments, or None."""
    row = con.execute(HEAD, {"id": job_id}).fetchone()
    return from_json(Transcript, row[0]) if row else None


STORED_AS = "SELECT stored_as FROM transcripts WHERE job_id = $id"


def stored_as(con: DuckDBPyConnection, job_id: str) -> str | None:
    """Return the storage name of the job's current transcript, or None."""
    row = con.execute(STORED_AS, {"id": job_id}).fetchone()
    return str(row[0]) if row else None


def segments(con: DuckDBPyConnection, job_id: str) -> tuple[Segment, ...]:
    """Return the segments of the job's transcript in order; empty without one."""
    return tuple(_segment(row) for row in con.execute(SEGMENTS, {"id": job_id}).fetchall())


def _row(place: int, segment: Segment) -> dict[str, Any]:
    """Return a segment as a row; `dataclasses.asdict` takes ten times as long."""
    names = (field.name for field in dataclasses.fields(Segment) if field.name != "words")
    row = {"idx": place, **{name: getattr(segment, name) for name in names}}
    row["words"] = _words_text(segment.words)
    return row


def _words_text(words: Iterable[Word]) -> str:
    """Return words as compact JSON; a list column would be logged whole with every append."""
    rows = [(word.start_s, word.end_s, word.text, word.probability) for word in words]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def _words(text: str) -> tuple[Word, ...]:
    return tuple(
        Word(start_s=start_s, end_s=end_s, text=text, probability=probability)
        for start_s, end_s, text, probability in json.loads(text)
    )


def _segment(row: tuple[Any, ...]) -> Segment:
    start_s, end_s, text, speaker, avg_logprob, compression_ratio, no_speech_prob, temperature, language, words = row
    return Segment(
        start_s=start_s,
        end_s=end_s,
        text=text,
        words=_words(words),
        speaker=speaker,
        avg_logprob=avg_logprob,
        compression_ratio=compression_ratio,
        no_speech_prob=no_speech_prob,
        temperature=temperature,
        language=language,
    )
