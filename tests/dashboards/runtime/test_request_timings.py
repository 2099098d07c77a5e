"""Request times by route, as the page of the platform's performance shows them."""

from dashboards.runtime.request_timings import READINESS, Timings


def test_server_errors_are_counted_but_for_what_says_that_it_is_not_ready() -> None:
    timings = Timings()
    for route in ("GET /api/v1/jobs", READINESS):
        for status in (200, 404, 503):
            timings.note(route, status, 0.01)
    assert {one.route: (one.requests, one.errors) for one in timings.all()} == {
        "GET /api/v1/jobs": (3, 1),
        READINESS: (3, 0),
    }
