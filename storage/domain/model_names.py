"""What a Whisper model can do, as far as its name says, for those who must not load it."""


def translates(model: str) -> bool:
    """Return whether a model of this name may know how to translate into English.

    Models of English alone, the turbo ones and the distilled ones were never taught to.
    """
    name = model.rpartition("/")[2].lower()
    return not (name.endswith(".en") or "turbo" in name or "distil" in name or name == "demo")
