"""`transcriber admin`: accounts, keys, backups and the audit chain, through the web process or in its absence."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.actor import operator

if TYPE_CHECKING:
    from storage.ledger import Ledger

app = typer.Typer(
    no_args_is_help=True,
    help="Accounts, keys, backups and the audit chain.\n\nWorks beside a running platform, and without one.",
)
Role = Annotated[str, typer.Option(help="admin, member, or reader (reads own work only).")]
Name = Annotated[str, typer.Argument(help="The name that the user logs in with.")]


def _ask(method: str, path: str, order: dict[str, Any] | None = None) -> dict[str, Any]:
    """Have the web process do it."""
    from storage.client import WebClient
    from storage.settings import Settings
    from storage.tokens import operator_token

    settings = Settings()
    body = None if order is None else {**order, "actor": operator()}
    with WebClient(settings.web.base_url, operator_token(settings), patience_s=15) as client:
        answer: dict[str, Any] = json.loads(client.call(method, f"/internal/v1/admin/{path}", body))
    return answer


def _open() -> "Ledger | None":
    """Return the ledger if nobody has it open, else None: then the web process is to be asked."""
    from storage.errors import LedgerHeld
    from storage.ledger import Ledger
    from storage.settings import Settings

    try:
        return Ledger.open(Settings().storage.ledger_path)
    except LedgerHeld:
        return None


@app.command(name="create-user")
def create_user(name: Name, role: Role = "member") -> None:
    """Make an account and print its first password, which must be changed at the first log-in."""
    import secrets

    from storage import users
    from storage.errors import BadRequest
    from storage.records import Role as Roles

    if role not in set(Roles):
        raise BadRequest("--role", f"use one of {', '.join(Roles)}")
    ledger = _open()
    if ledger is None:
        password = _ask("POST", "users", {"name": name, "role": role})["password"]
    else:
        with ledger:
            password = secrets.token_urlsafe(12)
            ledger.run(users.create, name=name, password=password, role=Roles(role), must_change=True, actor=operator())
    typer.echo(f"{name} may log in once with the password {password} and has to change it then")


@app.command(name="reset-password")
def reset_password(name: Name) -> None:
    """Give a user a password to log in with once, and end all of the user's sessions."""
    ledger = _open()
    if ledger is None:
        password = _ask("POST", "passwords", {"name": name})["password"]
    else:
        with ledger:
            password = _reset(ledger, name)
    typer.echo(f"{name} may log in once with the password {password} and has to change it then")


def _reset(ledger: "Ledger", name: str) -> str:
    import secrets

    from duckdb import DuckDBPyConnection

    from storage import sessions, users
    from storage.errors import NotFound

    password = secrets.token_urlsafe(12)

    def reset(con: DuckDBPyConnection) -> None:
        user = users.by_name(con, name)
        if user is None:
            raise NotFound("user", name)
        users.set_password(con, user.id, password=password, actor=operator(), must_change=True)
        sessions.end_all(con, user.id, actor=operator())

    ledger.run(reset)
    return password


@app.command(name="create-key")
def create_key(
    user: Annotated[str, typer.Argument(help="The user that the key acts for.")],
    name: Annotated[str, typer.Option(help="What the key is for, for recognising it in a list.")] = "command line",
) -> None:
    """Make an API key and print it, this once."""
    ledger = _open()
    if ledger is None:
        secret = _ask("POST", "keys", {"user": user, "name": name})["secret"]
    else:
        with ledger:
            secret = _make_key(ledger, user, name)
    typer.echo(secret)


def _make_key(ledger: "Ledger", user_name: str, name: str) -> str:
    from duckdb import DuckDBPyConnection

    from storage import keys, users
    from storage.errors import NotFound

    def make(con: DuckDBPyConnection) -> str:
        user = users.by_name(con, user_name)
        if user is None:
            raise NotFound("user", user_name)
        secret, _ = keys.create(con, user_id=user.id, name=name, actor=operator())
        return secret

    return ledger.run(make)


@app.command()
def backup(
    to: Annotated[
        Path | None, typer.Argument(help="File to write. Default: a new one in `backups` in the data dir.")
    ] = None,
) -> None:
    """Copy the ledger to a file, also while the platform runs."""
    from storage import upkeep
    from storage.errors import BadRequest

    target = to.absolute() if to else None
    ledger = _open()
    if ledger is None:
        path = _ask("POST", "backups", {"to": str(target)} if target else {})["path"]
    else:
        with ledger:
            try:
                path = upkeep.backup(ledger, target, actor=operator())
            except FileExistsError as error:
                raise BadRequest("TO", f"{target} is there already; choose another name") from error
    typer.echo(f"the ledger is copied to {path}")


@app.command()
def restore(backup_file: Annotated[Path, typer.Argument(help="A file that `backup` has written.")]) -> None:
    """Put a backup in the ledger's place; the platform must be stopped. The old ledger is kept beside it."""
    from storage import upkeep
    from storage.settings import Settings

    aside = upkeep.restore(backup_file, Settings().storage.ledger_path)
    typer.echo(f"restored from {backup_file}" + (f"; the ledger as it was is at {aside}" if aside else ""))


@app.command(name="verify-audit")
def verify_audit() -> None:
    """Check the audit log's hash chain; status 1 if a row was changed, added or taken out."""
    from storage import audit

    ledger = _open()
    if ledger is None:
        told = _ask("GET", "audit")
        broken, rows, head = told["broken_at"], told["rows"], told["head"]
    else:
        with ledger, ledger.read() as con:
            broken, (rows, head) = audit.verify(con), audit.head(con)
    if broken is not None:
        typer.echo(f"the audit chain is broken at row {broken}: it or a row before it was tampered with", err=True)
        raise typer.Exit(1)
    typer.echo(f"all {rows} rows of the audit log are as they were written (head {head})")


@app.command()
def rebuild() -> None:
    """Make jobs and transcripts again from what lies on storage, in a ledger that has none."""
    from dataclasses import asdict

    from storage.files import Files
    from storage.rebuild import rebuild as run
    from storage.settings import Settings

    ledger = _open()
    if ledger is None:
        told = _ask("POST", "rebuild", {})
    else:
        with ledger:
            told = asdict(run(ledger, Files.from_settings(Settings().storage)))
    typer.echo("rebuilt: " + ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in told.items()))
