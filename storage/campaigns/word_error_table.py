"""Word error rates against corrected transcripts, by model, settings and language."""

import json
from dataclasses import dataclass

from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class WordErrorRow:
    """The errors of one model in one language, over `recordings` that people corrected.

    `settings` are the options that a campaign changed beside the model; empty for what was there before.
    """

    model: str
    settings: str
    language: str
    recordings: int
    words: int
    errors: int

    @property
    def rate(self) -> float:
        return self.errors / self.words


TABLE = """
WITH told AS (
    SELECT job_id, campaign_id, language, old_model AS model, '{}' AS changes, said_words, old_errors AS errors
    FROM campaign_items WHERE said_words > 0 AND old_errors IS NOT NULL AND ($id IS NULL OR campaign_id = $id)
    UNION ALL SELECT job_id, campaign_id, language, new_model, changes, said_words, new_errors
    FROM campaign_items JOIN campaigns ON campaigns.id = campaign_id
    WHERE said_words > 0 AND new_errors IS NOT NULL AND ($id IS NULL OR campaign_id = $id)
), latest AS (
    SELECT * FROM told WHERE model IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY job_id, model, changes ORDER BY campaign_id DESC) = 1
)
SELECT model, changes, coalesce(language, ''), count(*), sum(said_words)::BIGINT, sum(errors)::BIGINT FROM latest
GROUP BY ALL ORDER BY 3, sum(errors) / sum(said_words), 1, 2
"""


def table(con: DuckDBPyConnection, campaign_id: str | None = None) -> list[WordErrorRow]:
    """Return the rows by language and rate, over one campaign or all.

    A recording counts once for a model and its settings.
    """
    rows = con.execute(TABLE, {"id": campaign_id}).fetchall()
    return [
        WordErrorRow(
            model=model,
            settings=settings_of(changes),
            language=language,
            recordings=recordings,
            words=words,
            errors=errors,
        )
        for model, changes, language, recordings, words, errors in rows
    ]


def settings_of(changes: str) -> str:
    """Return the options of a campaign beside the model, as `beam_size=8`."""
    return ", ".join(f"{name}={value}" for name, value in sorted(json.loads(changes).items()) if name != "model")
