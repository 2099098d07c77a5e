"""Train the network from scratch in phases of growing windows, supervised frame by frame and word by word.

Each phase is one run of this program and leaves a checkpoint that the next resumes and `convert.py` reads. A few
processes of one thread each share every step: on a busy machine they lose far less than threads that wait for
one another in every operation.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import start_processes
from torch.nn import functional

from network import Network, Shape
from vocabulary import FIRST_TIMESTAMP, TOKENS, WORD_LABELS
from windows import IGNORED, Course, batches, load_material

COURSES = {
    "encoder": Course(frames=250, batch=5),
    "short": Course(frames=300, batch=5, silent_share=0.02),
    "medium": Course(frames=600, batch=3, silent_share=0.04, prompt_share=0.2, longest_prompt=60, cut_share=0.1),
    "long": Course(
        frames=650,
        batch=3,
        silent_share=0.06,
        prompt_share=0.4,
        longest_prompt=222,
        cut_share=0.4,
        moved=False,
        repeat_share=0.05,
        short_share=0.9,
    ),
    "full": Course(
        frames=1500,
        batch=2,
        silent_share=0.06,
        prompt_share=0.4,
        longest_prompt=222,
        cut_share=0.4,
        moved=False,
        repeat_share=0.05,
        short_share=0.8,
    ),
}
"""Batches are each process's."""
ENCODER_KEPT = ("long", "full")
"""Phases that leave the encoder as it is."""
HEARD_HEADS = ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2))
"""Cross-attention heads (layer, head) guided to the frames of the token just read."""
COMING_HEADS = ((2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2), (3, 3))
"""Heads guided to the frames of the token to be predicted; the last layer's become the alignment heads."""
KEPT_AVERAGE = 0.998
REPORTED_STEPS = 50


def guidance(maps: list[Tensor], heads: tuple[tuple[int, int], ...], spans: Tensor) -> Tensor:
    """Mean cross-entropy between each row's span and the heads' attention.

    `maps` are log-weights (rows, heads, n, t) a layer; `spans` (rows, n, 3) are frames [start, end), empty to skip,
    and the first frame of the silence before, which is given a tenth of the weight.
    """
    frames = torch.arange(maps[0].shape[-1])
    start, end, lead = spans[..., 0:1], spans[..., 1:2], spans[..., 2:3]
    inside = ((frames >= start) & (frames < end)).float()
    before = ((frames >= lead) & (frames < start)).float()
    inside = inside + 0.1 * inside.sum(-1, keepdim=True) * before / before.sum(-1, keepdim=True).clamp(min=1)
    sizes = inside.sum(-1)
    weights = inside / sizes.clamp(min=1e-3)[..., None]
    chosen = torch.stack([maps[layer][:, head] for layer, head in heads])
    losses = -(chosen * weights).sum(-1)
    return losses.sum() / ((sizes > 0).sum() * len(heads)).clamp(min=1)


def heard_losses(
    network: Network, batch: dict[str, Tensor], memory: Tensor, halfway: Tensor
) -> tuple[Tensor, dict[str, float]]:
    """The encoder's loss: which phone, which word, and which words around it, frame by frame."""
    with torch.autocast("cpu", torch.bfloat16):
        phone_scores = network.phone_head(halfway).float()
        word_scores = [head(memory).float() for head in network.word_heads]
    phones, words = batch["phones"], batch["words"]
    loss = 0.5 * functional.cross_entropy(phone_scores.flatten(0, 1), phones.flatten())
    for index, (scores, weight) in enumerate(zip(word_scores, (1.0, 0.4, 0.4), strict=True)):
        loss = loss + weight * functional.cross_entropy(
            scores.flatten(0, 1), words[:, index].flatten(), ignore_index=IGNORED
        )
    spoken = phones > 0
    figures = {
        "phones": _share(phone_scores.argmax(-1) == phones, spoken),
        "words": _share(word_scores[0].argmax(-1) == words[:, 0], words[:, 0] > 0),
        "before": _share(word_scores[1].argmax(-1) == words[:, 1], words[:, 1] > 0),
    }
    return loss, figures


def said_losses(network: Network, batch: dict[str, Tensor], memory: Tensor) -> tuple[Tensor, dict[str, float]]:
    """The decoder's loss: the next token, and where its guided heads look."""
    with torch.autocast("cpu", torch.bfloat16):
        scores, maps = network.decoder(batch["tokens"], memory)
    targets, spans = batch["targets"], batch["spans"]
    counted = targets != IGNORED
    scores, wanted = scores[counted].float(), targets[counted]
    tokens = functional.cross_entropy(scores, wanted)
    coming = torch.cat([spans[:, 1:], torch.zeros_like(spans[:, :1])], 1) * counted[..., None]
    heard, ahead = guidance(maps, HEARD_HEADS, spans), guidance(maps, COMING_HEADS, coming)
    right = scores.argmax(-1) == wanted
    timed = wanted >= FIRST_TIMESTAMP
    figures = {
        "text": _share(right, ~timed),
        "times": _share((scores.argmax(-1) - wanted).abs() <= 2, timed),
        "loss": float(tokens.detach()),
        "heard": float(heard.detach()),
        "ahead": float(ahead.detach()),
    }
    return tokens + 0.5 * (heard + ahead), figures


def losses_of(network: Network, batch: dict[str, Tensor], phase: str) -> tuple[Tensor, dict[str, float]]:
    """The loss of a batch in a phase, and figures for the log."""
    with torch.autocast("cpu", torch.bfloat16), torch.set_grad_enabled(phase not in ENCODER_KEPT):
        memory, halfway = network.encoder(batch["mel"], batch["offset"])
    if phase in ENCODER_KEPT:
        return said_losses(network, batch, memory)
    loss, figures = heard_losses(network, batch, memory, halfway)
    if phase == "encoder":
        return loss, figures
    more, figures_said = said_losses(network, batch, memory)
    return loss + more, figures | figures_said


def _share(right: Tensor, among: Tensor) -> float:
    return float((right & among).sum() / among.sum().clamp(min=1))


def new_network(phones: int) -> Network:
    """An untrained network for `phones` phone labels and silence."""
    shape = Shape(tokens=len(TOKENS), words=len(WORD_LABELS) + 1, phones=phones + 1)
    return Network(shape, FIRST_TIMESTAMP)


def save(path: Path, network: Network, average: dict[str, Tensor], optimiser: torch.optim.Optimizer) -> None:
    """Write a checkpoint whole or not at all."""
    unfinished = path.with_suffix(".part")
    state: dict[str, Any] = {
        "network": network.state_dict(),
        "average": average,
        "optimiser": optimiser.state_dict(),
    }
    torch.save(state, unfinished)
    unfinished.rename(path)


def _share_gradients(network: Network, processes: int) -> None:
    """Replace every process's gradients by their mean."""
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= processes
    first = 0
    for gradient in gradients:
        gradient.copy_(flat[first : first + gradient.numel()].view_as(gradient))
        first += gradient.numel()


def train(rank: int, arguments: argparse.Namespace, store: str) -> None:
    """Run one phase for `arguments.minutes` on the clock, as process `rank`; process 0 reports and saves."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=arguments.processes)
    torch.manual_seed(arguments.seed)
    network = new_network(len(load_material(arguments.material)[1]))
    optimiser = torch.optim.AdamW(network.parameters(), lr=arguments.rate, betas=(0.9, 0.98), weight_decay=0.01)
    if arguments.resume:
        state = torch.load(arguments.resume, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
    average = {name: value.clone() for name, value in network.state_dict().items()}
    stream = batches(arguments.material, COURSES[arguments.phase], 1000 * arguments.seed + rank)
    began = saved = time.monotonic()
    sums: dict[str, float] = {}
    for step, batch in enumerate(stream, start=1):
        done = torch.tensor((time.monotonic() - began) / (60 * arguments.minutes))
        distributed.broadcast(done, 0)
        if done >= 1:
            break
        rate = arguments.rate * (arguments.final_rate / arguments.rate) ** float(done)
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, step / arguments.warmup)
        loss, figures = losses_of(network, batch, arguments.phase)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        _share_gradients(network, arguments.processes)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if rank:
            continue
        _blend(average, network, min(KEPT_AVERAGE, step / (step + 10)))
        for name, figure in figures.items():
            sums[name] = sums.get(name, 0.0) + figure / REPORTED_STEPS
        if step % REPORTED_STEPS == 0:
            report = " ".join(f"{name} {mean:.3f}" for name, mean in sums.items())
            print(f"{float(done) * arguments.minutes:.1f} min, step {step}, rate {rate:.2e}: {report}", flush=True)
            sums = {}
        if time.monotonic() - saved > 60:
            save(arguments.checkpoint, network, average, optimiser)
            saved = time.monotonic()
    if rank == 0:
        save(arguments.checkpoint, network, average, optimiser)
    distributed.destroy_process_group()


@torch.no_grad()
def _blend(average: dict[str, Tensor], network: Network, kept: float) -> None:
    for name, value in network.state_dict().items():
        average[name].lerp_(value, 1 - kept)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("material", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--phase", choices=sorted(COURSES), required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--final-rate", type=float, default=1.5e-3)
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start_processes(train, (arguments, f"{folder}/store"), nprocs=arguments.processes)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
