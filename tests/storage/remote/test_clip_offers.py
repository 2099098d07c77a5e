"""Offers of clips to workers that listen."""

from typing import cast

from storage.domain.records import Job
from storage.remote.clip_offers import ClipOffers

CLIP = cast(Job, object())


async def test_the_first_that_listens_gets_the_offer() -> None:
    offers = ClipOffers()
    with offers.listening("gpu-2") as there:
        assert offers.offer(CLIP, ["gpu-1", "gpu-2"]) == "gpu-2"
        assert there.get_nowait() is CLIP
    assert offers.offer(CLIP, ["gpu-1", "gpu-2"]) is None


async def test_the_next_process_of_a_worker_gets_its_offers() -> None:
    offers = ClipOffers()
    before = offers.listening("gpu-1")
    of_killed = before.__enter__()
    with offers.listening("gpu-1") as of_next:
        before.__exit__(None, None, None)  # the end of its connection is noticed later
        assert offers.offer(CLIP, ["gpu-1"]) == "gpu-1"
        assert (of_killed.qsize(), of_next.qsize()) == (0, 1)
