"""Write a checkpoint as a CTranslate2 directory that faster-whisper loads: int8 weights, tokens, alignment heads."""

import argparse
import json
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import torch
from ctranslate2.specs import WhisperSpec
from torch import Tensor

from network import DECODER_SHIFTS, ENCODER_SHIFTS
from vocabulary import BYTES, ID, NO_TIMESTAMPS, SPACE, SPECIALS, TOKENS, write_tokenizer

HEADS = 4
ALIGNMENT_HEADS = [[3, head] for head in range(HEADS)]
SUPPRESSED = [ID[token] for token in SPECIALS if token not in ("<|endoftext|>", "<|notimestamps|>")] + [NO_TIMESTAMPS]
WINDOW_S = 8
"""Seconds of audio that faster-whisper gives the model at once; in more it may lose its place where phrases recur."""
SUPPRESSED_FIRST = [BYTES.index(SPACE)]
"""Unlike OpenAI's models, the end of text is allowed at once: that is how this model says that nothing was spoken."""


class _Weights:
    """A checkpoint's weights under a prefix, as float32 arrays."""

    def __init__(self, weights: dict[str, Tensor], prefix: str = "") -> None:
        self.weights, self.prefix = weights, prefix

    def __getitem__(self, name: str) -> np.ndarray:
        value: np.ndarray = self.weights[self.prefix + name].float().numpy()
        return value

    def under(self, name: str) -> "_Weights":
        """The weights of a part."""
        return _Weights(self.weights, f"{self.prefix}{name}.")

    def has(self, name: str) -> bool:
        """Whether there is such a weight."""
        return self.prefix + name in self.weights


def specification(weights: dict[str, Tensor]) -> WhisperSpec:
    """CTranslate2's description of the model, filled with the weights."""
    spec = WhisperSpec(len(ENCODER_SHIFTS), HEADS, len(DECODER_SHIFTS), HEADS)
    encoder, decoder = _Weights(weights, "encoder."), _Weights(weights, "decoder.")
    for name, part in (("conv1", spec.encoder.conv1), ("conv2", spec.encoder.conv2)):
        part.weight, part.bias = encoder[f"{name}.weight"], encoder[f"{name}.bias"]
    spec.encoder.position_encodings.encodings = encoder["positions"]
    spec.decoder.position_encodings.encodings = decoder["positions"]
    spec.decoder.embeddings.weight = decoder["embedding.weight"]
    spec.decoder.projection.weight = decoder["projection.weight"]
    _norm(spec.encoder.layer_norm, encoder.under("norm"))
    _norm(spec.decoder.layer_norm, decoder.under("norm"))
    for index, layer in enumerate(spec.encoder.layer):
        _layer(layer, encoder.under(f"layers.{index}"))
    for index, layer in enumerate(spec.decoder.layer):
        weights_of_layer = decoder.under(f"layers.{index}")
        _layer(layer, weights_of_layer)
        cross = weights_of_layer.under("cross")
        _norm(layer.attention.layer_norm, weights_of_layer.under("cross_norm"))
        _linear(layer.attention.linear[0], [cross.under("query")])
        _linear(layer.attention.linear[1], [cross.under("key"), cross.under("value")])
        _linear(layer.attention.linear[2], [cross.under("out")])
    return spec


def _layer(spec: Any, weights: _Weights) -> None:
    attention = weights.under("attention")
    _norm(spec.self_attention.layer_norm, weights.under("attention_norm"))
    _linear(spec.self_attention.linear[0], [attention.under(name) for name in ("query", "key", "value")])
    _linear(spec.self_attention.linear[1], [attention.under("out")])
    _norm(spec.ffn.layer_norm, weights.under("feed_norm"))
    _linear(spec.ffn.linear_0, [weights.under("feed.0")])
    _linear(spec.ffn.linear_1, [weights.under("feed.2")])


def _norm(spec: Any, weights: _Weights) -> None:
    spec.gamma, spec.beta = weights["weight"], weights["bias"]


def _linear(spec: Any, parts: list[_Weights]) -> None:
    """One linear layer, or several stacked; a part without a bias (the keys) counts as zero."""
    matrices = [part["weight"] for part in parts]
    biases = [part["bias"] if part.has("bias") else np.zeros(len(part["weight"]), np.float32) for part in parts]
    spec.weight, spec.bias = np.concatenate(matrices), np.concatenate(biases)


def convert(checkpoint: Path, folder: Path, *, quantization: str = "int8") -> None:
    """Write the averaged weights of `checkpoint` to `folder`."""
    weights = torch.load(checkpoint, weights_only=True)["average"]
    spec = specification(weights)
    spec.register_vocabulary(TOKENS)
    spec.config.suppress_ids = SUPPRESSED
    spec.config.suppress_ids_begin = SUPPRESSED_FIRST
    spec.config.alignment_heads = ALIGNMENT_HEADS
    spec.config.lang_ids = []
    spec.validate()
    spec.optimize(quantization=quantization)
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    write_tokenizer(folder / "tokenizer.json")
    features = {
        "chunk_length": WINDOW_S,
        "feature_size": 80,
        "hop_length": 160,
        "n_fft": 400,
        "sampling_rate": 16_000,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(features, indent=2) + "\n")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    convert(arguments.checkpoint, arguments.folder)
    size = sum(path.stat().st_size for path in arguments.folder.iterdir())
    print(f"{arguments.folder}: {size / 1e6:.1f} MB, ctranslate2 {ctranslate2.__version__}")


if __name__ == "__main__":
    main()
