"""Whisper's architecture with an initialisation that makes it learn quickly from little.

Two ideas. Encoder positions are sinusoids in 64 channels of their own, and every encoder head starts out looking at a
fixed distance from itself (a shift of a sinusoid is a rotation), so that the encoder begins as a kind of convolution
and hears the same in windows of any length. The decoder's heads are guided: early ones to the frames of the word just
read, late ones to the frames of the word to come, so that the decoder always knows where it is.
"""

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

POSITION_CHANNELS = 64
ENCODER_SHIFTS = ((-3, -1, 1, 3), (-7, -2, 2, 7), (-14, -5, 5, 14), (-24, -9, 9, 24))
DECODER_SHIFTS = ((0, -1, -2, -3), (-1, -2, -4, -8), (-1, -2, -3, -6), (-1, -2, -3, -4))
SHARPNESS = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of the network."""

    tokens: int
    words: int
    phones: int
    width: int = 256
    heads: int = 4
    mels: int = 80
    frames: int = 1500
    context: int = 448


def sinusoids(length: int) -> Tensor:
    """Shape (length, 64): sines in the first 32 channels, cosines in the others, periods of 5 to 6,000 steps."""
    half = POSITION_CHANNELS // 2
    rates = torch.exp(torch.linspace(math.log(1.2), math.log(2 * math.pi / 6000), half))
    angles = torch.arange(length)[:, None] * rates[None, :]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _rotation(shift: float) -> Tensor:
    """The matrix that turns the sinusoids of position i into those of position i + shift."""
    half = POSITION_CHANNELS // 2
    rates = torch.exp(torch.linspace(math.log(1.2), math.log(2 * math.pi / 6000), half))
    cos, sin = (rates * shift).cos().diag(), (rates * shift).sin().diag()
    return torch.cat([torch.cat([cos, sin], 1), torch.cat([-sin, cos], 1)], 0)


class Attention(nn.Module):
    """Multi-head attention with Whisper's biases: none on the keys."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        for linear in (self.query, self.key):
            nn.init.normal_(linear.weight, std=0.5 / math.sqrt(width))
        nn.init.normal_(self.value.weight, std=1 / math.sqrt(width))
        nn.init.normal_(self.out.weight, std=0.5 / math.sqrt(width))
        for bias in (self.query.bias, self.value.bias, self.out.bias):
            nn.init.zeros_(bias)

    @torch.no_grad()
    def look_at(self, shifts: tuple[int, ...], first_channel: int, sharpness: float = SHARPNESS) -> None:
        """Start each head at a fixed distance, by the sinusoids kept from `first_channel` on."""
        for head, shift in enumerate(shifts):
            self.look_at_with(head, shift, first_channel, sharpness)

    @torch.no_grad()
    def look_at_with(self, head: int, shift: int, first_channel: int, sharpness: float) -> None:
        """Start one head at a fixed distance."""
        size = POSITION_CHANNELS
        scale = math.sqrt(sharpness * math.sqrt(size) / (size / 2))
        channels, rows = slice(first_channel, first_channel + size), slice(head * size, (head + 1) * size)
        self.query.weight[rows, channels] = scale * _rotation(shift)
        self.key.weight[rows, channels] = scale * torch.eye(size)

    @torch.no_grad()
    def spare(self, channels: slice) -> None:
        """Start without writing to `channels`."""
        self.out.weight[channels] = 0

    def split(self, x: Tensor) -> Tensor:
        """(batch, n, width) to (batch, heads, n, width / heads)."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)

    def forward(self, x: Tensor, *, causal: bool = False) -> Tensor:
        """Self-attention over (batch, n, width)."""
        mixed = functional.scaled_dot_product_attention(
            self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x)), is_causal=causal
        )
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def across(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Attention from (rows, n, width) to (batch, t, width); also the log-weights (rows, heads, n, t).

        Row r looks at memory r modulo batch, so several readings share one window's keys.
        """
        readings = len(x) // len(memory)
        query = self.split(self.query(x))
        key = self.split(self.key(memory)).repeat(readings, 1, 1, 1)
        value = self.split(self.value(memory)).repeat(readings, 1, 1, 1)
        logs = (query @ key.transpose(2, 3)).float().div(math.sqrt(query.shape[-1])).log_softmax(-1)
        mixed = logs.exp().to(value.dtype) @ value
        return self.out(mixed.transpose(1, 2).flatten(2)), logs


def _feed_forward(width: int, spared: slice) -> nn.Sequential:
    first, second = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
    nn.init.normal_(first.weight, std=1 / math.sqrt(width))
    nn.init.normal_(second.weight, std=0.25 / math.sqrt(width))
    with torch.no_grad():
        second.weight[spared] = 0
        first.bias.zero_()
        second.bias.zero_()
    return nn.Sequential(first, nn.GELU(), second)


class EncoderLayer(nn.Module):
    """Pre-norm self-attention and feed-forward."""

    def __init__(self, width: int, heads: int, shifts: tuple[int, ...]) -> None:
        super().__init__()
        place = slice(0, POSITION_CHANNELS)
        self.attention_norm, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.feed_norm, self.feed = nn.LayerNorm(width), _feed_forward(width, place)
        self.attention.look_at(shifts, 0)
        self.attention.spare(place)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, t, width) to the same."""
        x = x + self.attention(self.attention_norm(x))
        out: Tensor = x + self.feed(self.feed_norm(x))
        return out


class Encoder(nn.Module):
    """Mel frames to states at 50 a second; channels 0-63 of the states start as the place in the window."""

    positions: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.conv1 = nn.Conv1d(shape.mels, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        nn.init.kaiming_normal_(self.conv1.weight)
        nn.init.kaiming_normal_(self.conv2.weight)
        with torch.no_grad():
            self.conv2.weight[:POSITION_CHANNELS] = 0
            cast(Tensor, self.conv2.bias)[:POSITION_CHANNELS] = -6.0  # GELU(-6) is 0: the place stays clean
        places = torch.zeros(shape.frames, width)
        places[:, :POSITION_CHANNELS] = sinusoids(shape.frames)
        self.register_buffer("positions", places)
        self.layers = nn.ModuleList(EncoderLayer(width, shape.heads, shifts) for shifts in ENCODER_SHIFTS)
        self.norm = nn.LayerNorm(width)

    def forward(self, mel: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        """Mel (batch, 80, 2t) at its first frames (batch,) to the states (batch, t, width), and those halfway."""
        x = functional.gelu(self.conv2(functional.gelu(self.conv1(mel)))).transpose(1, 2)
        places = offsets[:, None] + torch.arange(x.shape[1])
        x = x + self.positions[places]
        halfway = x
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index == len(self.layers) // 2 - 1:
                halfway = x
        return self.norm(x), halfway


class DecoderLayer(nn.Module):
    """Pre-norm causal self-attention, cross-attention and feed-forward."""

    def __init__(self, width: int, heads: int, shifts: tuple[int, ...]) -> None:
        super().__init__()
        kept = slice(0, 2 * POSITION_CHANNELS)
        self.attention_norm, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.cross_norm, self.cross = nn.LayerNorm(width), Attention(width, heads)
        self.feed_norm, self.feed = nn.LayerNorm(width), _feed_forward(width, kept)
        self.attention.look_at(shifts, POSITION_CHANNELS)
        self.attention.spare(kept)
        self.cross.spare(kept)

    def forward(self, x: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, n, width) to the same, with the cross-attention's log-weights (batch, heads, n, t)."""
        x = x + self.attention(self.attention_norm(x), causal=True)
        seen, logs = self.cross.across(self.cross_norm(x), memory)
        x = x + seen
        return x + self.feed(self.feed_norm(x)), logs


class Decoder(nn.Module):
    """Channels 0-63 hold a time in the window, 64-127 the place in the text, the others what is said."""

    positions: Tensor

    def __init__(self, shape: Shape, first_timestamp: int) -> None:
        super().__init__()
        width, size = shape.width, POSITION_CHANNELS
        self.embedding = nn.Embedding(shape.tokens, width)
        self.projection = nn.Linear(width, shape.tokens, bias=False)
        nn.init.normal_(self.embedding.weight, std=1.0)
        nn.init.normal_(self.projection.weight, std=1 / math.sqrt(width))
        times = sinusoids(shape.tokens - first_timestamp)
        with torch.no_grad():
            self.embedding.weight[:, : 2 * size] = 0
            self.embedding.weight[first_timestamp:] *= 0.1
            self.embedding.weight[first_timestamp:, :size] = times
            self.projection.weight[first_timestamp:] *= 0.1
            self.projection.weight[first_timestamp:, :size] = 0.3 * times
        places = torch.zeros(shape.context, width)
        places[:, size : 2 * size] = sinusoids(shape.context)
        self.register_buffer("positions", places)
        self.layers = nn.ModuleList(DecoderLayer(width, shape.heads, shifts) for shifts in DECODER_SHIFTS)
        self.norm = nn.LayerNorm(width)
        self._carry_times()
        self.follow_times()

    def _layers(self) -> list[DecoderLayer]:
        return cast(list[DecoderLayer], list(self.layers))

    @torch.no_grad()
    def follow_times(self) -> None:
        """Two heads of the middle self-attentions start by averaging the times of the last few tokens.

        That tells the cross-attention after them about where to look, which the words alone do not when a phrase
        occurs twice in a window. The sinusoids of tokens placed wrongly cancel out in the average.
        """
        size = POSITION_CHANNELS
        for layer, gain in zip(self._layers()[1:3], (0.8, 0.5), strict=True):
            attention = layer.attention
            for head, shift in ((2, -3), (3, -7)):
                rows = slice(head * size, (head + 1) * size)
                attention.query.weight[rows] = 0
                attention.key.weight[rows] = 0
                attention.look_at_with(head, shift, size, sharpness=7.0)
                attention.value.weight[rows] *= 0.1
                attention.value.weight[rows, :size] = torch.eye(size)
                attention.out.weight[:size, rows] = gain * torch.eye(size)

    @torch.no_grad()
    def _carry_times(self) -> None:
        """Head 0 of every cross-attention starts by copying the time it looks at into the channels of times."""
        size = POSITION_CHANNELS
        for layer, gain in zip(self._layers(), (0.25, 0.5, 0.5, 0.5), strict=True):
            cross = layer.cross
            cross.value.weight[:size] *= 0.1
            cross.value.weight[:size, :size] = torch.eye(size)
            cross.out.weight[:size, :size] = gain * torch.eye(size)
        for layer, shift, sharpness in zip(self._layers()[1:], (0, 8, 4), (48.0, 34.0, 24.0), strict=True):
            layer.cross.look_at((shift,) * layer.cross.heads, 0, sharpness)

    def forward(self, tokens: Tensor, memory: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Tokens (batch, n) to logits (batch, n, tokens) and each layer's cross-attention log-weights."""
        x = self.embedding(tokens) + self.positions[: tokens.shape[1]]
        maps = []
        for layer in self.layers:
            x, logs = layer(x, memory)
            maps.append(logs)
        return self.projection(self.norm(x)), maps


class Network(nn.Module):
    """Encoder, decoder, and the frame classifiers that only training needs."""

    def __init__(self, shape: Shape, first_timestamp: int) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = Encoder(shape)
        self.decoder = Decoder(shape, first_timestamp)
        self.phone_head = nn.Linear(shape.width, shape.phones)
        self.word_heads = nn.ModuleList(nn.Linear(shape.width, shape.words) for _ in range(3))
