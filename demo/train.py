"""Train the network from scratch in phases of growing windows, supervised frame by frame and word by word.

Each phase is one run of this program and leaves a checkpoint that the next resumes and `convert.py` reads.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.utils.data import DataLoader

from network import Network, Shape
from vocabulary import FIRST_TIMESTAMP, TOKENS, WORD_LABELS
from windows import IGNORED, Batches, Course, load_material

COURSES = {
    "encoder": Course(frames=250, batch=16),
    "short": Course(frames=300, batch=14, silent_share=0.02),
    "medium": Course(frames=600, batch=8, silent_share=0.04, prompt_share=0.2, longest_prompt=60, cut_share=0.1),
    "full": Course(
        frames=1500, batch=4, silent_share=0.06, prompt_share=0.3, longest_prompt=222, cut_share=0.2, moved=False
    ),
}
HEARD_HEADS = ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2))
"""Cross-attention heads (layer, head) guided to the frames of the token just read."""
COMING_HEADS = ((2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2), (3, 3))
"""Heads guided to the frames of the token to be predicted; the last layer's become the alignment heads."""
KEPT_AVERAGE = 0.998


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


def losses_of(network: Network, batch: dict[str, Tensor], *, decode: bool) -> tuple[Tensor, dict[str, float]]:
    """The weighted loss of a batch, and figures for the log."""
    with torch.autocast("cpu", torch.bfloat16):
        memory, halfway = network.encoder(batch["mel"], batch["offset"])
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
    if not decode:
        return loss, figures
    with torch.autocast("cpu", torch.bfloat16):
        scores, maps = network.decoder(batch["tokens"], memory.repeat(2, 1, 1))
    targets, spans = batch["targets"], batch["spans"]
    counted = targets != IGNORED
    scores, wanted = scores[counted].float(), targets[counted]
    tokens = functional.cross_entropy(scores, wanted, label_smoothing=0.02)
    coming = torch.cat([spans[:, 1:], torch.zeros_like(spans[:, :1])], 1) * counted[..., None]
    heard, ahead = guidance(maps, HEARD_HEADS, spans), guidance(maps, COMING_HEADS, coming)
    right = scores.argmax(-1) == wanted
    timed = wanted >= FIRST_TIMESTAMP
    figures |= {
        "text": _share(right, ~timed),
        "times": _share((scores.argmax(-1) - wanted).abs() <= 2, timed),
        "loss": float(tokens.detach()),
        "heard": float(heard.detach()),
        "ahead": float(ahead.detach()),
    }
    return loss + tokens + 0.3 * (heard + ahead), figures


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


def train(arguments: argparse.Namespace) -> None:
    """Run one phase for `arguments.minutes` on the clock."""
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(arguments.threads)
    course = COURSES[arguments.phase]
    _, labels = load_material(arguments.material)
    network = new_network(len(labels))
    optimiser = torch.optim.AdamW(network.parameters(), lr=arguments.rate, betas=(0.9, 0.98), weight_decay=0.01)
    if arguments.resume:
        state = torch.load(arguments.resume, weights_only=True)
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
    average = {name: value.clone() for name, value in network.state_dict().items()}
    loader = DataLoader(
        Batches(arguments.material, course, arguments.seed), batch_size=None, num_workers=1, prefetch_factor=6
    )
    began = saved = time.monotonic()
    sums: dict[str, float] = {}
    for step, batch in enumerate(loader, start=1):
        now = time.monotonic()
        done = (now - began) / (60 * arguments.minutes)
        if done >= 1:
            break
        rate = arguments.rate * (arguments.final_rate / arguments.rate) ** done * min(1.0, step / arguments.warmup)
        for group in optimiser.param_groups:
            group["lr"] = rate
        loss, figures = losses_of(network, batch, decode=arguments.phase != "encoder")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            kept = min(KEPT_AVERAGE, step / (step + 10))
            for name, value in network.state_dict().items():
                average[name].lerp_(value, 1 - kept)
        for name, figure in figures.items():
            sums[name] = sums.get(name, 0.0) + figure
        if step % 50 == 0:
            report = " ".join(f"{name} {total / 50:.3f}" for name, total in sums.items())
            print(f"{(now - began) / 60:.1f} min, step {step}, rate {rate:.2e}: {report}", flush=True)
            sums = {}
        if now - saved > 60:
            save(arguments.checkpoint, network, average, optimiser)
            saved = now
    save(arguments.checkpoint, network, average, optimiser)


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
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
