"""A multilingual Whisper model that has learnt nothing: random weights, and a bias that makes it answer one language.

It has the form that the engine asks of a multilingual model (token numbers, languages, tasks) and one tiny layer, so
that the way from windows of speech to a detected language runs for real.
"""

from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

WIDTH, MELS, TEXT_TOKENS = 16, 80, 50_257
LANGUAGES = ("en", "zh", "de", "es", "fr", "ja")
TOKENS_IN_ALL = 51_865
CERTAIN = 12.0


def special_tokens() -> list[str]:
    languages = [f"<|{code}|>" for code in LANGUAGES]
    tasks = ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    return ["<|endoftext|>", "<|startoftranscript|>", *languages, *tasks]


def write_model(folder: Path, *, answers: str, certain: float = CERTAIN) -> Path:
    """Write a model folder that takes all speech for the language `answers`, and is as sure of it as `certain` says."""
    specials = special_tokens()
    times = TOKENS_IN_ALL - TEXT_TOKENS - len(specials)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = letters + [f"t{number}" for number in range(TEXT_TOKENS - 1 - len(letters))]
    words.append("")  # by this one it is known as multilingual
    tokens = words + specials + [f"<|{n * 0.02:.2f}|>" for n in range(times)]
    random = np.random.default_rng(3)
    spec = WhisperSpec(1, 2, 1, 2)
    fill(spec, random)
    bias = np.zeros(len(tokens), dtype=np.float32)
    bias[tokens.index(f"<|{answers}|>")] = certain
    spec.decoder.embeddings.weight = small(random, len(tokens), WIDTH)
    spec.decoder.projection.weight, spec.decoder.projection.bias = small(random, len(tokens), WIDTH), bias
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.alignment_heads = [(0, 0)]
    spec.config.lang_ids = [tokens.index(f"<|{code}|>") for code in LANGUAGES]
    spec.validate()
    folder.mkdir()
    spec.save(str(folder))
    tokenizer = Tokenizer(BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in tokens[TEXT_TOKENS:]])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def fill(spec: Any, random: np.random.Generator) -> None:
    for convolution, inputs in ((spec.encoder.conv1, MELS), (spec.encoder.conv2, WIDTH)):
        convolution.weight, convolution.bias = small(random, WIDTH, inputs, 3), np.zeros(WIDTH, dtype=np.float32)
    spec.encoder.position_encodings.encodings = small(random, 1500, WIDTH)
    spec.decoder.position_encodings.encodings = small(random, 448, WIDTH)
    for side in (spec.encoder, spec.decoder):
        norm(side.layer_norm)
        for layer in side.layer:
            attention(layer.self_attention, random, (3, 1))
            if hasattr(layer, "attention"):
                attention(layer.attention, random, (1, 2, 1))
            norm(layer.ffn.layer_norm)
            linear(layer.ffn.linear_0, random, 4 * WIDTH, WIDTH)
            linear(layer.ffn.linear_1, random, WIDTH, 4 * WIDTH)


def attention(spec: Any, random: np.random.Generator, multiples: tuple[int, ...]) -> None:
    norm(spec.layer_norm)
    for part, multiple in zip(spec.linear, multiples, strict=True):
        linear(part, random, multiple * WIDTH, WIDTH)


def linear(spec: Any, random: np.random.Generator, outputs: int, inputs: int) -> None:
    spec.weight, spec.bias = small(random, outputs, inputs), np.zeros(outputs, dtype=np.float32)


def norm(spec: Any) -> None:
    spec.gamma, spec.beta = np.ones(WIDTH, dtype=np.float32), np.zeros(WIDTH, dtype=np.float32)


def small(random: np.random.Generator, *shape: int) -> Any:
    return (0.05 * random.standard_normal(shape)).astype(np.float32)
