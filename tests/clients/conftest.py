"""Fixtures for tests of the Python client: the real app behind a real port."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.clients.cut_line import CutLine, cut_line
from tests.dashboards.conftest import seeded, served, settings, tone
from tests.dashboards.served import Served, secret_of
from transcriber.client import Retries, Transcriber

__all__ = ["seeded", "served", "settings", "tone"]  # fixtures: pytest finds them here

QUICK = Retries(first_s=0.05, longest_s=0.5, attempts=12)


@pytest.fixture
def key(served: Served) -> str:
    """An API key of ada's."""
    return secret_of("ada")


@pytest.fixture
def client(served: Served, key: str) -> Iterator[Transcriber]:
    """A client with ada's key."""
    with Transcriber(served.url, key, retries=QUICK) as made:
        yield made


@pytest.fixture
def line(served: Served) -> Iterator[CutLine]:
    """A line to the app that tests may cut."""
    with cut_line() as made:
        made.port = urlsplit(served.url).port or 0
        yield made
