"""The direction in which a text runs, by its letters (UAX #9)."""

import unicodedata


def right_to_left(text: str) -> bool:
    """Return whether most letters of a text are of scripts that run from the right."""
    ways = [unicodedata.bidirectional(char) for char in text]
    return ways.count("R") + ways.count("AL") > ways.count("L")
