"""The summary of a batch and its exit status."""

from collections import Counter

import pytest

from storage.domain.batch_outcomes import BatchOutcome, exit_status, printable, summary


def outcomes(*became: BatchOutcome) -> dict[str, int]:
    return Counter(became)


def test_a_summary_counts_every_outcome_and_what_was_not_sent() -> None:
    assert summary(outcomes(*BatchOutcome, BatchOutcome.KNOWN), 14) == (
        "1 of 14 accepted, 1 retried, 2 known already, 1 skipped: not recordings, 1 skipped: deleted before, "
        "1 failed before, 1 failed, 1 transcribed, results not written, 1 still being written, 1 refused, 3 not sent"
    )
    assert summary({}, 2) == "0 of 2 accepted, 2 not sent"


@pytest.mark.parametrize(
    ("became", "status"),
    [
        ((), 0),
        ((BatchOutcome.ACCEPTED, BatchOutcome.RETRIED, BatchOutcome.KNOWN), 0),
        ((BatchOutcome.NO_RECORDING, BatchOutcome.DELETED_BEFORE), 0),
        ((BatchOutcome.KNOWN, BatchOutcome.FAILED_BEFORE), 3),
        ((BatchOutcome.FAILED_BEFORE, BatchOutcome.STILL_WRITTEN), 1),
        ((BatchOutcome.REFUSED, BatchOutcome.FAILED_BEFORE), 1),
    ],
)
def test_the_exit_status_is_that_of_the_worst_outcome(became: tuple[BatchOutcome, ...], status: int) -> None:
    assert exit_status(outcomes(*became)) == status


def test_what_would_break_or_steer_a_terminal_is_not_printed() -> None:
    assert printable("talk\udcff\x1b[2J\n.wav") == "talk??[2J?.wav"
