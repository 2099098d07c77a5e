"""`transcriber models`: what can hear here, and what each source offers."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="List, fetch and remove the models on this machine.")


@app.command(name="list")
def list_models() -> None:
    """Show the models that are here and those that can be fetched, best first."""
    from rich.console import Console
    from rich.table import Table

    from storage.abilities import translates
    from storage.settings import Settings
    from tasks import models
    from tasks.packaged_models import PACKAGED

    settings = Settings()
    carried = models.demo()
    here = {model.name: model for model in [*models.installed(settings.model_dir), *([carried] if carried else [])]}
    for name, lacking in models.incomplete(settings.model_dir).items():
        Console(stderr=True).print(f"[yellow]the folder {name} is not whole and not used: {lacking}; copy it again[/]")
    table = Table("model", "languages", "size", "comes from", "on this machine", "fingerprint")
    names = [*here, *(name for name in sorted(models.CATALOGUE, key=_rank, reverse=True) if name not in here)]
    for name in names:
        listed, found = models.CATALOGUE.get(name), here.get(name)
        size_bytes = found.bytes if found else listed.bytes if listed else 0
        languages = listed.languages if listed else "a few words of English" if name == models.DEMO else ""
        where = str(found.path) if found else "-"
        if (found is None or models.is_multilingual(found.path)) and translates(name):
            languages += ", translates into English"
        source = "" if listed is None else "hub, package index" if name in PACKAGED else "hub"
        table.add_row(name, languages, f"{size_bytes / 1e6:,.0f} MB", source, where, found.fingerprint if found else "")
    Console().print(table)


def _rank(name: str) -> int:
    from tasks.models import CATALOGUE

    return CATALOGUE[name].rank


@app.command()
def fetch(name: Annotated[str, typer.Argument(help="A model that `transcriber models list` shows.")]) -> None:
    """Fetch a model from the hub (TRANSCRIBER_HUB_URL), or where that fails from the package index that pip uses."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from storage.settings import Settings
    from tasks import sources

    settings = Settings()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns) as bars:
        bar = bars.add_task(name, total=None)
        got = sources.fetch(
            name,
            settings.model_dir,
            settings.engine.hub_url,
            lambda _, here, total: bars.update(bar, completed=here, total=total or None),
        )
    typer.echo(f"{got.name} is at {got.path} (fingerprint {got.fingerprint})")


@app.command()
def remove(name: Annotated[str, typer.Argument(help="A model that is on this machine.")]) -> None:
    """Delete a model from the models folder."""
    from storage.settings import Settings
    from tasks import models

    models.remove(name, Settings().model_dir)
    typer.echo(f"{name} is gone")
