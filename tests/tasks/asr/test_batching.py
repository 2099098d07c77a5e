"""Batches of windows: every window once, like lengths together, bounded by positions."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.asr.batching import GPU_WEIGHTS_COST, POSITIONS_A_WINDOW, batches_of

LENGTHS = st.lists(st.integers(150, 1500), max_size=40)


@given(positions=LENGTHS, batch_size=st.integers(1, 32))
def test_every_window_is_in_one_batch_and_none_holds_too_much(positions: list[int], batch_size: int) -> None:
    batches = batches_of(positions, batch_size=batch_size)
    assert sorted(chain(*batches)) == list(range(len(positions)))
    for batch in batches:
        taken = len(batch) * max(positions[index] for index in batch)
        assert len(batch) == 1 or taken <= batch_size * POSITIONS_A_WINDOW
    lengths = [positions[index] for index in chain(*batches)]
    assert lengths == sorted(lengths)


def test_like_lengths_share_a_batch() -> None:
    assert batches_of([1400, 300, 320, 1380, 310, 300], batch_size=8) == [[1, 5, 4, 2], [3, 0]]


def test_short_windows_fill_larger_batches_than_long_ones() -> None:
    assert [len(batch) for batch in batches_of([300] * 20, batch_size=8)] == [20]
    assert max(len(batch) for batch in batches_of([1500] * 20, batch_size=8)) == 4


@pytest.mark.parametrize(("count", "batches"), [(1, 1), (7, 1), (20, 2)])
def test_a_gpu_decodes_as_few_batches_as_its_memory_allows(count: int, batches: int) -> None:
    positions = [300 + 60 * index for index in range(count)]
    assert len(batches_of(positions, batch_size=32, weights_cost=GPU_WEIGHTS_COST)) == batches


def test_the_order_of_equal_windows_does_not_change_their_batches() -> None:
    assert batches_of([], batch_size=8) == []
    assert batches_of([500, 500, 500], batch_size=1) == [[0], [1], [2]]
