"""The prompt before each window: expected words, and text that sets style and spelling.

faster-whisper cuts each of the two at 223 tokens, and together they leave no room for an answer in the decoder's 448.
Here both share the 223, and hotwords are dropped whole rather than cut in the middle.
"""

from typing import Any

from storage.domain.records.job_options import TERM_SEPARATOR, terms_in

TOKENS = 223
"""Half of the decoder's context, as in training, minus the token that opens the prompt."""


def prompt_tokens(model: Any, tokenizer: Any, *, prompt: str | None, hotwords: str | None) -> list[int]:
    """Return the prompt tokens, up to and including the one that disables timestamps."""
    previous = tokenizer.encode(" " + prompt.strip()) if prompt else []
    expected, length = fitting(tokenizer, hotwords or "", TOKENS - min(len(previous), TOKENS // 2))
    trimmed = previous[-(TOKENS - length) :]
    tokens = model.get_prompt(tokenizer, trimmed, without_timestamps=True, prefix=None, hotwords=expected or None)
    return [int(token) for token in tokens]


def fitting(tokenizer: Any, hotwords: str, room: int) -> tuple[str, int]:
    """Return as many leading hotwords as `room` tokens hold, and their token count."""
    stripped = hotwords.strip()
    length = len(tokenizer.encode(" " + stripped)) if stripped else 0
    if length <= room:
        return stripped, length
    fitting_terms, length = "", 0
    for term in terms_in(stripped):
        longer = f"{fitting_terms}{TERM_SEPARATOR}{term}" if fitting_terms else term
        tokens_needed = len(tokenizer.encode(" " + longer))
        if tokens_needed <= room:
            fitting_terms, length = longer, tokens_needed
    return fitting_terms, length
