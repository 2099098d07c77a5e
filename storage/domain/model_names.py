"""What a model's name tells, and the names that API clients send."""

import re

MODEL_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$"
DEFAULT_ALIASES = (
    "whisper-1=auto, gpt-transcribe=auto, gpt-4o-transcribe=auto, gpt-4o-mini-transcribe=auto, "
    "gpt-4o-mini-transcribe-2025-12-15=auto, gpt-4o-transcribe-diarize=auto, auto, "
    "whisper-large-v3=large-v3|auto, whisper-large-v3-turbo=large-v3-turbo|auto, "
    "openai/whisper-large-v3=large-v3|auto, openai/whisper-large-v3-turbo=large-v3-turbo|auto, "
    "large-v3-turbo=large-v3-turbo|auto, turbo=large-v3-turbo|auto, large=large-v3|auto, large-v3, large-v2, large-v1, "
    "medium, medium.en, small, small.en, base, base.en, tiny, tiny.en, "
    "distil-large-v3, distil-medium.en, distil-small.en"
)
"""What OpenAI's, Groq's and vLLM's clients send by default, and the models that can be downloaded."""


def parse_aliases(text: str) -> dict[str, tuple[str, ...]]:
    """Read `name=model|model, model`; a model alone stands for itself.

    Raises:
        ValueError: an entry is malformed, or names a folder instead of a model.
    """
    aliases: dict[str, tuple[str, ...]] = {}
    for entry in filter(None, map(str.strip, text.split(","))):
        name, _, listed = (part.strip() for part in entry.partition("="))
        models = tuple(model.strip() for model in (listed or name).split("|"))
        if not all(re.fullmatch(MODEL_NAME, each) for each in (name, *models)):
            raise ValueError(f"{entry!r} is not name=model, name=model|model or a model's name")
        aliases[name] = models
    return aliases


def translates(model: str) -> bool:
    """Return whether a model of this name may be able to translate into English.

    English-only, turbo and distilled models were not trained for it.
    """
    name = model.rpartition("/")[2].lower()
    return not (name.endswith(".en") or "turbo" in name or "distil" in name)


def only_english(model: str) -> bool:
    """Return whether a model of this name was trained for English alone."""
    name = model.rstrip("/").rpartition("/")[2].lower()
    return name.endswith(".en") or name.startswith("distil")


def display_name(model: str) -> str:
    """Return a model's name for readers; for a folder, the folder's name."""
    return model.rstrip("/").rpartition("/")[2]
