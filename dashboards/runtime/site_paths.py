"""Paths of this site as browsers see them: below the path of the public address."""

from dashboards.runtime import context


def site_path(path: str) -> str:
    """Return the path under which browsers reach `path`, one of our own."""
    return (context.settings().web.sub_path if context.is_up() else "") + path
