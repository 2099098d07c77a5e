"""Retries, and the final states of runs."""

import asyncio
import threading

import pytest

from flows.runs.process_state import CancelFlag
from flows.runs.run_outcomes import Stopped, failed, may_pass, span_failure, unless_stopped, with_retries
from storage.domain.errors import AudioUnreadable, SpanPutOff, StorageFull, StorageUnreachable


async def test_a_transient_error_is_tried_again_a_bounded_number_of_times() -> None:
    tries = 0

    async def full() -> None:
        nonlocal tries
        tries += 1
        raise StorageFull("spans/x", "no space")

    with pytest.raises(StorageFull):
        await with_retries(full, flag=CancelFlag(), pauses_s=(0.01, 0.01, 0.01))
    assert tries == 4


async def test_it_succeeds_as_soon_as_the_work_does() -> None:
    answers = iter([StorageFull("a", "no space"), None])

    async def work() -> str:
        if error := next(answers):
            raise error
        return "done"

    assert await with_retries(work, flag=CancelFlag(), pauses_s=(0.01,)) == "done"


async def test_a_terminal_error_is_not_tried_again() -> None:
    tries = 0

    async def broken() -> None:
        nonlocal tries
        tries += 1
        raise AudioUnreadable("a.wav", "no header")

    with pytest.raises(AudioUnreadable):
        await with_retries(broken, flag=CancelFlag())
    assert tries == 1


async def test_a_raised_flag_ends_the_waiting() -> None:
    flag = CancelFlag()
    flag.raise_()

    async def full() -> None:
        raise StorageFull("spans/x", "no space")

    with pytest.raises(Stopped):
        await with_retries(full, flag=flag, pauses_s=(60.0,))


async def test_blocking_work_is_left_behind_when_the_flag_goes_up() -> None:
    flag, over = CancelFlag(), threading.Event()
    asyncio.get_running_loop().call_later(0.1, flag.raise_)

    def download() -> bool:
        return over.wait(20)

    with pytest.raises(Stopped):
        await unless_stopped(download, flag=flag)
    over.set()


def test_a_final_state_carries_the_message_and_the_code() -> None:
    error = AudioUnreadable("a.wav", "no header")
    state = failed(error)
    assert state.is_failed()
    assert state.message == str(error)
    failure = span_failure("span 1", state)
    assert (failure.span_code, failure.transient) == ("audio_unreadable", False)


def test_a_span_that_gave_up_on_storage_may_pass() -> None:
    failure = span_failure("span 1", failed(StorageUnreachable("results/x", "read-only")))
    assert may_pass(failure)
    assert str(failure).startswith("span 1 could not be transcribed: storage did not answer for results/x")


async def test_a_span_that_was_put_off_is_not_asked_for_again_at_once() -> None:
    asked: list[int] = []

    async def wait_for_span() -> None:
        asked.append(1)
        raise SpanPutOff("span 1", "no storage", "storage_unreachable")

    with pytest.raises(SpanPutOff):
        await with_retries(wait_for_span, flag=CancelFlag())
    assert asked == [1]
