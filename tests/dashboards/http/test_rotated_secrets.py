"""Secrets are rotated while the web process goes on answering."""

import shutil
from pathlib import Path

import pytest

from dashboards.runtime import context
from storage.domain.errors import RemoteError
from storage.domain.settings import Settings
from storage.ledger import audit
from storage.remote.service_tokens import operator_secret, worker_secret
from storage.remote.web_client import WebClient
from tests.dashboards.served import serving
from tests.dashboards.site import make_settings
from tests.factories import heartbeat


@pytest.fixture
def settings(tmp_path: Path, seeded: Path) -> Settings:
    """Settings whose worker token is in the data dir, not in a variable."""
    made = make_settings(tmp_path, worker_token=None)
    made.storage.data_dir.mkdir()
    shutil.copyfile(seeded, made.storage.ledger_path)
    return made


def test_workers_and_the_command_line_go_on_through_rotations(settings: Settings) -> None:
    with serving(settings) as served:
        workers, operators = worker_secret(settings), operator_secret(settings)
        first = workers.current()
        with (
            WebClient(served.url, workers.current, patience_s=0) as here,
            WebClient(served.url, first, patience_s=0) as elsewhere,
            WebClient(served.url, operators.current, patience_s=0) as command_line,
        ):
            here.beat(heartbeat())
            for secret in ("worker-token", "operator-token"):
                command_line.call("POST", "/internal/v1/admin/secrets", {"name": secret, "actor": "cli:me"})
            for client in (here, elsewhere):
                client.beat(heartbeat())
            ended = {"name": "worker-token", "overlap_hours": 0, "actor": "cli:me"}
            command_line.call("POST", "/internal/v1/admin/secrets", ended)
            here.beat(heartbeat())
            with pytest.raises(RemoteError) as refused:
                elsewhere.beat(heartbeat())
        with context.ledger().read() as con:
            rotated = [row.subject for row in audit.page(con, limit=9) if row.action == "secret.rotate"]
    assert refused.value.status == 401
    assert rotated == ["worker-token", "operator-token", "worker-token"]
