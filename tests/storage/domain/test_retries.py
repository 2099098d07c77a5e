"""What is called again, how often, and when it is given up."""

import itertools
import random

import pytest

from storage.domain import retries
from storage.domain.errors import AudioUnreadable, StorageFull


class Work:
    """Fails with each of the errors in turn, then gives an answer."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"

    async def awaited(self) -> str:
        return self()


FULL, BROKEN = StorageFull("a", "no space"), AudioUnreadable("a.wav", "no header")


def is_full(error: Exception) -> bool:
    return isinstance(error, StorageFull)


async def ended(work: Work, pauses_s: tuple[float, ...], *, waits: bool) -> str:
    if waits:
        return await retries.call_async(work.awaited, may_pass=is_full, pauses_s=pauses_s)
    return retries.call(work, may_pass=is_full, pauses_s=pauses_s)


both = pytest.mark.parametrize("waits", [False, True], ids=["call", "call_async"])


@both
async def test_it_is_called_until_it_answers(*, waits: bool) -> None:
    work = Work(FULL, FULL)
    assert await ended(work, (0, 0, 0), waits=waits) == "done"
    assert work.calls == 3


@both
async def test_after_the_last_pause_its_error_is_raised(*, waits: bool) -> None:
    work = Work(*itertools.repeat(FULL, 9))
    with pytest.raises(StorageFull):
        await ended(work, (0, 0), waits=waits)
    assert work.calls == 3


@both
async def test_an_error_that_cannot_pass_is_raised_at_once(*, waits: bool) -> None:
    work = Work(FULL, BROKEN, FULL)
    with pytest.raises(AudioUnreadable):
        await ended(work, (0, 0, 0), waits=waits)
    assert work.calls == 2


async def test_a_pause_is_as_long_as_the_error_asks_at_least() -> None:
    slept = []

    async def sleep(pause_s: float) -> None:
        slept.append(pause_s)

    asking, patient = StorageFull("a", "no space"), StorageFull("a", "no space")
    asking.retry_after_s, patient.retry_after_s = 7.0, 0.5  # type: ignore[attr-defined]
    work = Work(asking, patient)
    await retries.call_async(work.awaited, may_pass=is_full, pauses_s=(1.0, 1.0), sleep=sleep)
    assert slept == [7.0, 1.0]


def test_growing_pauses_double_up_to_the_longest() -> None:
    random.seed(1)
    grown = list(itertools.islice(retries.growing(1.0, 5.0, within_s=1e6), 6))
    for pause_s, most_s in zip(grown, (1, 2, 4, 5, 5, 5), strict=True):
        assert most_s / 2 <= pause_s <= most_s


def test_no_pause_is_longer_than_what_is_left_of_the_patience() -> None:
    assert list(retries.growing(1.0, 5.0, within_s=0.0)) == []
