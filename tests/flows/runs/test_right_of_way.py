"""Which spans of a device may go on."""

import threading

from flows.runs.right_of_way import RightOfWay
from storage.domain.records import Lane
from tests.waiting import PATIENCE_S, until


def never() -> bool:
    return False


def test_a_batch_gives_way_to_what_somebody_waits_for_and_goes_on_then() -> None:
    right_of_way, went_on = RightOfWay(1), threading.Event()

    def go_on() -> None:
        turn.wait(never)
        went_on.set()

    with right_of_way.taken(Lane.BATCH) as turn:
        turn.wait(never)
        with right_of_way.taken(Lane.INTERACTIVE) as urgent:
            urgent.wait(never)
            waiting = threading.Thread(target=go_on)
            waiting.start()
            assert not went_on.wait(0.5)
        assert went_on.wait(PATIENCE_S)
        waiting.join()
        assert turn.waited_s >= 0.5


def test_no_more_give_way_than_there_are_slots_too_few() -> None:
    right_of_way = RightOfWay(2)
    with right_of_way.taken(Lane.BATCH) as first, right_of_way.taken(Lane.BATCH) as second:
        with right_of_way.taken(Lane.INTERACTIVE) as urgent:
            urgent.wait(never)
            first.wait(never)
            looks = iter([False, True])
            second.wait(lambda: next(looks))
            assert not list(looks)  # it looked twice, and would be waiting still
        second.wait(never)


def test_a_span_that_gives_way_can_be_stopped() -> None:
    right_of_way, stop = RightOfWay(1), threading.Event()
    with right_of_way.taken(Lane.INTERACTIVE), right_of_way.taken(Lane.BACKFILL) as turn:
        waiting = threading.Thread(target=turn.wait, args=(stop.is_set,))
        waiting.start()
        stop.set()
        until(lambda: not waiting.is_alive())


def test_without_slots_nobody_waits() -> None:
    right_of_way = RightOfWay()
    with right_of_way.taken(Lane.INTERACTIVE), right_of_way.taken(Lane.BACKFILL) as turn:
        turn.wait(never)
