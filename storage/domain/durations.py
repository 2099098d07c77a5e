"""Durations as people read them: on a clock, exactly, or roughly."""

from storage.domain.translation import number


def clock(seconds: float, *, hours: bool = False) -> str:
    """Return 4:07 or 1:02:03; with `hours`, 0:04:07."""
    minutes, rest = divmod(int(seconds), 60)
    if hours or minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
    return f"{minutes}:{rest:02}"


def span(seconds: float) -> str:
    """Return a duration: 3.2 s, 4 min 10 s, 2 h 5 min."""
    if seconds < 10:
        return f"{number(seconds, '.1f')} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def roughly(seconds: float) -> str:
    """Return a rough estimate: 10 s, 3 min, 2 h 5 min."""
    if seconds < 55:
        return f"{max(5, 5 * round(seconds / 5))} s"
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
