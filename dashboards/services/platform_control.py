"""Pauses and resumes the whole platform for maintenance, for pages, API and command line."""

from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from dashboards.runtime import context, db, notify
from dashboards.services import account_management
from storage.domain.records import User
from storage.jobs import platform_pause
from storage.jobs.platform_pause import PlatformPause


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformState:
    """Whether the platform is paused, and how many recordings are still running."""

    pause: PlatformPause | None
    running: int


def state() -> PlatformState:
    """Return the state of the platform."""
    return db.look(_state)


def _state(con: DuckDBPyConnection) -> PlatformState:
    return PlatformState(pause=platform_pause.find(con), running=platform_pause.running(con))


def set_pause(user: User, reason: str | None) -> PlatformState:
    """Pause the platform for a reason, or with None resume it.

    Raises:
        NotAllowed: the user is no administrator.
        BadRequest: the reason is empty or too long.
    """
    account_management.require_admin(user, "pausing the platform")
    return set_by_operator(reason, actor=user.actor)


def set_by_operator(reason: str | None, *, actor: str) -> PlatformState:
    """Do the same for the command line, whose token is that of the platform's operator."""
    if reason is None:
        db.change(platform_pause.resume, actor=actor)
    else:
        db.change(platform_pause.pause, reason, actor=actor)
    notify.wake()
    context.current().bus.look_again()
    return state()
