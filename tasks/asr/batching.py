"""Group windows into the batches that cost least to decode. Pure.

A decoding step reads the model's weights once for a batch, and the keys and values of every window, each as long as the
longest one of its batch. Larger batches share the weights; batches of like lengths waste less on padding.
"""

from collections.abc import Sequence

POSITIONS_A_WINDOW = 750  # encoder positions of 15 s; a batch of N windows holds N times as many, of any length
WEIGHTS_COST = 1800  # positions whose keys and values take as long to read as the weights; `base`, int8, on a CPU
GPU_WEIGHTS_COST = 10**9  # a step takes nearly as long for one window as for many: as few batches as possible
STEPS_AT_LEAST, STEPS_A_POSITION = 6, 0.09  # tokens of a text: about 4.5 for a second of sound


def batches_of(positions: Sequence[int], *, batch_size: int, weights_cost: float = WEIGHTS_COST) -> list[list[int]]:
    """Return the indices of windows by batch, the shortest windows first.

    `positions` are the encoder positions that each window takes with its padding.
    """
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    lengths = [positions[index] for index in order]
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(order) + 1):
        choices = (
            (best[start][0] + _cost(lengths[start:end], weights_cost), start)
            for start in range(_first_start(lengths, end, batch_size), end)
        )
        best.append(min(choices))
    batches: list[list[int]] = []
    end = len(order)
    while end:
        start = best[end][1]
        batches.append(order[start:end])
        end = start
    return batches[::-1]


def _first_start(lengths: Sequence[int], end: int, batch_size: int) -> int:
    """Return the first window of the largest batch that ends before `end`; lengths ascend."""
    most = max(1, batch_size * POSITIONS_A_WINDOW // lengths[end - 1])
    return max(0, end - most)


def _cost(lengths: Sequence[int], weights_cost: float) -> float:
    """Return the cost of a batch, in positions read; lengths ascend."""
    steps = [STEPS_AT_LEAST + STEPS_A_POSITION * length for length in lengths]
    return weights_cost * steps[-1] + lengths[-1] * sum(steps)
