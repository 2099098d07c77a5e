"""`transcriber models`: lists, downloads and removes models."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="List, fetch and remove the models on this machine.")


@app.command(name="list")
def list_models() -> None:
    """Show the installed models and those that can be downloaded, best first."""
    from rich.console import Console
    from rich.table import Table

    from storage.domain.model_names import translates
    from storage.domain.settings import Settings
    from tasks.models import catalogue
    from tasks.models.packaged_models import PACKAGED

    settings = Settings()
    installed = {model.name: model for model in catalogue.installed(settings.model_dir)}
    for name, problem in catalogue.incomplete(settings.model_dir).items():
        Console(stderr=True).print(f"[yellow]the folder {name} is incomplete and not used: {problem}; copy it again[/]")
    table = Table("model", "languages", "size", "comes from", "on this machine", "fingerprint")
    names = [
        *installed,
        *(name for name in sorted(catalogue.CATALOGUE, key=_rank, reverse=True) if name not in installed),
    ]
    for name in names:
        listed, model = catalogue.CATALOGUE.get(name), installed.get(name)
        size_bytes = model.bytes if model else listed.bytes if listed else 0
        languages = listed.languages if listed else ""
        where = str(model.path) if model else "-"
        if (model is None or catalogue.is_multilingual(model.path)) and translates(name):
            languages += ", translates into English"
        source = "" if listed is None else "hub, package index" if name in PACKAGED else "hub"
        table.add_row(name, languages, f"{size_bytes / 1e6:,.0f} MB", source, where, model.fingerprint if model else "")
    Console().print(table)


def _rank(name: str) -> int:
    from tasks.models.catalogue import CATALOGUE

    return CATALOGUE[name].rank


@app.command()
def fetch(name: Annotated[str, typer.Argument(help="A model that `transcriber models list` shows.")]) -> None:
    """Download a model from the hub (TRANSCRIBER_HUB_URL), or else from pip's package index."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from storage.domain.settings import Settings
    from tasks.models import model_sources

    settings = Settings()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns) as bars:
        bar = bars.add_task(name, total=None)
        model = model_sources.fetch(
            name,
            settings.model_dir,
            settings.engine.hub_url,
            lambda _, here, total: bars.update(bar, completed=here, total=total or None),
        )
    typer.echo(f"{model.name} is at {model.path} (fingerprint {model.fingerprint})")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="A model that is on this machine.")]) -> None:
    """Delete a model from the models folder."""
    from storage.domain.settings import Settings
    from tasks.models import catalogue

    catalogue.remove(name, Settings().model_dir)
    typer.echo(f"{name} was removed")
