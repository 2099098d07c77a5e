"""A worker of another version than the web process: a real worker, refused by the real app."""

import os
from pathlib import Path

from dashboards.runtime import context
from storage.remote.worker_registry import OWN_VERSION
from tests.dashboards.served import serving
from tests.dashboards.site import TOKEN, make_settings
from tests.processes import run_program

OTHER = (
    "from flows.worker import heartbeats, run_worker; heartbeats.OWN_VERSION = '0.0.1';"
    "run_worker.work('cpu', device=None, limit=None)"
)


def test_a_worker_of_another_version_is_told_so_and_ends(tmp_path: Path) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "TRANSCRIBER_"))}
    with serving(make_settings(tmp_path)) as served:
        env = kept | {
            "TRANSCRIBER_DATA_DIR": str(tmp_path / "worker"),
            "TRANSCRIBER_WEB_URL": served.url,
            "TRANSCRIBER_WORKER_TOKEN": TOKEN,
            "PREFECT_API_URL": "http://127.0.0.1:9/api",
            "PREFECT_HOME": str(tmp_path / "prefect"),
        }
        done = run_program(OTHER, env)
        assert context.workers().alive() == []
    assert done.returncode == 1, done.stderr
    assert "is version 0.0.1, and the platform is version" in done.stderr
    assert f"install version {OWN_VERSION} on the worker's machine, then start it again" in done.stderr
