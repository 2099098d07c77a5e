"""A pytest plugin that counts the lines of the product that tests run, by SlipCover.

It has to be named with `-p`, so that it sees how the product is imported. SlipCover's own command counts too, but makes
each process that a test forks write what was counted.
"""

import json
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import slipcover

from tests.run_all import COUNTED, PRODUCT

COUNTER = slipcover.Slipcover(source=list(PRODUCT))
PARTS = COUNTED.with_suffix("")
"""The folder for what forked processes count."""


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Count what is imported from now on."""
    shutil.rmtree(PARTS, ignore_errors=True)  # of a run that was ended
    slipcover.ImportManager(COUNTER, slipcover.FileMatcher(sources=list(PRODUCT))).__enter__()


def process_forked() -> None:
    """Forget in a new process what its parent has counted."""
    COUNTER.signal_child_process()


def process_ends() -> None:
    """Write what a forked process has counted."""
    PARTS.mkdir(parents=True, exist_ok=True)
    (PARTS / f"{os.getpid()}.json").write_text(json.dumps(COUNTER.get_coverage()))


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish() -> Iterator[Any]:
    """Write what all processes have counted."""
    finished = yield
    counted = COUNTER.get_coverage()
    for part in PARTS.glob("*.json"):
        slipcover.merge_coverage(counted, json.loads(part.read_text()))
        part.unlink()
    COUNTED.parent.mkdir(exist_ok=True)
    COUNTED.write_text(json.dumps(counted))
    return finished
