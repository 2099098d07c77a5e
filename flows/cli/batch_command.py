"""`transcriber batch`: make jobs of many files, write their results, and schedule that."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Annotated, Any, NoReturn

import typer

from flows.cli import file_modes
from flows.cli.headerless_options import ChannelsOption, FormatOption, RateOption, headerless_of

SourceArgument = Annotated[
    str,
    typer.Argument(
        help="A folder, a file, s3://bucket/prefix or another fsspec address, https://host/index/, or a manifest "
        "(.csv, .jsonl) with a row for each file."
    ),
]
DestOption = Annotated[
    str | None,
    typer.Option(help="Where to write results: a folder, an address such as s3://bucket/out, or `beside` the sources."),
]
TemplateOption = Annotated[
    str | None,
    typer.Option(
        help="Names of results, with {path} {dir} {stem} {name} {ext} {format} {language} {model} {job} {meta_…}. "
        "Default: {path}.{format}, and {stem}.{format} beside the sources."
    ),
]
RejectsOption = Annotated[
    str | None,
    typer.Option(help="JSONL file for rejected files and their reasons; with a slash at the end, a folder for them."),
]
ScheduleOption = Annotated[
    str | None,
    typer.Option(
        metavar="CRON",
        help="Let the deployment ingest-batch do this on a schedule, in UTC, such as '17 3 * * *'; `off` ends it.",
    ),
]
MOST_LINES = 200
"""Rejected files that are named on the terminal."""


def batch(  # noqa: PLR0917 - a command's options are its parameters
    source: SourceArgument,
    model: Annotated[str, typer.Option(help="Model to transcribe with; auto is the platform's default.")] = "auto",
    language: Annotated[str | None, typer.Option(help="Language code, such as en. Default: detected.")] = None,
    task: Annotated[str, typer.Option(help="transcribe, or translate into English.")] = "transcribe",
    prompt: Annotated[str | None, typer.Option(help="Words that the recordings are about.")] = None,
    tags: Annotated[str | None, typer.Option(help="Tags of the recordings, with commas between them.")] = None,
    owner: Annotated[str, typer.Option(help="User who will own the jobs.")] = "admin",
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help="Include subfolders.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Retry what failed, and transcribe what was deleted.")] = False,
    dest: DestOption = None,
    template: TemplateOption = None,
    formats: Annotated[str, typer.Option("--formats", "-f", help="Results to write.")] = "srt,vtt,txt,json",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over other files at the target.")] = False,
    rejects: RejectsOption = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="With --dest: wait for all results, or write those that are ready.")
    ] = True,
    watch: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="Look for new files again and again, until Ctrl-C.")
    ] = None,
    schedule: ScheduleOption = None,
    input_format: FormatOption = None,
    rate: RateOption = None,
    input_channels: ChannelsOption = None,
) -> None:
    """Upload many recordings to the running platform, in the batch lane.

    Repeating the command creates no second job: files are recognised by their content, owner and options, and what is
    known is not read again. Files that are not recordings and those that were deleted before are listed and skipped,
    and files that others are still writing come last. A killed batch is continued by repeating it.

    The exit status is 0 if every recording is accepted or known, 1 if one was refused, is still being written, was not
    sent or its results could not be written, and 3 if one has failed. TRANSCRIBER_STORAGE_ENDPOINT_URL is the
    address of an S3 service other than Amazon's; TRANSCRIBER_OUTGOING_ALLOWED lists hosts that are not public.
    """
    from storage.domain.errors import BadRequest

    chosen: dict[str, Any] = {
        "model": model,
        "language": language,
        "task": task,
        "prompt": prompt,
        "tags": tags,
        "owner": owner,
    }
    chosen |= {"recursive": recursive, "again": again, "dest": dest, "template": template, "overwrite": overwrite}
    chosen |= {"formats": [each.strip() for each in formats.split(",") if each.strip()], "rejects": rejects}
    if schedule is not None:
        from flows.batch.batch_schedules import set_schedule

        if input_format or rate or input_channels or watch:
            raise BadRequest("--schedule", "it goes with neither --watch nor --input-format; leave them out")
        typer.echo(set_schedule(schedule, source=source, **chosen))
        return
    headerless = headerless_of(input_format, rate, input_channels)
    send = partial(_send, source, headerless=headerless, wait=wait, **chosen)
    if watch is not None:
        watch_source(send, watch)
    raise typer.Exit(send())


def watch_source(send: Callable[[], int], every_s: float) -> NoReturn:
    """Send until Ctrl-C; what is empty or away is looked at again later."""
    import time

    from storage.domain.errors import BadRequest, HostUnreachable, LedgerUnreachable, NoFiles, StorageUnreachable

    was_there = False
    try:
        while True:
            try:
                send()
                was_there = True
            except (BadRequest, HostUnreachable, LedgerUnreachable, StorageUnreachable) as error:
                was_there = was_there or isinstance(error, NoFiles)
                if isinstance(error, BadRequest) and not was_there:
                    raise
                typer.echo(f"transcriber: {error}; looking again in {every_s:g} s", err=True)
            time.sleep(every_s)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def _send(source: str, *, headerless: Any, wait: bool, **chosen: Any) -> int:
    """Run a batch with a progress bar; return the exit status."""
    from dataclasses import replace

    from rich import progress

    from flows.batch.batch_parameters import ordered
    from flows.batch.batch_run import BatchRun
    from flows.platform.os_user import operator
    from storage.domain.batch_outcomes import Outcome, printable
    from storage.domain.settings import Settings

    settings = Settings()
    plan, options = ordered(source, actor=operator(), headerless=headerless, wait=wait, **chosen)
    plan = replace(plan, umask=file_modes.users_umask())
    with BatchRun(settings, plan, options) as run:
        columns = (progress.TextColumn("{task.description}", markup=False), progress.BarColumn())
        times = (progress.MofNCompleteColumn(), progress.TimeElapsedColumn(), progress.TimeRemainingColumn())
        try:
            with progress.Progress(*columns, *times) as bars:
                bar, waiting = bars.add_task("sending", total=None), bars.add_task("transcribing", visible=False)

                def show(outcome: Outcome) -> None:
                    shown = printable(outcome.name).rsplit("/", 1)[-1][:40]
                    bars.update(bar, advance=1, total=run.expected_total, description=shown)

                def show_followed(ended: int, left: int) -> None:
                    bars.update(waiting, completed=ended, total=ended + left, visible=True)

                run.run(show, show_followed)
        finally:
            if run.total:
                for line in lines_of(run.table.rejected()):
                    typer.echo(line, err=True)
                typer.echo(f"{run.summary}; follow them at {settings.web.base_url}")
        return run.exit_status


def lines_of(rejected: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield the lines of rejected files, and how many more there are."""
    lines = filter(None, (line_of(row) for rows in rejected for row in rows))
    yield from islice(lines, MOST_LINES)
    if more := sum(1 for _ in lines):
        yield f"… and {more:,} more; --rejects FILE.jsonl lists all"


def line_of(row: Any) -> str:
    """Return the line of a rejected file; duplicates have none."""
    from storage.domain.batch_outcomes import BatchOutcome, Outcome

    became = BatchOutcome(row.became)
    return Outcome(name=row.name, became=became, reason=row.reason).line if became.spec.is_named else ""
