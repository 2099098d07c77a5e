"""Write a model in the shape of a Whisper model with synthetic weights, for tests without real ones.

All its matrices are random and of full size, so that encoding, decoding and aligning cost as much as the real ones. It
recognises nothing: each position of the decoder outputs the word of a fixed text that belongs there, at a probability
near 1, and attends to the place in the audio where that word would be at `WORDS_PER_S`. So nothing loops or is in
doubt, and no time is spent on redecoding. It never ends by itself either: whoever measures it has to bound its tokens.
"""

import argparse
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.crowd_material import vocabulary

Weights = NDArray[Any]

WORDS_PER_S = 3
POSITIONS_PER_S = 50
LONGEST_TEXT, LONGEST_SOUND = 448, 1500
PROMPT_LENGTH = 4
HEAD_WIDTH = 64
PLAIN_WORDS = 50_257
ROW = 4_194_319  # has no divisor in common with any width, or rows of a matrix would come again
SMALL = 0.0001  # what a layer adds to its input, beside that input's 0.2 and more
LANGUAGES = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml"
    " cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am"
    " yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue"
)
SPECIALS = ("translate", "transcribe", "startoflm", "startofprev", "nospeech", "notimestamps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a Whisper model; those of heads are 64 in all of them."""

    encoder_layers: int
    decoder_layers: int
    width: int
    mels: int
    alignment_heads: tuple[tuple[int, int], ...]

    @property
    def heads(self) -> int:
        return self.width // HEAD_WIDTH


LARGE_HEADS = ((7, 0), (10, 17), (12, 18), (13, 12), (16, 1), (17, 14), (19, 11), (21, 4), (24, 1), (25, 6))
SHAPES = {
    "large-v3": Shape(encoder_layers=32, decoder_layers=32, width=1280, mels=128, alignment_heads=LARGE_HEADS),
    "large-v3-turbo": Shape(
        encoder_layers=32, decoder_layers=4, width=1280, mels=128, alignment_heads=((2, 4), (2, 11), (3, 3), (3, 6))
    ),
    "small": Shape(
        encoder_layers=12, decoder_layers=12, width=768, mels=80, alignment_heads=((5, 3), (8, 0), (8, 8), (9, 7))
    ),
    "tiny": Shape(encoder_layers=4, decoder_layers=4, width=384, mels=80, alignment_heads=((2, 2), (3, 0), (3, 2))),
}


class Chance:
    """Random matrices, cheaply: pieces of one long row of random numbers, each from another place."""

    def __init__(self) -> None:
        self._row = np.random.default_rng(3).standard_normal(ROW, dtype=np.float32)
        self._place = 0
        self._rows: dict[float, Weights] = {}

    def __call__(self, *shape: int, spread: float = 0.02) -> Weights:
        self._place = (self._place + 99_991) % len(self._row)
        if spread not in self._rows:
            self._rows[spread] = (self._row * np.float32(spread)).astype(np.float16)
        return np.resize(np.roll(self._rows[spread], self._place), shape)


def waves(width: int) -> Weights:
    """Return Whisper's encodings of the encoder's positions."""
    half = width // 2
    speeds = np.exp(-np.log(10_000) / (half - 1) * np.arange(half))
    turns = np.arange(LONGEST_SOUND)[:, None] * speeds
    return np.concatenate([np.sin(turns), np.cos(turns)], axis=1)


def clock(width: int) -> list[int]:
    """Return the columns of those encodings that tell where in the sound one is: waves of one second to a minute."""
    half = width // 2
    lengths = 2 * np.pi * np.exp(np.log(10_000) / (half - 1) * np.arange(half))
    within = np.flatnonzero((lengths > POSITIONS_PER_S) & (lengths < 60 * POSITIONS_PER_S))
    picked = [int(within[place * len(within) // (HEAD_WIDTH // 2)]) for place in range(HEAD_WIDTH // 2)]
    return picked + [column + half for column in picked]


def words() -> list[str]:
    """Return the vocabulary: single bytes, made-up words, and Whisper's special tokens."""
    from tokenizers.pre_tokenizers import ByteLevel

    alphabet = sorted(ByteLevel.alphabet())
    plain = alphabet + [f"Ġ{word}" for word in dict.fromkeys(vocabulary())][: PLAIN_WORDS - len(alphabet)]
    plain += [f"Ġ{number}" for number in range(PLAIN_WORDS - len(plain))]
    special = ["endoftext", "startoftranscript", *LANGUAGES.split(), *SPECIALS]
    times = [f"<|{step * 0.02:.2f}|>" for step in range(LONGEST_SOUND + 1)]
    return plain + [f"<|{name}|>" for name in special] + times


def write_tokenizer(folder: Path, tokens: list[str]) -> None:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    last = tokens.index("<|0.00|>")
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    model: dict[str, Any] = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None}
    model |= {"end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True}
    whole = {
        "version": "1.0",
        "added_tokens": [
            {"id": place, "content": tokens[place], "special": True, **flags} for place in range(PLAIN_WORDS, last)
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": model | {"vocab": {token: place for place, token in enumerate(tokens[:PLAIN_WORDS])}, "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(whole, ensure_ascii=False))


def specification(shape: Shape, vocabulary_size: int) -> Any:
    """Return CTranslate2's description of the model with all its weights."""
    from ctranslate2.specs import WhisperSpec

    chance, width = Chance(), shape.width
    spec = WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    for part, channels in ((spec.encoder.conv1, shape.mels), (spec.encoder.conv2, width)):
        part.weight, part.bias = chance(width, channels, 3, spread=0.001), np.zeros(width, np.float16)
    spec.encoder.position_encodings.encodings = waves(width).astype(np.float16)
    embeddings = chance(vocabulary_size, width, spread=0.05)
    embeddings[:, clock(width)] = 0
    spec.decoder.embeddings.weight = embeddings
    spec.decoder.projection.weight = embeddings
    spec.decoder.position_encodings.encodings = _text(embeddings, width)
    for norm in (spec.encoder.layer_norm, spec.decoder.layer_norm):
        _norm(norm, width)
    for layer in spec.encoder.layer:
        _layer(layer, chance, width)
    for number, layer in enumerate(spec.decoder.layer):
        _layer(layer, chance, width)
        _norm(layer.attention.layer_norm, width)
        heads = [head for at, head in shape.alignment_heads if at == number]
        _cross(layer.attention.linear, chance, width, heads)
    return spec


def _text(embeddings: Weights, width: int) -> Weights:
    """Return the decoder's positions: each says its word, and where that lies in the sound."""
    alphabet, kinds = 256, 24
    said = embeddings[alphabet + kinds + np.arange(LONGEST_TEXT)].astype(np.float32)
    places = np.maximum(0, np.arange(LONGEST_TEXT) - PROMPT_LENGTH + 1) * POSITIONS_PER_S / WORDS_PER_S
    where = waves(width)[np.minimum(places.astype(int), LONGEST_SOUND - 1)]
    columns = clock(width)
    found = 4 * said
    found[:, columns] = 0.2 * where[:, columns]
    return found.astype(np.float16)


def _norm(spec: Any, width: int) -> None:
    spec.gamma, spec.beta = np.ones(width, np.float16), np.zeros(width, np.float16)


def _linear(spec: Any, weight: Weights) -> None:
    spec.weight, spec.bias = weight, np.zeros(len(weight), np.float16)


def _layer(spec: Any, chance: Chance, width: int) -> None:
    _norm(spec.self_attention.layer_norm, width)
    _linear(spec.self_attention.linear[0], chance(3 * width, width))
    _linear(spec.self_attention.linear[1], chance(width, width, spread=SMALL))
    _norm(spec.ffn.layer_norm, width)
    _linear(spec.ffn.linear_0, chance(4 * width, width))
    _linear(spec.ffn.linear_1, chance(width, 4 * width, spread=SMALL))


def _cross(linear: Any, chance: Chance, width: int, heads: list[int]) -> None:
    """Fill the decoder's attention to the sound; these heads look where the words are."""
    queries, keys = chance(width, width), chance(width, width)
    for head in heads:
        rows = slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
        for matrix in (queries, keys):
            matrix[rows] = 0
            matrix[rows][np.arange(HEAD_WIDTH), clock(width)] = 3
    _linear(linear[0], queries)
    _linear(linear[1], np.concatenate([keys, chance(width, width)]))
    _linear(linear[2], chance(width, width, spread=SMALL))


def write_model(folder: Path, shape: Shape) -> None:
    """Write the model as a folder that faster-whisper loads, with float16 weights."""
    tokens = words()
    spec = specification(shape, len(tokens))
    spec.register_vocabulary(tokens)
    ids = {token: place for place, token in enumerate(tokens)}
    spec.config.suppress_ids = [ids["<|startoftranscript|>"], *(ids[f"<|{name}|>"] for name in SPECIALS[:-1])]
    spec.config.suppress_ids_begin = [ids["<|endoftext|>"]]
    spec.config.alignment_heads = [list(pair) for pair in shape.alignment_heads]
    spec.config.lang_ids = [ids[f"<|{language}|>"] for language in LANGUAGES.split()]
    spec.validate()
    spec.optimize(quantization="float16")
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))
    write_tokenizer(folder, tokens)
    features = {"chunk_length": 30, "feature_size": shape.mels, "hop_length": 160, "n_fft": 400}
    (folder / "preprocessor_config.json").write_text(json.dumps(features | {"sampling_rate": 16_000}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    started = time.perf_counter()
    write_model(given.folder, SHAPES[given.shape])
    size = (given.folder / "model.bin").stat().st_size
    print(f"{given.folder}: {size / 1e9:.2f} GB in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
