"""Word error rates against corrected transcripts, by model and language."""

from dataclasses import dataclass

from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True, kw_only=True)
class WordErrorRow:
    """The errors of one model in one language, over `recordings` that people corrected."""

    model: str
    language: str
    recordings: int
    words: int
    errors: int

    @property
    def rate(self) -> float:
        return self.errors / self.words


TABLE = """
WITH told AS (
    SELECT job_id, number, campaign_id, language, old_model AS model, said_words, old_errors AS errors
    FROM campaign_items WHERE said_words > 0 AND old_errors IS NOT NULL AND ($id IS NULL OR campaign_id = $id)
    UNION ALL SELECT job_id, number, campaign_id, language, new_model, said_words, new_errors
    FROM campaign_items WHERE said_words > 0 AND new_errors IS NOT NULL AND ($id IS NULL OR campaign_id = $id)
), latest AS (
    SELECT * FROM told WHERE model IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY job_id, model ORDER BY campaign_id DESC) = 1
)
SELECT model, coalesce(language, ''), count(*), sum(said_words)::BIGINT, sum(errors)::BIGINT FROM latest
GROUP BY ALL ORDER BY 2, sum(errors) / sum(said_words), 1
"""


def table(con: DuckDBPyConnection, campaign_id: str | None = None) -> list[WordErrorRow]:
    """Return the rows by language and rate, over one campaign or all.

    A recording counts once for a model.
    """
    rows = con.execute(TABLE, {"id": campaign_id}).fetchall()
    return [
        WordErrorRow(model=model, language=language, recordings=recordings, words=words, errors=errors)
        for model, language, recordings, words, errors in rows
    ]
