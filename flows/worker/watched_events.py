"""The events of Prefect that a worker watches: new and cancelled runs of its pool."""

from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter

NAMES = ["prefect.flow-run.Scheduled", "prefect.flow-run.AwaitingRetry", "prefect.flow-run.Cancelling"]


def of_pool(name: str) -> EventFilter:
    """Return the filter of a pool's events.

    By its name, since a pool that is made anew has another id.
    """
    pool = {"prefect.resource.role": "work-pool", "prefect.resource.name": name}
    resource = EventAnyResourceFilter.model_validate({"labels": pool})
    return EventFilter(event=EventNameFilter(name=NAMES), any_resource=resource)
