"""`transcriber admin pause` and `resume`: the maintenance pause of the whole platform."""

import time
from typing import Annotated, Any

import typer

from flows.cli import join_command
from flows.cli.admin_commands import ask, open_used
from flows.platform.os_user import operator

LOOK_EVERY_S = 2.0


def pause(
    reason: Annotated[str, typer.Argument(help="Why, in words that everybody reads on all pages.")],
    wait: Annotated[bool, typer.Option("--wait", help="Return when no recording is running any more.")] = False,
) -> None:
    """Pause the whole platform for maintenance.

    No recording is handed out, and uploads are accepted and wait. What is running is finished.
    """
    state = _change(reason)
    typer.echo(f"paused: {reason.strip()}; uploads are accepted and wait")
    if state is None:
        typer.echo("the web process is not running; it hands out nothing when it starts")
    elif wait:
        _wait_until_quiet()
    else:
        typer.echo(_told(state["running"]))


def resume() -> None:
    """End the pause; waiting recordings are handed out."""
    _change(None)
    typer.echo("resumed: recordings are handed out")


def _change(reason: str | None) -> dict[str, Any] | None:
    """Pause or resume; return the state of a running platform.

    Without a web process, the ledger alone is changed.
    """
    from storage.jobs import platform_pause

    ledger = open_used()
    if ledger is None:
        return ask("PUT", "maintenance", {"paused": reason is not None, "reason": reason})
    with ledger:
        if reason is None:
            ledger.run(platform_pause.resume, actor=operator())
        else:
            ledger.run(platform_pause.pause, reason, actor=operator())
    return None


def _wait_until_quiet(look_every_s: float = LOOK_EVERY_S) -> None:
    """Wait until nothing runs.

    It is looked at twice: a recording may just be on its way to the workers.
    """
    told, quiet = "", 0
    while True:
        running = int(ask("GET", "maintenance")["running"])
        quiet = 0 if running else quiet + 1
        if (running or quiet == 2) and told != _told(running):
            told = _told(running)
            typer.echo(told)
        if quiet == 2:
            return
        time.sleep(look_every_s)


def _told(running: int) -> str:
    return f"{running} running, then quiet" if running else "quiet: no recording is running"


def add_to(app: typer.Typer) -> None:
    """Add the commands to `transcriber admin`."""
    app.command()(pause)
    app.command()(resume)
    app.command(name="join-command")(join_command.join_command)
