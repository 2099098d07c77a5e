"""`transcriber admin join-command`: one command with which another machine joins."""

import shlex
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from flows.cli.admin_commands import ask, open_used
from flows.platform.os_user import operator

if TYPE_CHECKING:
    from storage.domain.settings import Settings


def join_command(
    name: Annotated[str, typer.Argument(help="The machine's name; its token is listed and revoked under it.")],
    pool: Annotated[str, typer.Option(help="Work pool of the new worker: cpu or gpu.", metavar="cpu|gpu")] = "gpu",
) -> None:
    """Print one command that starts a worker on another machine, with a new token.

    Run this on the web process's machine. The command contains secrets, and is shown only once. Notes about what the
    other machine needs go to standard error.
    """
    from storage.domain.settings import Settings
    from storage.remote.worker_registry import OWN_VERSION

    if pool not in {"cpu", "gpu"}:
        raise typer.BadParameter("the pools are cpu and gpu", param_hint="--pool")
    variables = variables_of(Settings(), token=_new_token(name))
    for note in notes_on(variables):
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"# needs version {OWN_VERSION} of Whisper Transcriber there: a worker of another version is refused")
    settings = " ".join(f"{key}={shlex.quote(value)}" for key, value in variables.items())
    typer.echo(f"{settings} transcriber worker --pool {pool}")


def _new_token(name: str) -> str:
    from storage.accounts import worker_tokens

    ledger = open_used()
    if ledger is None:
        return str(ask("POST", "worker-tokens", {"name": name})["secret"])
    with ledger:
        secret, _ = ledger.run(worker_tokens.create, name=name, actor=operator())
    return secret


def variables_of(settings: "Settings", *, token: str) -> dict[str, str]:
    """Return what a worker elsewhere has to know of this platform."""
    from flows.platform.prefect_address import CLIENT_AUTH, PrefectAddress, secret_for_others

    prefect = PrefectAddress.from_environment()
    found = {
        "TRANSCRIBER_WEB_URL": settings.web.base_url,
        "TRANSCRIBER_WORKER_TOKEN": token,
        "TRANSCRIBER_STORAGE_URL": settings.storage.root_url,
        "TRANSCRIBER_STORAGE_ENDPOINT_URL": settings.storage.storage_endpoint_url,
        "PREFECT_API_URL": prefect.api_url,
        CLIENT_AUTH: secret_for_others(settings, prefect),
    }
    return {key: value for key, value in found.items() if value}


def notes_on(variables: dict[str, str]) -> list[str]:
    """Return what the other machine cannot reach, or needs besides."""
    from flows.platform.prefect_address import LOOPBACK

    found = []
    for key, here in (
        ("TRANSCRIBER_WEB_URL", "set TRANSCRIBER_HOST and TRANSCRIBER_WEB_URL here"),
        ("PREFECT_API_URL", "set PREFECT_SERVER_API_HOST here"),
    ):
        if urlsplit(variables[key]).hostname in LOOPBACK:
            found.append(
                f"{key} is an address of this machine alone; {here}, or put this machine's name in the command"
            )
    root = variables["TRANSCRIBER_STORAGE_URL"]
    if "://" not in root:
        found.append(f"the other machine has to mount the folder {root} under the same path")
    else:
        found.append("the other machine needs the same AWS_… variables for its storage")
    return found
