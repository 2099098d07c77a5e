"""Formatting of values and rows."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboards.presenters import formatting
from storage.domain.clock import utc_now

COPENHAGEN = ZoneInfo("Europe/Copenhagen")


@pytest.mark.parametrize(
    ("seconds", "expected"), [(None, ""), (0.4, "0:00"), (59.9, "0:59"), (61, "1:01"), (3723, "1:02:03")]
)
def test_length(seconds: float | None, expected: str) -> None:
    assert formatting.length(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(3.21, "3.2 s"), (42.4, "42 s"), (250, "4 min 10 s"), (240, "4 min"), (7500, "2 h 5 min")]
)
def test_span(seconds: float, expected: str) -> None:
    assert formatting.span(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.2, "5 s"), (12, "10 s"), (58, "1 min"), (2439, "41 min"), (7500, "2 h 5 min")]
)
def test_an_estimate_is_no_more_exact_than_it_can_be(seconds: float, expected: str) -> None:
    assert formatting.roughly(seconds) == expected


@pytest.mark.parametrize(
    ("n", "expected"), [(0, "0 B"), (999, "999 B"), (324_313, "324 kB"), (1_234_567, "1.2 MB"), (3e12, "3.0 TB")]
)
def test_size(n: float, expected: str) -> None:
    assert formatting.size(n) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: Ada is taken; choose another", "Name: Ada is taken; choose another."),
        ("holiday.zip is not readable audio", "holiday.zip is not readable audio."),
        ("there is no job x!", "There is no job x!"),
        ("  ", ""),
    ],
)
def test_a_message_becomes_a_sentence_and_a_files_name_stays(text: str, expected: str) -> None:
    assert formatting.sentence(text) == expected


def test_times_are_in_the_readers_zone() -> None:
    now = utc_now()
    today = now.astimezone(COPENHAGEN).replace(hour=12, minute=5)
    assert formatting.when(today.astimezone(UTC), COPENHAGEN) == "12:05"
    assert formatting.when(today - timedelta(days=1), COPENHAGEN) == "Yesterday 12:05"
    assert formatting.when(datetime(2019, 2, 3, 23, 30, tzinfo=UTC), COPENHAGEN) == "4 Feb 2019"
    assert formatting.exactly(datetime(2019, 7, 3, 12, tzinfo=UTC), COPENHAGEN) == "3 Jul 2019, 14:00:00 CEST"


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        ("user:1", "Ada"),
        ("user:2", "a deleted user"),
        ("system:dispatch", "the system"),
        ("worker:gpu", "worker gpu"),
        ("cli:root", "console (root)"),
    ],
)
def test_actors_have_names(actor: str, expected: str) -> None:
    assert formatting.actor(actor, {"1": "Ada"}) == expected


def test_a_total_is_in_hours_from_one_on() -> None:
    assert [formatting.hours(seconds) for seconds in (0, 54, 2400, 4500)] == ["0.0 h", "55 s", "40 min", "1.2 h"]
