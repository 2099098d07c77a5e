"""What a model is told before each window: words to expect, and text that sets style and spelling.

faster-whisper cuts each of the two at 223 tokens; together they then leave no room for an answer in the 448 that the
decoder has. Here both share the 223, and hotwords are left out whole rather than cut in the middle.
"""

from typing import Any

from storage.vocabulary import SEPARATOR, terms

TOKENS = 223
"""Half of the decoder's context, as Whisper was trained, less the token that opens the prompt."""


def prompt_tokens(model: Any, tokenizer: Any, *, prompt: str | None, hotwords: str | None) -> list[int]:
    """Return the tokens that decoding begins with, up to the one that says that no times follow."""
    previous = tokenizer.encode(" " + prompt.strip()) if prompt else []
    expected, length = fitting(tokenizer, hotwords or "", TOKENS - min(len(previous), TOKENS // 2))
    kept = previous[-(TOKENS - length) :]
    found = model.get_prompt(tokenizer, kept, without_timestamps=True, prefix=None, hotwords=expected or None)
    return [int(token) for token in found]


def fitting(tokenizer: Any, hotwords: str, room: int) -> tuple[str, int]:
    """Return as many of the hotwords, from the first, as `room` tokens hold, and how many tokens they take."""
    asked = hotwords.strip()
    length = len(tokenizer.encode(" " + asked)) if asked else 0
    if length <= room:
        return asked, length
    kept, length = "", 0
    for term in terms(asked):
        longer = f"{kept}{SEPARATOR}{term}" if kept else term
        needed = len(tokenizer.encode(" " + longer))
        if needed <= room:
            kept, length = longer, needed
    return kept, length
