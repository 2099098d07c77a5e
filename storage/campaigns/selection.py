"""Chooses the recordings of a campaign, and estimates its device time from measured speed."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.model_names import display_name
from storage.domain.records import JobState
from storage.jobs import listing
from storage.jobs.listing import JobFilter
from storage.jobs.queue_order import UNKNOWN_S

MOST_RECORDINGS = 100_000
MEASURED_FOR = timedelta(days=90)
SHORTEST_MEASURED_S = 10.0
"""A speed that was measured over less audio says nothing yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which completed recordings a campaign has: a list's filter, and two conditions of its own.

    `confidence_below` is the mean probability of the segments, 0 to 1.
    """

    jobs: JobFilter = field(default_factory=JobFilter)
    batch_id: str | None = None
    confidence_below: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A recording that a campaign chose."""

    job_id: str
    audio_s: float
    model: str | None
    language: str | None


CHOOSE = "SELECT id, coalesce(duration_s, $unknown_s), model, language FROM jobs WHERE "
OF_CAMPAIGN = """
  AND id NOT IN (SELECT job_id FROM dropped_parts WHERE part = 'source')
  AND ($batch_id IS NULL OR id IN (SELECT job_id FROM batch_items WHERE batch_id = $batch_id))
  AND ($confidence_below IS NULL OR id IN (
    SELECT job_id FROM segments WHERE end_s > start_s GROUP BY job_id
    HAVING sum((end_s - start_s) * exp(avg_logprob)) / sum(end_s - start_s) < $confidence_below))
ORDER BY id LIMIT $limit
"""


def choose(con: DuckDBPyConnection, wanted: Selection, *, limit: int = MOST_RECORDINGS + 1) -> list[Chosen]:
    """Return the completed recordings that fit and have their source, oldest first."""
    condition, asked = listing.condition(replace(wanted.jobs, states=(JobState.COMPLETED,)))
    asked |= {"batch_id": wanted.batch_id, "confidence_below": wanted.confidence_below}
    asked |= {"unknown_s": UNKNOWN_S, "limit": limit}
    fields = ("job_id", "audio_s", "model", "language")
    rows = con.execute(CHOOSE + condition + OF_CAMPAIGN, asked).fetchall()
    return [Chosen(**dict(zip(fields, row, strict=True))) for row in rows]


MEASURED = """
SELECT name, sum(device_s) / sum(heard_s) FROM (
    SELECT split_part(rtrim(model, '/'), '/', -1) AS name, engine_s AS device_s, end_s - start_s AS heard_s
    FROM spans JOIN jobs ON jobs.id = spans.job_id
    WHERE NOT reused AND engine_s > 0 AND owner_id <> 'canary' AND finished_at >= $since
    UNION ALL SELECT split_part(rtrim(new_model, '/'), '/', -1), device_s, heard_s FROM campaign_items
    WHERE device_s > 0 AND heard_s > 0 AND new_model IS NOT NULL
) GROUP BY name HAVING sum(heard_s) >= $enough_s
"""


def measured_costs(con: DuckDBPyConnection) -> dict[str, float]:
    """Return the device-seconds for a second of audio, by the model's name."""
    values = {"since": utc_now() - MEASURED_FOR, "enough_s": SHORTEST_MEASURED_S}
    return {str(name): float(cost) for name, cost in con.execute(MEASURED, values).fetchall() if name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a campaign takes; `device_s` is None while the model's speed was not measured."""

    recordings: int
    audio_s: float
    device_s: float | None


def estimate(con: DuckDBPyConnection, chosen: list[Chosen], model: str | None) -> Estimate:
    """Estimate the device time with this model, or each recording's own."""
    costs = measured_costs(con)
    each = [costs.get(display_name(model or one.model or "")) for one in chosen]
    known = [cost * one.audio_s for cost, one in zip(each, chosen, strict=True) if cost is not None]
    return Estimate(
        recordings=len(chosen),
        audio_s=sum(one.audio_s for one in chosen),
        device_s=sum(known) if len(known) == len(chosen) else None,
    )
