"""How the tests are spread over processes: by file, the long files first, and those of one server together.

Every process that meets a test of a shared server starts that server, and keeps it until its last test. One process
has the tests of whole platforms, as long as there are any: beside one platform the others compute, two make each other
late.
"""

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).parents[1]
PREFECT = "files that share a Prefect server"
PLATFORM = "files that share a platform"
PLATFORMS = "tests/acceptance/"
EVERY_PAGE = "tests/dashboards/browser/test_browser_accessible.py"
PHONE = "[phone"
"""Every page on a phone is looked at beside every page on a desk, since each takes a minute."""
FIRST = (
    PREFECT,
    PLATFORM,
    "tests/acceptance/test_recovery.py",
    "tests/dashboards/loops/test_dispatcher.py",
    "tests/tasks/models/test_package_index.py",
    "tests/storage/files/test_s3_bucket.py",
    "tests/fuzz/test_fuzz.py",
    "tests/flows/cli/test_main.py",
    "tests/tasks/models/test_want_of_memory.py",
    "tests/storage/search/test_ranking.py",
    "tests/dashboards/services/test_make_exports.py",
    "tests/dashboards/api/test_openai_api.py",
    "tests/dashboards/uploads/test_tus.py",
    "tests/dashboards/loops/test_webhook_sender.py",
    "tests/flows/cli/test_transcribe_command.py",
    "tests/dashboards/http/test_walk_of_all_routes.py",
    "tests/dashboards/http/test_hostile_requests.py",
    "tests/tasks/diarization/test_speakers.py",
    "tests/tasks/models/test_hub.py",
    "tests/tasks/asr/test_language.py",
    "tests/test_recipes.py",
    "tests/test_structure.py",
    "tests/tasks/test_same_everywhere.py",
)
"""What takes long, the longest first: none of it should begin when all the rest is over.

Browsers take the longest, and come by their name: before much that is short, and when platforms beside them are done.
"""


@cache
def scope_of(nodeid: str) -> str:
    """Return what goes to one process as a whole: a file, a half of it, or the files that share a server."""
    file = nodeid.split("::", 1)[0]
    text = (ROOT / file).read_text()
    if file.startswith("tests/flows/") and "server: Server" in text:
        return PREFECT
    if file.startswith(PLATFORMS) and not any(words in text for words in ("stack_in(", "own_stack")):
        return PLATFORM
    return f"{file}{PHONE}" if file == EVERY_PAGE and PHONE in nodeid else file


def next_scope(scopes: Collection[str], *, platforms: bool) -> str:
    """Return what a process takes next: the first scope with platforms, or without, else the first of all."""
    mine = (scope for scope in scopes if (scope == PLATFORM or scope.startswith(PLATFORMS)) == platforms)
    return next(mine, next(iter(scopes)))


class SharedScheduling(LoadFileScheduling):  # type: ignore[misc]
    """Send all tests of a scope to one process, and whole platforms to the first."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        self.workqueue.move_to_end(next_scope(self.workqueue, platforms=node is self.nodes[0]), last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharedScheduling:
    return SharedScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Bring the long files to the front, where several processes share the work."""
    if hasattr(config, "workerinput"):
        place = {scope: number for number, scope in enumerate(FIRST)}
        items.sort(key=lambda item: (place.get(scope_of(item.nodeid), len(FIRST)), not _is_patient(item)))


def _is_patient(item: pytest.Item) -> bool:
    """Return whether a test needs the platform with short spans, which ends before the shared one starts."""
    return "patient_stack" in getattr(item, "fixturenames", ())
