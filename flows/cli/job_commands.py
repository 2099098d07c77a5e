"""`transcriber jobs`: list unfinished recordings; cancel, pause, resume, retry, and change their order."""

from typing import Annotated, Any

import typer

from flows.cli.admin_commands import ask, open_used
from flows.platform.os_user import operator
from storage.domain.job_actions import JobAction
from storage.domain.records import Job, Lane

app = typer.Typer(
    no_args_is_help=True,
    help="Unfinished recordings: list, cancel, pause, resume, retry, and their order.\n\nWorks with a running platform "
    "and without one.",
)
Ids = Annotated[list[str], typer.Argument(help="Ids of recordings, as `transcriber jobs list` has them.")]


@app.command(name="list")
def list_unfinished() -> None:
    """List what is unfinished, newest first: id, state, priority, progress, name."""
    for job in _unfinished():
        state = "paused" if job["held"] else job["state"]
        said = f" ({job['detail']})" if job["detail"] and not job["held"] else ""
        typer.echo(f"{job['id']}  {state:<12}  {job['lane']:<11}  {100 * job['progress']:3.0f}%  {job['name']}{said}")


def _unfinished() -> list[dict[str, Any]]:
    from storage.domain.job_messages import text_of
    from storage.domain.records import JobState
    from storage.jobs import job_store

    ledger = open_used()
    if ledger is None:
        return list(ask("GET", "jobs")["jobs"])
    with ledger, ledger.read() as con:
        found = job_store.page(con, state=[state for state in JobState if not state.finished], limit=1000)
    fields = ("id", "name", "state", "lane", "held", "progress")
    return [{field: getattr(job, field) for field in fields} | {"detail": text_of(job.detail)} for job in found]


@app.command()
def cancel(ids: Ids) -> None:
    """Cancel recordings; finished parts are kept for another attempt."""
    _perform(JobAction.CANCEL, ids)


@app.command()
def pause(ids: Ids) -> None:
    """Pause recordings until they are resumed; what is transcribed stays."""
    _perform(JobAction.PAUSE, ids)


@app.command()
def resume(ids: Ids) -> None:
    """Let paused recordings go on."""
    _perform(JobAction.RESUME, ids)


@app.command()
def retry(ids: Ids) -> None:
    """Queue failed or cancelled recordings again."""
    _perform(JobAction.RETRY, ids)


@app.command()
def first(ids: Ids) -> None:
    """Put waiting recordings before their owners' others of the same priority."""
    _perform(JobAction.FIRST, ids)


@app.command()
def lane(lane: Annotated[Lane, typer.Argument(help="Their new priority.")], ids: Ids) -> None:
    """Give unfinished recordings another priority."""
    _perform(JobAction.LANE, ids, lane)


def _perform(action: JobAction, ids: list[str], lane: Lane | None = None) -> None:
    ledger = open_used()
    for job_id in ids:
        if ledger is None:
            ask("POST", "jobs", {"job": job_id, "action": action, "lane": lane})
        else:
            ledger.run(_change, action, job_id, lane, actor=operator())
        typer.echo(f"{job_id} is {action.spec.done}")
    if ledger is not None:
        ledger.close()


def _change(con: Any, action: JobAction, job_id: str, lane: Lane | None, *, actor: str) -> Job:
    from storage.jobs import queue_control

    if lane is not None:
        return queue_control.change_lane(con, job_id, lane, actor=actor)
    return queue_control.ORDERS[action](con, job_id, actor=actor)
