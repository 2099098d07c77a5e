"""A user's vocabulary: names and terms for all of the user's jobs.

They are used like `Options.hotwords`, in the prompt before every window, of which a Whisper model reads 223 tokens,
about a thousand characters. More would be cut off silently, so more is refused.
"""

from dataclasses import replace

from duckdb import DuckDBPyConnection

from storage.accounts import users
from storage.domain.clock import utc_now
from storage.domain.errors import BadRequest
from storage.domain.records import Options
from storage.domain.records.job_options import TERM_SEPARATOR, terms_in
from storage.ledger import audit

MAX_TERM_CHARS = 80
MAX_CHARS = 1000

WORDS = "SELECT words FROM vocabularies WHERE user_id = $user_id"
SET_WORDS = """
INSERT INTO vocabularies (user_id, words, changed_at) VALUES ($user_id, $words, $now)
ON CONFLICT (user_id) DO UPDATE SET words = excluded.words, changed_at = excluded.changed_at
"""


def words_of(con: DuckDBPyConnection, user_id: str) -> str:
    """Return the user's terms, one per line, or an empty string."""
    row = con.execute(WORDS, {"user_id": user_id}).fetchone()
    return str(row[0]) if row else ""


def set_words(con: DuckDBPyConnection, user_id: str, words: str, *, actor: str) -> str:
    """Store the user's terms; return them normalised: one per line, without duplicates.

    Raises:
        BadRequest: a term, or all together, are longer than an engine reads.
        NotFound: there is no such user.
    """
    users.get(con, user_id)
    kept = terms_in(words)
    longest = max(kept, key=len, default="")
    if len(longest) > MAX_TERM_CHARS:
        raise BadRequest("words", f"“{longest[:30]}…” is over {MAX_TERM_CHARS} characters; write one term a line")
    if (length := len(TERM_SEPARATOR.join(kept))) > MAX_CHARS:
        raise BadRequest(
            "words",
            "{length} characters are more than the {max_chars} that a model reads; leave some out",
            {"length": length, "max_chars": MAX_CHARS},
        )
    text = "\n".join(kept)
    if text != words_of(con, user_id):
        con.execute(SET_WORDS, {"user_id": user_id, "words": text, "now": utc_now()})
        audit.record(con, actor=actor, action="vocabulary.set", subject=user_id, detail={"terms": len(kept)})
    return text


def joined_to(options: Options, words: str) -> Options:
    """Return the options with fitting vocabulary terms added to the hotwords."""
    asked = (options.hotwords or "").strip()
    known = {term.casefold() for term in terms_in(asked)}
    for term in terms_in(words):
        longer = f"{asked}{TERM_SEPARATOR}{term}" if asked else term
        if term.casefold() not in known and len(longer) <= MAX_CHARS:
            asked = longer
    return replace(options, hotwords=asked or None)
