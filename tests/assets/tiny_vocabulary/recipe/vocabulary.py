"""The model's tokens: 256 bytes, one token a word (and one for its capitalised form), Whisper's English-only specials.

One word is one token; text outside the vocabulary still encodes, byte by byte, as prompts and hotwords need.
"""

import json
from pathlib import Path
from typing import Any

from sentences import OPENERS, VOCABULARY

FRAMES = 1500
TIMESTAMPS = FRAMES + 1
PUNCTUATION = ".,?"
SPECIALS = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
SPACE = "Ġ"


def _byte_alphabet() -> list[str]:
    """The printable stand-ins of GPT-2 for the 256 byte values, in the order of the bytes."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain} | {byte: chr(256 + k) for k, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


BYTES = _byte_alphabet()
WORD_TOKENS = [SPACE + word for word in dict.fromkeys([*VOCABULARY, *OPENERS])]
TEXT_TOKENS = BYTES + WORD_TOKENS
TOKENS = TEXT_TOKENS + list(SPECIALS) + [f"<|{k * 0.02:.2f}|>" for k in range(TIMESTAMPS)]
ID = {token: index for index, token in enumerate(TOKENS)}
END, START, PREVIOUS = ID["<|endoftext|>"], ID["<|startoftranscript|>"], ID["<|startofprev|>"]
NO_SPEECH, NO_TIMESTAMPS = ID["<|nospeech|>"], ID["<|notimestamps|>"]
FIRST_TIMESTAMP = NO_TIMESTAMPS + 1

WORD_LABELS = {word.lower(): index for index, word in enumerate(VOCABULARY, start=1)}
"""Class of each word, whatever its case, in frame labels; 0 is no word."""


def token_of(word: str) -> int:
    """The token of one word as written in a sentence, without punctuation."""
    return ID[SPACE + word]


def tokenizer_json() -> dict[str, Any]:
    """A `tokenizers` file: byte-level BPE without merges, in which a whole known word is taken at once."""
    added = [
        {
            "id": ID[token],
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for token in SPECIALS
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": {token: ID[token] for token in TEXT_TOKENS},
            "merges": [],
        },
    }


def write_tokenizer(path: Path) -> None:
    """Write `tokenizer.json`."""
    path.write_text(json.dumps(tokenizer_json(), ensure_ascii=False), encoding="utf-8")
