"""`transcriber admin retention`: how long recordings are kept, and what must not be deleted."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.admin_commands import ask, open_used
from flows.platform.os_user import operator

if TYPE_CHECKING:
    from storage.ledger.database import Ledger

app = typer.Typer(no_args_is_help=True, help="How long recordings are kept, and what must not be deleted.")
Kind = Annotated[str, typer.Argument(metavar="job|tag|person|everybody", help="What it is for.")]
Part = Annotated[
    str, typer.Argument(metavar="recording|source|spans|exports", help="What is deleted; `recording` is all of it.")
]
For = Annotated[str, typer.Option("--for", metavar="NAME", help="The job's id, the tag, or the account's name.")]
HoldOf = Annotated[str, typer.Argument(metavar="job|tag|person", help="What it covers.")]
Subject = Annotated[str, typer.Argument(metavar="NAME", help="The job's id, the tag, or the account's name.")]


@app.command(name="set")
def set_rule(
    kind: Kind,
    part: Part,
    days: Annotated[float | None, typer.Option(help="Keep so many days after it was finished.")] = None,
    forever: Annotated[bool, typer.Option("--forever", help="Keep it, whatever less near rules say.")] = False,
    subject: For = "*",
) -> None:
    """Set a rule. The nearest one decides: job, then tag, then person, then everybody."""
    from storage.domain.errors import BadRequest

    if (days is None) is not forever:
        raise BadRequest("--days", "say either --days or --forever")
    _show(_order("PUT", "rules", {"kind": kind, "subject": subject, "part": part, "days": days}))


@app.command()
def unset(kind: Kind, part: Part, subject: For = "*") -> None:
    """Remove a rule."""
    _show(_order("DELETE", "rules", {"kind": kind, "subject": subject, "part": part}))


@app.command()
def hold(kind: HoldOf, subject: Subject, reason: Annotated[str, typer.Argument(help="Why; users read it.")]) -> None:
    """Place a legal hold: nobody and no rule deletes what it covers."""
    _show(_order("PUT", "holds", {"kind": kind, "subject": subject, "reason": reason}))


@app.command()
def release(kind: HoldOf, subject: Subject) -> None:
    """Release a legal hold."""
    _show(_order("DELETE", "holds", {"kind": kind, "subject": subject}))


@app.command()
def show() -> None:
    """Show rules, holds, and what the next run deletes: a dry run."""
    _show(_order("GET", "", {}))


@app.command(name="run")
def run_now() -> None:
    """Delete what is due now, rather than within the hour."""
    ledger = open_used()
    if ledger is None:
        count = ask("POST", "retention/runs", {})["deleted"]
    else:
        from storage.domain.clock import utc_now
        from storage.domain.settings import Settings
        from storage.files.file_store import Files
        from storage.maintenance import retention

        with ledger:
            count = retention.apply(ledger, Files.from_settings(Settings().storage), now=utc_now())
    typer.echo(f"{count} deleted")


def _order(method: str, what: str, order: dict[str, Any]) -> dict[str, Any]:
    ledger = open_used()
    if ledger is None:
        return ask(method, f"retention/{what}".rstrip("/"), None if method == "GET" else order)
    with ledger:
        return _here(ledger, method, what, order)


def _here(ledger: "Ledger", method: str, what: str, order: dict[str, Any]) -> dict[str, Any]:
    from duckdb import DuckDBPyConnection

    from storage.domain.clock import utc_now
    from storage.domain.errors import BadRequest
    from storage.domain.records import to_json
    from storage.jobs import kept_parts, legal_holds
    from storage.maintenance import retention

    def change(con: DuckDBPyConnection) -> None:
        kind = retention.RuleKind(order["kind"])
        subject = retention.subject_of(con, kind, order["subject"])
        if what == "rules":
            rule = retention.Rule(
                kind=kind, subject=subject, part=kept_parts.KeptPart(order["part"]), days=order.get("days")
            )
            (retention.put if method == "PUT" else retention.remove)(con, rule, actor=operator())
        elif method == "PUT":
            legal_holds.put(con, legal_holds.HoldKind(kind), subject, reason=order["reason"], actor=operator())
        else:
            legal_holds.release(con, legal_holds.HoldKind(kind), subject, actor=operator())

    if method != "GET":
        try:
            ledger.run(change)
        except ValueError as error:
            raise BadRequest("retention", str(error)) from error
    with ledger.read() as con:
        told: dict[str, Any] = json.loads(to_json(retention.state(con, now=utc_now())))
    return told


def _show(state: dict[str, Any]) -> None:
    def about(one: dict[str, Any]) -> str:
        if one["kind"] == "everybody":
            return "everybody"
        named = state["people"] if one["kind"] == "person" else {}
        return f"{one['kind']} {named.get(one['subject'], one['subject'])}"

    for rule in state["rules"]:
        kept = "for ever" if rule["days"] is None else f"for {rule['days']:g} days"
        typer.echo(f"{about(rule)}: {rule['part']} kept {kept}")
    for one in state["holds"]:
        typer.echo(f"{about(one)} is held: {one['reason']}")
    for one in state["due"]:
        typer.echo(f"due: {one['part']} of {one['job_id']} ({one['name']}), finished {one['finished_at'][:10]}")
    if not state["rules"]:
        typer.echo("there are no rules: everything is kept")
    typer.echo(f"{len(state['due'])} due")
