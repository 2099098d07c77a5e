"""The command line `transcriber …`; commands import what they need when they run.

That keeps `--help` fast.
"""

import sys
from typing import Annotated

import typer

from flows.cli import (
    admin_commands,
    backup_commands,
    batch_command,
    campaign_commands,
    dataset_commands,
    export_command,
    file_modes,
    import_command,
    job_commands,
    model_commands,
    platform_commands,
    retention_commands,
    transcribe_command,
)
from storage.domain.errors import TranscriberError

app = typer.Typer(
    name="transcriber",
    help="Turn recordings into accurate transcripts and subtitles, on your own hardware.\n\n"
    "Start everything on this machine with `transcriber up`, or transcribe a single file with "
    "`transcriber transcribe FILE`. Settings are TRANSCRIBER_… environment variables or lines of a file .env; "
    "`transcriber doctor` finds problems and says how to fix them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"transcriber {version('whisper-transcriber')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that come before a command."""


@app.command()
def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="Also transcribe the sample recording; print its text and file paths.")
    ] = False,
    exit_after: Annotated[
        bool, typer.Option("--exit", help="With --demo: stop everything after that; status 0 only if it worked.")
    ] = False,
) -> None:
    """Start everything on this machine and watch over it.

    Starts the Prefect server, the web process, one cpu worker and one gpu worker for each device (without a GPU: one on
    the CPU). A process that dies is started again. Ctrl-C or SIGTERM stops everything; work in progress continues at
    the next `up`. Logs are in `logs` inside the data dir.
    """
    from flows.platform.supervisor import up as run
    from storage.domain.settings import Settings

    if exit_after and not demo:
        raise typer.BadParameter("--exit goes with --demo")
    raise typer.Exit(run(Settings(), demo=demo, exit_after=exit_after))


@app.command()
def web() -> None:
    """Serve the app and its APIs in this process, which owns the ledger.

    `transcriber up` does this too; use this command where each part is a service of its own. PREFECT_API_URL is the
    address of the Prefect server.
    """
    from flows.cli.service_commands import serve_web

    raise typer.Exit(serve_web())


@app.command()
def worker(
    pool: Annotated[
        str, typer.Option(help="Work pool: cpu (decodes and exports) or gpu (transcribes).", metavar="cpu|gpu")
    ],
    device: Annotated[
        str | None, typer.Option(help="For the gpu pool: cpu, cuda or cuda:N. Default: the first GPU, else the CPU.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Flow runs at once. Default: by the device and its cores.")
    ] = None,
) -> None:
    """Serve a Prefect work pool from this machine: one warm process, one device.

    Needs PREFECT_API_URL, PREFECT_API_AUTH_STRING, TRANSCRIBER_WEB_URL and TRANSCRIBER_WORKER_TOKEN if the rest runs
    elsewhere, and the same TRANSCRIBER_STORAGE_URL as all other processes.
    """
    if pool not in {"cpu", "gpu"}:
        raise typer.BadParameter("the pools are cpu and gpu", param_hint="--pool")
    from flows.cli.service_commands import serve_pool

    serve_pool(pool, device=device, limit=limit)


@app.command()
def doctor() -> None:
    """Find problems with this installation, and say how to fix them.

    Checks ports, disk, CUDA libraries, models, workers, clock, the web process and the Prefect server. The exit status
    is 1 if there is a problem.
    """
    from flows.cli.doctor import examine
    from flows.platform.prefect_address import know_secret
    from storage.domain.settings import Settings

    know_secret(Settings())
    raise typer.Exit(examine())


app.command(name="batch")(batch_command.batch)
app.command(name="transcribe")(transcribe_command.transcribe)
app.command(name="export")(export_command.export)
app.command(name="export-dataset")(dataset_commands.export_dataset)
app.add_typer(model_commands.app, name="models")
platform_commands.add_to(admin_commands.app)
backup_commands.add_to(admin_commands.app)
import_command.add_to(admin_commands.app)
admin_commands.app.add_typer(retention_commands.app, name="retention")
app.add_typer(admin_commands.app, name="admin")
app.add_typer(job_commands.app, name="jobs")
app.add_typer(campaign_commands.app, name="campaign")


def main() -> None:
    """Run a command; a known error is printed as one line with status 1."""
    file_modes.keep_private()
    try:
        app()
    except TranscriberError as error:
        sys.stderr.write(f"transcriber: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
