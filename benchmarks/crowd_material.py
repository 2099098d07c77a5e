"""Fill ledgers with jobs and transcripts by SQL; their words follow Zipf's law."""

import itertools
import random

from duckdb import DuckDBPyConnection

from storage.accounts import users
from storage.domain.clock import new_id
from storage.domain.records import Role, User
from storage.ledger.database import Ledger

VOCABULARY = 50_000
SEGMENTS, WORDS_A_SEGMENT = 417, 12
SYLLABLES = tuple("ka ri to men sa lo pre den vi gor na el ti ber ul or is ant con de ex pa ste mi ro".split())  # noqa: SIM905

JOBS = """
INSERT INTO jobs (id, owner_id, name, media_sha256, media_bytes, state, lane, options, attempt, version, duration_s,
    speech_s, done_s, model, fingerprint, language, created_at, updated_at, started_at, finished_at, error,
    manifest_state)
SELECT printf('0191%04x-%04x-7000-8000-%012x', i // 65536, i % 65536, i), $owners[1 + i % len($owners)],
    'Recording ' || i || ['.wav', '.mp3', '.m4a', '.mov'][1 + i % 4], sha256(i::VARCHAR), 1000000 + i * 37 % 90000000,
    CASE WHEN i < $done THEN 'completed' WHEN i % 50 = 0 THEN 'failed' WHEN i % 77 = 0 THEN 'cancelled'
        WHEN i >= $count - $queued THEN 'queued' ELSE 'completed' END AS state,
    'interactive', '{}', 1, 1, 60 + i * 17 % 7000, 50 + i * 13 % 5000, 0, ['small', 'medium', 'large-v3'][1 + i % 3],
    'f', ['en', 'de', 'ja', 'fr'][1 + i % 4], now() - to_seconds(($count - i) * 60), now(), now(), now(),
    if(state = 'failed', 'the recording has no sound; send another', NULL), state
FROM range($count) AS r(i)
"""
HEADS = """
INSERT INTO transcripts (job_id, stored_as, language, duration_s, head, created_at)
SELECT id, 'transcripts/' || id, language, duration_s, '{}', now() FROM jobs ORDER BY id LIMIT $count
"""
SEGMENT_ROWS = """
INSERT INTO segments (job_id, idx, start_s, end_s, text, speaker, avg_logprob, compression_ratio, no_speech_prob,
    temperature, words)
SELECT job_id, k, k * 6.0, k * 6.0 + 5, ' ' || array_to_string(list_transform(range($words), lambda x:
    $vocabulary[1 + floor(exp(random() * ln(len($vocabulary) - 1)))::INTEGER]), ' '),
    ['Anna', 'Bob', 'Carla'][1 + (k // 9) % 3], -0.2, 1.2, 0.01, 0, '[]'
FROM (SELECT job_id FROM transcripts ORDER BY job_id LIMIT $limit OFFSET $offset), range($segments) AS s(k)
ORDER BY job_id, k
"""


def people(ledger: Ledger, count: int) -> list[User]:
    """Make accounts that have no password, and need none."""

    def make(con: DuckDBPyConnection) -> list[User]:
        made = [
            users.restore(con, user_id=new_id(), name=f"user{n}", role=Role.MEMBER, actor="system:bench")
            for n in range(count)
        ]
        con.execute("UPDATE users SET must_change_password = FALSE")
        return made

    return ledger.run(make)


def jobs(ledger: Ledger, owners: list[User], count: int, *, queued: int = 0, done: int = 0) -> None:
    """Make jobs in all states: the first `done` are completed, most of the last `queued` wait.

    They count as described on storage, or the reconciler would write 100,000 descriptions beside what is measured.
    """
    told = {"owners": [owner.id for owner in owners], "count": count, "queued": queued, "done": done}
    with ledger.write() as con:
        con.execute(JOBS, told)


def transcripts(ledger: Ledger, count: int) -> None:
    """Give the first jobs transcripts of 5,000 words."""
    words = vocabulary()
    with ledger.write() as con:
        con.execute(HEADS, {"count": count})
    for offset in range(0, count, 500):
        told = {"limit": min(500, count - offset), "offset": offset, "segments": SEGMENTS, "words": WORDS_A_SEGMENT}
        with ledger.write() as con:
            con.execute(SEGMENT_ROWS, told | {"vocabulary": words})


def vocabulary() -> list[str]:
    """Return made-up words, short ones first, as in a language the frequent ones are."""
    found = list(SYLLABLES)
    for length in itertools.count(2):
        found += ["".join(parts) for parts in itertools.islice(itertools.product(SYLLABLES, repeat=length), VOCABULARY)]
        if len(found) >= VOCABULARY:
            break
    made = found[:VOCABULARY]
    rest = made[600:]
    random.Random(1).shuffle(rest)  # noqa: S311
    return made[:600] + rest
