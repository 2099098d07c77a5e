"""What the search index keeps: where each word stands in which transcript, and what was said, to show it.

Words are lower-cased and bare of accents; scripts that are written without spaces are indexed by pairs of characters.
A word's key is its document (upper bits) and its place there (lower 24 bits), so that words that follow each other
have keys that do. After each turn of a speaker a place stays empty: no phrase goes on from one speaker to another.
Of the commonest words, each pair that follows each other is kept as well: alone they stand in millions of places.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from duckdb import DuckDBPyConnection

from storage.migrate import Migration

VERSION = 3
PLACE_BITS = 24
NAME_WEIGHT = 3

SCHEMA = r"""
CREATE MACRO flat(text) AS CASE WHEN strlen(text) = length(text) THEN lower(text) ELSE
    replace(replace(replace(translate(lower(strip_accents(text)), 'øłđı', 'oldi'), 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe')
    END;
-- Words of a text as they are indexed. A run of a script without spaces is one of them, cut into pairs later.
CREATE MACRO words_of(text) AS regexp_extract_all(flat(text),
    '[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー]+'
    '|[^\p{M}\p{P}\p{S}\p{Z}\p{C}\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+');
CREATE MACRO is_unspaced(word) AS
    regexp_matches(word, '^[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー]');
CREATE MACRO has_unspaced(text) AS strlen(text) <> length(text)
    AND regexp_matches(text, '[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー]');
CREATE TABLE docs (
    doc INTEGER NOT NULL,
    job_id VARCHAR NOT NULL,
    stored_as VARCHAR NOT NULL,
    owner_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    name_folded VARCHAR NOT NULL,
    language VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    words INTEGER NOT NULL
);
-- The segments, in the order of their documents, so that those of a few are read without all the others.
CREATE TABLE said (
    doc INTEGER NOT NULL, idx INTEGER NOT NULL, start_s DOUBLE NOT NULL, speaker VARCHAR, text VARCHAR NOT NULL
);
-- Who speaks from which key on until before which, folded.
CREATE TABLE turns (speaker VARCHAR NOT NULL, low BIGINT NOT NULL, high BIGINT NOT NULL);
-- `places` is sorted; `fresh` is what came since, and is folded in when it has become large.
CREATE TABLE places (term VARCHAR NOT NULL, key BIGINT NOT NULL);
CREATE TABLE fresh (term VARCHAR NOT NULL, key BIGINT NOT NULL);
-- The words that are one in a hundred or more; and where two of them stand side by side, in every document. Which words
-- these are changes only with a fold, when the pairs are made anew.
CREATE TABLE common (term VARCHAR NOT NULL);
CREATE TABLE pairs (term VARCHAR NOT NULL, key BIGINT NOT NULL);
"""
STEPS = (Migration(version=VERSION, name="search", sql=SCHEMA),)

FOLDED = """
SELECT list_transform(words_of(text), lambda word: {'token': word, 'unspaced': is_unspaced(word)})
FROM (SELECT unnest($texts::VARCHAR[]) AS text)
"""
FORGET = (
    "DELETE FROM places WHERE key >> 24 IN (SELECT doc FROM docs WHERE job_id IN (SELECT unnest($ids)))",
    "DELETE FROM fresh WHERE key >> 24 IN (SELECT doc FROM docs WHERE job_id IN (SELECT unnest($ids)))",
    "DELETE FROM pairs WHERE key >> 24 IN (SELECT doc FROM docs WHERE job_id IN (SELECT unnest($ids)))",
    "DELETE FROM turns WHERE low >> 24 IN (SELECT doc FROM docs WHERE job_id IN (SELECT unnest($ids)))",
    "DELETE FROM said WHERE doc IN (SELECT doc FROM docs WHERE job_id IN (SELECT unnest($ids)))",
    "DELETE FROM docs WHERE job_id IN (SELECT unnest($ids))",
)
LAST_DOC = "SELECT coalesce(max(doc), -1) FROM docs"
ADD_DOCS = """
INSERT INTO docs (doc, job_id, stored_as, owner_id, name, name_folded, language, created_at, words)
SELECT doc, job_id, stored_as, owner_id, name, array_to_string(words_of(name), ' '), language, created_at, 0
FROM (SELECT unnest($docs::INTEGER[]) AS doc, unnest($job_ids::VARCHAR[]) AS job_id,
    unnest($stored_as::VARCHAR[]) AS stored_as, unnest($owner_ids::VARCHAR[]) AS owner_id,
    unnest($names::VARCHAR[]) AS name, unnest($languages::VARCHAR[]) AS language,
    unnest($created_at::TIMESTAMPTZ[]) AS created_at)
"""
# Names come after all that is said, as often as they weigh. A run of a script without spaces takes a place for each
# character and one that stays empty, so that a phrase with a space in it is not found where there is none.
TELL = """
CREATE OR REPLACE TEMP TABLE told AS
WITH parts AS (
    SELECT doc, idx, start_s, speaker, text,
        coalesce(speaker, '') IS DISTINCT FROM lag(coalesce(speaker, '')) OVER (PARTITION BY doc ORDER BY idx) AS turns
    FROM heard JOIN docs USING (job_id) WHERE doc >= $first
    UNION ALL
    SELECT doc, 2147483647 - nth, NULL, NULL, name, TRUE
    FROM docs, range($name_weight) AS r(nth) WHERE doc >= $first
), split AS (
    SELECT *, words_of(text) AS words, has_unspaced(text) AS mixed FROM parts
), sized AS (
    SELECT *, len(words) + if(mixed,
        list_sum(list_transform(words, lambda one: if(is_unspaced(one), length(one), 0))), 0) AS size FROM split
)
SELECT doc, idx, start_s, speaker, text, words, mixed, size,
    sum(turns::INTEGER) OVER before AS turn,
    (doc::BIGINT << 24) + (sum(size + turns::INTEGER) OVER before - size)::BIGINT AS key
FROM sized WINDOW before AS (PARTITION BY doc ORDER BY idx)
ORDER BY doc, idx
"""
ADD = (
    "INSERT INTO said SELECT doc, idx, start_s, speaker, text FROM told WHERE start_s IS NOT NULL ORDER BY doc, idx",
    """
INSERT INTO turns
SELECT array_to_string(words_of(any_value(speaker)), ' '), min(key), max(key + size) AS high FROM told
WHERE start_s IS NOT NULL AND speaker IS NOT NULL GROUP BY doc, turn ORDER BY high
""",
    """
INSERT INTO fresh
SELECT left(unnest(words), 64), key + generate_subscripts(words, 1) - 1 FROM told WHERE NOT mixed
""",
    """
INSERT INTO fresh
WITH apart AS (
    SELECT key AS low, unnest(words) AS word, generate_subscripts(words, 1) AS nth FROM told WHERE mixed
), sized AS (
    SELECT *, is_unspaced(word) AS unspaced, if(unspaced, length(word) + 1, 1) AS size FROM apart
), placed AS (
    SELECT word, unspaced, low + (sum(size) OVER (PARTITION BY low ORDER BY nth) - size)::BIGINT AS key FROM sized
)
SELECT left(word, 64), key FROM placed WHERE NOT unspaced
UNION ALL
SELECT word[nth:nth + 1], key + nth - 1
FROM (SELECT word, key, unnest(range(1, length(word) + 1)) AS nth FROM placed WHERE unspaced)
""",
    """
UPDATE docs SET words = counted.words FROM (
    SELECT key >> 24 AS doc, count(*) AS words FROM fresh WHERE key >= $first::BIGINT << 24 GROUP BY ALL
) AS counted WHERE docs.doc = counted.doc AND docs.doc >= $first
""",
    """
INSERT INTO pairs
WITH often AS (SELECT term, key FROM fresh WHERE key >= $first::BIGINT << 24 AND term IN (FROM common))
SELECT one.term || ' ' || two.term, one.key FROM often AS one JOIN often AS two ON two.key = one.key + 1
""",
    "DROP TABLE told",
)
FRESH_ROWS = "SELECT (SELECT count(*) FROM fresh), (SELECT count(*) FROM places)"
FOLD_IN = (
    "CREATE TABLE folded_in AS SELECT term, key FROM (FROM places UNION ALL FROM fresh) ORDER BY term, key",
    "DROP TABLE places",
    "ALTER TABLE folded_in RENAME TO places",
    "DELETE FROM fresh",
    "DELETE FROM common",
    """
INSERT INTO common
SELECT term FROM places GROUP BY term HAVING count(*) * 100 >= (SELECT count(*) FROM places)
""",
    """
CREATE OR REPLACE TABLE pairs AS
WITH often AS (SELECT term, key FROM places WHERE term IN (FROM common))
SELECT one.term || ' ' || two.term AS term, one.key FROM often AS one JOIN often AS two ON two.key = one.key + 1
ORDER BY term, key
""",
)


@dataclass(frozen=True, slots=True)
class Token:
    """One folded word of a query; `unspaced` if its script has no spaces between words."""

    token: str
    unspaced: bool


def folded(con: DuckDBPyConnection, texts: Sequence[str]) -> list[tuple[Token, ...]]:
    """Return the words of each text as the index has them."""
    rows = con.execute(FOLDED, {"texts": list(texts)}).fetchall() if texts else []
    return [tuple(Token(one["token"], one["unspaced"]) for one in row[0]) for row in rows]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some transcripts as the ledger has them: rows of facts, and the columns of their segments."""

    heads: list[tuple[Any, ...]]
    said: dict[str, Any]


def forget(con: DuckDBPyConnection, job_ids: Sequence[str]) -> None:
    """Delete all that the index has of these jobs."""
    for statement in FORGET:
        con.execute(statement, {"ids": list(job_ids)})


def take_in(con: DuckDBPyConnection, batch: Batch, job_ids: Sequence[str]) -> None:
    """Replace what the index has of these jobs; what has gone from the ledger meanwhile goes here, too."""
    first = 1 + con.execute(LAST_DOC).fetchall()[0][0]
    forget(con, job_ids)
    if not batch.heads:
        return
    docs = list(range(first, first + len(batch.heads)))
    fields = ("job_ids", "stored_as", "owner_ids", "names", "languages", "created_at")
    columns = {field: [head[place] for head in batch.heads] for place, field in enumerate(fields)}
    con.execute(ADD_DOCS, {"docs": docs, **columns})
    con.register("heard", batch.said)
    con.execute(TELL, {"first": first, "name_weight": NAME_WEIGHT})
    con.unregister("heard")
    for statement in ADD:
        con.execute(statement, {"first": first} if "$first" in statement else {})


def fresh_rows(con: DuckDBPyConnection) -> tuple[int, int]:
    """Return how many places are not sorted yet, and how many are."""
    fresh, rows = con.execute(FRESH_ROWS).fetchall()[0]
    return fresh, rows


def fold_in(con: DuckDBPyConnection) -> None:
    """Sort what came since into the rest."""
    for statement in FOLD_IN:
        con.execute(statement)
