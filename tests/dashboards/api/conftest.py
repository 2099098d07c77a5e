"""Fixtures for tests of the APIs."""

from collections.abc import Iterator

import pytest
from openai import DefaultHttpxClient, OpenAI

from tests.conftest import PLAIN
from tests.dashboards.served import Served, secret_of
from tests.waiting import PATIENCE_S


@pytest.fixture
def client(served: Served) -> Iterator[OpenAI]:
    """OpenAI's own client, with a key of ada's."""
    http = DefaultHttpxClient(verify=PLAIN)
    with OpenAI(
        base_url=f"{served.url}/v1", api_key=secret_of("ada"), max_retries=0, timeout=PATIENCE_S, http_client=http
    ) as made:
        yield made
