"""How durations read."""

import pytest

from storage.domain import durations


@pytest.mark.parametrize(
    ("seconds", "short", "with_hours"),
    [(0.4, "0:00", "0:00:00"), (61, "1:01", "0:01:01"), (3723.9, "1:02:03", "1:02:03")],
)
def test_a_clock_shows_hours_where_there_are_some_or_they_are_asked_for(
    seconds: float, short: str, with_hours: str
) -> None:
    assert (durations.clock(seconds), durations.clock(seconds, hours=True)) == (short, with_hours)
