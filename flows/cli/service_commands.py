"""The commands that serve until they are told to stop: `transcriber web` and `transcriber worker`.

Forks of `transcriber up` come here without the command line: building its forty commands writes to 10 MB of what forks
share.
"""

import argparse
import sys
from importlib import import_module

from flows.platform.prefect_address import know_secret
from storage.domain.errors import TranscriberError
from storage.domain.settings import Settings
from storage.media.parent_death import die_with_supervisor


def serve_web() -> int:
    """Serve the app until a signal; return the exit status."""
    die_with_supervisor()
    know_secret(Settings())
    # Imported by name: the web process never loads an engine, and nothing here may import it.
    return int(import_module("dashboards.serve").serve())


def serve_pool(pool: str, *, device: str | None, limit: int | None) -> None:
    """Serve a work pool until a signal."""
    alone = not die_with_supervisor()
    know_secret(Settings())
    from flows.worker.run_worker import work

    work(pool, device=device, limit=limit, alone=alone)


def main() -> None:
    """Run the command of a fork, which the supervisor wrote."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=("web", "worker"))
    parser.add_argument("--pool", choices=("cpu", "gpu"))
    parser.add_argument("--device")
    given = parser.parse_args()
    try:
        if given.command == "web":
            sys.exit(serve_web())
        serve_pool(given.pool, device=given.device, limit=None)
    except TranscriberError as error:
        sys.stderr.write(f"transcriber: {error}\n")
        sys.exit(1)
