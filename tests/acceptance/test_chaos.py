"""The short form of `make chaos`: eight recordings while something of every kind is killed."""

from pathlib import Path

import pytest

from benchmarks.chaos.material import samples
from benchmarks.chaos.trial import Trial
from benchmarks.chaos.victims import Platform

pytestmark = pytest.mark.acceptance

JOBS, STRIKES_FOR_S = 8, 15.0


@pytest.mark.nightly
def test_nothing_is_lost_while_processes_storage_and_network_fail(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    made = samples(tmp_path / "made", JOBS, seed=1)
    platform = Platform(tmp_path)
    try:
        platform.start()
        trial = Trial(platform=platform, samples=made, seed=1, pause_s=(1.5, 4.0), strikes_for_s=STRIKES_FOR_S)
        outcome = trial.run()
    finally:
        platform.close()
        platform.unmount()
    assert outcome.faults == []
    assert outcome.accepted == JOBS
    assert outcome.strikes.total() >= 3
