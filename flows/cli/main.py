"""The command line: `transcriber …`. Every command imports what it needs when it runs, so that --help is at once."""

import sys
from typing import Annotated

import typer

from flows import admin_commands, export_command, model_commands, transcribe_command
from flows.lifeline import die_with_supervisor
from storage.errors import TranscriberError

app = typer.Typer(
    name="transcriber",
    help="Recordings in, exact transcripts and subtitles out, on your own hardware.\n\n"
    "Start everything on this machine with `transcriber up`, or transcribe a file here and now with "
    "`transcriber transcribe FILE`. Settings are TRANSCRIBER_… environment variables or lines of a file .env; "
    "`transcriber doctor` says what is wrong and how to mend it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.command()
def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="Also transcribe the sample recording, print it and where its files are.")
    ] = False,
    exit_after: Annotated[
        bool, typer.Option("--exit", help="With --demo: stop everything after that; status 0 only if it worked.")
    ] = False,
) -> None:
    """Start everything on this machine and watch over it.

    The Prefect server, the web process, one cpu worker and one gpu worker for each device (without a GPU: one on
    the CPU). What dies is started again. Ctrl-C or SIGTERM stops all of it; work in flight goes on at the next `up`.
    Logs are in `logs` inside the data dir.
    """
    from flows.supervisor import up as run
    from storage.settings import Settings

    if exit_after and not demo:
        raise typer.BadParameter("--exit goes with --demo")
    raise typer.Exit(run(Settings(), demo=demo, exit_after=exit_after))


@app.command()
def web() -> None:
    """Serve the app and its APIs in this process, the only one that opens the ledger.

    `transcriber up` does this too; use it where each part is a service of its own. PREFECT_API_URL says where the
    Prefect server is.
    """
    die_with_supervisor()
    # Started by name: the web process never loads an engine, and nothing here may import it.
    from importlib import import_module

    raise typer.Exit(import_module("dashboards.serve").serve())


@app.command()
def worker(
    pool: Annotated[str, typer.Option(help="Work pool: cpu (reads and exports) or gpu (hears).", metavar="cpu|gpu")],
    device: Annotated[
        str | None, typer.Option(help="For the gpu pool: cpu, cuda or cuda:N. Default: the first GPU, else the CPU.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Flow runs at once. Default: by the device and its cores.")
    ] = None,
) -> None:
    """Serve a Prefect work pool from this machine: one warm process, one device.

    Needs PREFECT_API_URL, TRANSCRIBER_WEB_URL and TRANSCRIBER_WORKER_TOKEN where the rest runs elsewhere, and the
    same TRANSCRIBER_STORAGE_URL as all the others.
    """
    alone = not die_with_supervisor()
    if pool not in {"cpu", "gpu"}:
        raise typer.BadParameter("the pools are cpu and gpu", param_hint="--pool")
    from flows.work import work

    work(pool, device=device, limit=limit, alone=alone)


@app.command()
def batch(
    source: Annotated[str, typer.Argument(help="A folder of recordings, one file, or s3://bucket/prefix.")],
    model: Annotated[str, typer.Option(help="Model that hears them; auto is the platform's default.")] = "auto",
    language: Annotated[str | None, typer.Option(help="Language code, such as en. Default: detected.")] = None,
    owner: Annotated[str, typer.Option(help="User whose jobs they become.")] = "admin",
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Also folders inside the folder.")] = False,
) -> None:
    """Send a folder or an S3 prefix of recordings to the running platform, as jobs of the batch lane.

    What was sent before makes no second job: files are recognised by their content, owner and options. Files that
    are no recordings are named and skipped; the exit status is 0 only if every recording was accepted.
    TRANSCRIBER_STORAGE_ENDPOINT_URL names an S3 service other than Amazon's.
    """
    from flows.batch import send_folder

    raise typer.Exit(send_folder(source, model=model, language=language, owner=owner, recursive=recursive))


@app.command()
def doctor() -> None:
    """Say what is wrong here and how to mend it.

    Looks at ports, disk, CUDA libraries, models, workers, clock, the web process and the Prefect server. The exit
    status is 1 if anything needs mending.
    """
    from flows.doctor import examine

    raise typer.Exit(examine())


app.command(name="transcribe")(transcribe_command.transcribe)
app.command(name="export")(export_command.export)
app.add_typer(model_commands.app, name="models")
app.add_typer(admin_commands.app, name="admin")


def main() -> None:
    """Run a command; what is known to go wrong ends in one line and status 1."""
    try:
        app()
    except TranscriberError as error:
        sys.stderr.write(f"transcriber: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
