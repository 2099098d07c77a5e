"""`transcriber export-dataset`: what the ledger knows, as partitioned Parquet."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.admin_commands import ask, open_used
from flows.platform.os_user import operator

if TYPE_CHECKING:
    from storage.ledger.database import Ledger

LOOK_EVERY_S = 0.3


def export_dataset(
    to: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A folder, or s3://bucket/prefix. Default: TRANSCRIBER_DATASETS_URL."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Write everything again, not only what changed.")] = False,
) -> None:
    """Export recordings, texts, usage and the audit log as Parquet, a file a month.

    Works with a running platform, and without one. Only months that changed since the last export to the same place are
    written. docs/datasets.md has the columns.
    """
    url = str(Path(to).absolute()) if to and "://" not in to else to
    ledger = open_used()
    if ledger is None:
        told = _follow({"full": full} | ({"to": url} if url else {}))
    else:
        with ledger:
            told = _export_here(ledger, url, full=full)
    rows = sum(one["rows"] for one in told["written"])
    typer.echo(
        f"{len(told['written'])} partitions with {rows:,} rows are written and {len(told['deleted'])} deleted in "
        f"{told['took_s']:.1f} s, in {told['url']}"
    )


def _follow(order: dict[str, Any]) -> dict[str, Any]:
    """Let the web process export, and wait for its end."""
    runs = ask("POST", "datasets", order)["runs"]
    while (told := ask("GET", "datasets"))["running"]:
        time.sleep(LOOK_EVERY_S)
    if told["error"] or told["runs"] <= runs:
        typer.echo(f"transcriber: {told['error'] or 'the web process was started again meanwhile'}", err=True)
        raise typer.Exit(1)
    return told


def _export_here(ledger: "Ledger", url: str | None, *, full: bool) -> dict[str, Any]:
    from storage.datasets import dataset_export
    from storage.datasets.dataset_place import DatasetPlace
    from storage.domain.settings import Settings

    settings = Settings()
    place = DatasetPlace.at(url, settings) if url else DatasetPlace.from_settings(settings)
    cost = settings.datasets.device_hour_cost
    done = dataset_export.export(ledger, place, actor=operator(), full=full, device_hour_cost=cost)
    return {
        "written": [{"partition": one.name, "rows": one.rows} for one in done.written],
        "deleted": done.deleted,
        "took_s": done.took_s,
        "url": done.url,
    }
