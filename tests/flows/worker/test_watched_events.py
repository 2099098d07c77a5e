"""Events of a pool reach its worker, also after somebody deleted the pool and it was made anew."""

from datetime import UTC, datetime, timedelta

from prefect.events.schemas.events import ReceivedEvent

from flows.worker import watched_events

BEFORE = datetime.now(UTC) - timedelta(minutes=1)


def scheduled(*, pool: str, pool_id: str, name: str = "prefect.flow-run.Scheduled") -> ReceivedEvent:
    place = {
        "prefect.resource.id": f"prefect.work-pool.{pool_id}",
        "prefect.resource.role": "work-pool",
        "prefect.resource.name": pool,
    }
    run = {"prefect.resource.id": "prefect.flow-run.1", "prefect.resource.name": "gpu"}
    return ReceivedEvent.model_validate(
        {
            "occurred": BEFORE,
            "event": name,
            "resource": run,
            "related": [place],
            "id": "0" * 32,
            "received": BEFORE,
        }
    )


def test_a_pool_is_known_by_its_name_and_not_by_its_id() -> None:
    watched = watched_events.of_pool("gpu")
    assert watched.includes(scheduled(pool="gpu", pool_id="before"))
    assert watched.includes(scheduled(pool="gpu", pool_id="anew"))
    assert not watched.includes(scheduled(pool="cpu", pool_id="before"))
    assert not watched.includes(scheduled(pool="gpu", pool_id="before", name="prefect.flow-run.Running"))
