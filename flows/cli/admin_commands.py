"""`transcriber admin`: accounts, keys and the audit chain.

Commands go through the web process if it runs, and open the ledger otherwise.
"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.platform.os_user import operator

if TYPE_CHECKING:
    from storage.ledger.database import Ledger

app = typer.Typer(
    no_args_is_help=True,
    help="Accounts, keys, backups and the audit chain.\n\nWorks with a running platform, and without one.",
)
Role = Annotated[str, typer.Option(help="admin, member, or reader (reads own work only).")]
Name = Annotated[str, typer.Argument(help="The name that the user logs in with.")]


def ask(method: str, path: str, order: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send an admin request to the web process."""
    from storage.domain.settings import Settings
    from storage.remote.service_tokens import operator_token
    from storage.remote.web_client import WebClient

    settings = Settings()
    body = None if order is None else {**order, "actor": operator()}
    with WebClient(settings.web.base_url, operator_token(settings), patience_s=15) as client:
        answer: dict[str, Any] = json.loads(client.call(method, f"/internal/v1/admin/{path}", body))
    return answer


def _open() -> "Ledger | None":
    """Return the ledger if it is free, or None if the web process holds it."""
    from storage.domain.errors import LedgerHeld
    from storage.domain.settings import Settings
    from storage.ledger.database import Ledger

    try:
        return Ledger.open(Settings().storage.ledger_path)
    except LedgerHeld:
        return None


def open_used() -> "Ledger | None":
    """Return the ledger that the platform uses, or None if the web process holds it.

    Raises:
        NoLedger: the data dir has none, or one without accounts; an empty or wrong folder is not made a data dir.
    """
    from storage.accounts import users
    from storage.domain.errors import NoLedger
    from storage.domain.settings import Settings

    path = Settings().storage.ledger_path.absolute()
    if not path.exists():
        raise NoLedger(str(path), "does not exist")
    ledger = _open()
    if ledger is not None:
        with ledger.read() as con:
            is_used = bool(users.page(con, limit=1))
        if not is_used:
            ledger.close()
            raise NoLedger(str(path), "has no accounts")
    return ledger


@app.command(name="create-user")
def create_user(name: Name, role: Role = "member") -> None:
    """Create an account and print its first password, which must be changed at first login."""
    import secrets

    from storage.accounts import users
    from storage.domain.errors import BadRequest
    from storage.domain.records import Role as Roles

    if role not in set(Roles):
        raise BadRequest("--role", f"use one of {', '.join(Roles)}")
    ledger = _open()
    if ledger is None:
        password = ask("POST", "users", {"name": name, "role": role})["password"]
    else:
        with ledger:
            password = secrets.token_urlsafe(12)
            ledger.run(users.create, name=name, password=password, role=Roles(role), must_change=True, actor=operator())
    typer.echo(f"{name} can log in once with the password {password} and must then change it")


@app.command(name="reset-password")
def reset_password(name: Name) -> None:
    """Give a user a one-time password, and end all of the user's sessions."""
    ledger = open_used()
    if ledger is None:
        password = ask("POST", "passwords", {"name": name})["password"]
    else:
        with ledger:
            password = _reset(ledger, name)
    typer.echo(f"{name} can log in once with the password {password} and must then change it")


def _reset(ledger: "Ledger", name: str) -> str:
    import secrets

    from duckdb import DuckDBPyConnection

    from storage.accounts import sessions, users
    from storage.domain.errors import NotFound

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
    name: Annotated[str, typer.Option(help="What the key is for, as shown in lists.")] = "command line",
    scopes: Annotated[str, typer.Option(help="What it may do: read,write,delete,batch,admin. Default: all.")] = "",
    requests_per_hour: Annotated[int | None, typer.Option(help="A rate limit of its own. Default: none.")] = None,
) -> None:
    """Create an API key and print it; it is shown only once."""
    ledger = open_used()
    asked = scopes.replace(",", " ").split()
    if ledger is None:
        order: dict[str, Any] = {"user": user, "name": name} | ({"scopes": asked} if asked else {})
        order |= {"requests_per_hour": requests_per_hour} if requests_per_hour is not None else {}
        secret = ask("POST", "keys", order)["secret"]
    else:
        with ledger:
            secret = _make_key(ledger, user, name, asked, requests_per_hour)
    typer.echo(secret)


def _make_key(ledger: "Ledger", user_name: str, name: str, scopes: list[str], requests_per_hour: int | None) -> str:
    from duckdb import DuckDBPyConnection

    from storage.accounts import api_keys, users
    from storage.domain.errors import NotFound
    from storage.domain.records import KeyGrant
    from storage.domain.scopes import Scope, in_order

    def make(con: DuckDBPyConnection) -> str:
        user = users.by_name(con, user_name)
        if user is None:
            raise NotFound("user", user_name)
        grant = KeyGrant(scopes=in_order(scopes or Scope), requests_per_hour=requests_per_hour)
        secret, _ = api_keys.create(con, user_id=user.id, name=name, grant=grant, actor=operator())
        return secret

    return ledger.run(make)


@app.command(name="rotate-secret")
def rotate_secret(
    name: Annotated[str, typer.Argument(help="worker-token, operator-token, or prefect-auth.")],
    overlap_hours: Annotated[float, typer.Option(help="How long the secret before holds as well.")] = 24.0,
) -> None:
    """Replace a secret of the platform while it runs; print what is left to do."""
    from datetime import datetime

    from storage.domain.settings import Settings
    from storage.remote import secret_rotation

    ledger = open_used()
    if ledger is None:
        done = ask("POST", "secrets", {"name": name, "overlap_hours": overlap_hours})
        until, next_step = datetime.fromisoformat(done["until"]), done["next_step"]
    else:
        with ledger:
            rotated = ledger.run(
                secret_rotation.rotate, Settings(), name, overlap_hours=overlap_hours, actor=operator()
            )
        until, next_step = rotated.until, rotated.next_step
    typer.echo(f"{name} is new; the one before holds until {until:%Y-%m-%d %H:%M} UTC; {next_step}")


@app.command(name="rename")
def rename(
    job: Annotated[str, typer.Argument(help="The recording's id, as its page's address has it.")],
    name: Annotated[str, typer.Argument(help="Its new name; the ending of the file stays.")],
) -> None:
    """Rename a recording."""
    from storage.jobs import renaming

    ledger = open_used()
    if ledger is None:
        renamed = ask("POST", "names", {"job": job, "name": name})["name"]
    else:
        with ledger:
            renamed = ledger.run(renaming.rename, job, name=name, actor=operator()).name
    typer.echo(f"{job} is named {renamed}")


@app.command(name="verify-audit")
def verify_audit(
    against: Annotated[
        str | None,
        typer.Option(help="Kept heads: a file, a folder or a storage URL. Default: those on this storage."),
    ] = None,
) -> None:
    """Verify the audit log; status 1 if it does not fit.

    Checked are its chain of hashes, the daily heads that were kept outside the ledger, and the tables of accounts, keys
    and links, where every change must have its row.
    """
    from storage.domain.settings import Settings
    from storage.files.file_store import Files
    from storage.maintenance import audit_heads

    heads = audit_heads.read(against) if against else []
    ledger = open_used()
    if ledger is None:
        told = [{"at": head.at.isoformat(), "rows": head.rows, "hash": head.hash} for head in heads]
        report = ask("POST", "audit", {"heads": told})
    else:
        heads = heads or audit_heads.kept(Files.from_settings(Settings().storage))
        with ledger, ledger.read() as con:
            report = asdict(audit_heads.examine(con, heads))
    for problem in report["problems"]:
        typer.echo(problem, err=True)
    if report["problems"]:
        raise typer.Exit(1)
    typer.echo(f"all {report['rows']} rows of the audit log are intact (head {report['head']})")
    typer.echo(f"they fit {report['heads']} heads that were kept outside, and the accounts, keys and links")


@app.command()
def rebuild() -> None:
    """Bring in jobs and transcripts of which storage knows more than the ledger."""
    from storage.domain.settings import Settings
    from storage.files.file_store import Files
    from storage.maintenance.rebuild import rebuild as run

    ledger = _open()
    if ledger is None:
        found = ask("POST", "rebuild", {})
    else:
        with ledger:
            found = asdict(run(ledger, Files.from_settings(Settings().storage)))
    typer.echo("{jobs} recordings were brought in, {updated} updated".format_map(found), nl=False)
    typer.echo("; {transcripts} transcripts and {users} accounts came with them".format_map(found))
    if found["missing"]:
        typer.echo(f"{found['missing']} recordings are no longer described on storage")
    for name in found["skipped"]:
        typer.echo(f"{name} could not be read and is left out", err=True)
