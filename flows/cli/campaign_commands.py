"""`transcriber campaign`: transcribe an archive again, compare, and accept or keep."""

import json
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from flows.platform.os_user import operator

app = typer.Typer(
    no_args_is_help=True,
    help="Transcribe an archive again, compare old and new, and accept or keep.\n\nNeeds a running platform. Plan a "
    "campaign, start it, look at the differences, and decide; docs/campaigns.md says more.",
)
MOST_AT_ONCE = 200
Id = Annotated[str, typer.Argument(help="The campaign's id, as `transcriber campaign list` has it.")]
Numbers = Annotated[list[int] | None, typer.Argument(help="Recordings of the campaign, by number; or give a rule.")]
Model = Annotated[str | None, typer.Option(help="Model to transcribe with.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="Another option that differs, such as beam_size=8."),
]
Of = Annotated[str | None, typer.Option(help="Only recordings with this tag.")]
Named = Annotated[str | None, typer.Option(help="Only recordings with this in their name.")]
By = Annotated[str | None, typer.Option(help="Only recordings that this model transcribed.")]
In = Annotated[str | None, typer.Option(help="Only recordings in this language.")]
Batch = Annotated[str | None, typer.Option(help="Only recordings of this batch.")]
Doubtful = Annotated[float | None, typer.Option(help="Only where the mean probability of segments is below this.")]
Since = Annotated[datetime | None, typer.Option(help="Only recordings accepted at this time (UTC) or later.")]
Until = Annotated[datetime | None, typer.Option(help="Only recordings accepted before this time (UTC).")]
Below = Annotated[float | None, typer.Option(help="Proposals that changed by less than this share of the words.")]
From = Annotated[float | None, typer.Option(help="Proposals that changed by at least this share of the words.")]
Rose = Annotated[bool, typer.Option("--confidence-rose", help="Proposals whose confidence rose.")]
All = Annotated[bool, typer.Option("--all", help="All undecided proposals.")]


@app.command(name="list")
def list_campaigns() -> None:
    """List campaigns, newest first: id, state, recordings by state, name."""
    for one in _ask("GET", "", limit=50)["campaigns"]:
        counts = one["counts"]
        typer.echo(f"{one['id']}  {one['state']:<9}  {_said(counts)}  {one['name']}")


@app.command()
def estimate(  # noqa: PLR0917 - a command's options are its parameters
    model: Model = None,
    option: Changes = None,
    tag: Of = None,
    text: Named = None,
    by_model: By = None,
    language: In = None,
    batch: Batch = None,
    confidence_below: Doubtful = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """Say how many recordings fit, and what transcribing them again takes; nothing changes."""
    asked = {"tag": tag, "text": text, "model": by_model, "language": language, "batch_id": batch}
    order = _order(model, option, asked, confidence_below=confidence_below, since=since, until=until)
    told = _ask("POST", "/estimate", order)
    typer.echo(f"{told['recordings']} recordings, {told['audio_hours']:.2f} hours of audio")
    if told["device_hours"] is None:
        typer.echo("the model's speed is not known here yet; the first recordings will tell")
    else:
        through = "" if told["hours"] is None else f", {told['hours']:.2f} hours with all devices"
        typer.echo(f"{told['device_hours']:.2f} device-hours{through}")


@app.command()
def plan(  # noqa: PLR0917 - a command's options are its parameters
    name: Annotated[str, typer.Argument(help="What the campaign is called.")],
    model: Model = None,
    option: Changes = None,
    tag: Of = None,
    text: Named = None,
    by_model: By = None,
    language: In = None,
    batch: Batch = None,
    confidence_below: Doubtful = None,
    since: Since = None,
    until: Until = None,
    device_hours: Annotated[float | None, typer.Option(help="Begin nothing more once this is used up.")] = None,
    hours: Annotated[str | None, typer.Option(metavar="FROM-UNTIL", help="Hours of the day, such as 22-6.")] = None,
    time_zone: Annotated[str, typer.Option(help="Of the hours, such as Europe/Berlin.")] = "UTC",
    begin: Annotated[bool, typer.Option("--start", help="Start it at once.")] = False,
) -> None:
    """Plan a campaign and print its id; its recordings are fixed then."""
    asked = {"tag": tag, "text": text, "model": by_model, "language": language, "batch_id": batch}
    order = _order(model, option, asked, confidence_below=confidence_below, since=since, until=until)
    budget = {"device_hours": device_hours, "time_zone": time_zone, **_hours(hours)}
    made = _ask("POST", "", order | {"name": name, "budget": budget})
    if begin:
        made = _ask("POST", f"/{made['id']}/start", {})
    typer.echo(made["id"])
    typer.echo(f"{made['recordings']} recordings, {made['audio_hours']:.2f} hours of audio; {made['state']}", err=True)


@app.command()
def start(campaign: Id) -> None:
    """Start a campaign, or resume a paused one."""
    _show(_ask("POST", f"/{campaign}/start", {}))


@app.command()
def pause(campaign: Id) -> None:
    """Begin no more recordings; those under way go on."""
    _show(_ask("POST", f"/{campaign}/pause", {}))


@app.command()
def cancel(campaign: Id) -> None:
    """Cancel what has not ended; proposals stay, and can still be decided on."""
    _show(_ask("POST", f"/{campaign}/cancel", {}))


@app.command()
def status(campaign: Id) -> None:
    """Show how far a campaign is."""
    _show(_ask("GET", f"/{campaign}"))


@app.command()
def diff(
    campaign: Id,
    number: Annotated[int | None, typer.Argument(help="A recording, by number: show its words that differ.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_AT_ONCE, help="Recordings to list.")] = 50,
) -> None:
    """List undecided proposals, the largest change first; or the words that differ in one recording."""
    if number is not None:
        for one in _ask("GET", f"/{campaign}/items/{number}/changes"):
            typer.echo(f"{one['start_s']:9.2f}  {one['before'] or '∅'} → {one['after'] or '∅'}")
        return
    told = _ask("GET", f"/{campaign}/items", limit=limit, state="proposed")
    for one in told["items"]:
        change = "" if one["change"] is None else f"{100 * one['change']:.1f}%"
        corrected = " (corrected by a person: never replaced)" if one["corrected"] else ""
        typer.echo(f"{one['number']:6}  {change:>7}  {one['job_id']}  {one['name']}{corrected}")


def _add_decision(verb: str, about: str) -> None:
    """Add a command that decides on proposals, by number or by rule."""

    @app.command(name=verb, help=about)
    def decide(  # noqa: PLR0917 - a command's options are its parameters
        campaign: Id,
        numbers: Numbers = None,
        change_below: Below = None,
        change_from: From = None,
        confidence_rose: Rose = False,
        language: In = None,
        everything: All = False,
    ) -> None:
        rule = _rule(change_below, change_from, confidence_rose, language, numbers=numbers, everything=everything)
        _decide(campaign, verb, numbers, rule)


_add_decision("accept", "Make new transcripts the current ones; what a person corrected is never replaced.")
_add_decision("keep", "Keep old transcripts.")


@app.command(name="roll-back")
def roll_back(campaign: Id, numbers: Numbers = None, everything: All = False) -> None:
    """Make the old transcripts of accepted proposals current again, unless somebody changed them since."""
    _rule(None, None, False, None, numbers=numbers, everything=everything)
    _decide(campaign, "roll-back", numbers, {})


def _decide(campaign: str, verb: str, numbers: list[int] | None, rule: dict[str, Any]) -> None:
    for number in numbers or ():
        done = _ask("POST", f"/{campaign}/items/{number}/{verb}", {})
        typer.echo(f"{number} ({done['name']}) is {done['state'].replace('_', ' ')}")
    if not numbers:
        count = _ask("POST", f"/{campaign}/{verb}", rule)["recordings"]
        typer.echo(f"{count} recordings; `transcriber campaign status {campaign}` follows them")


def _rule(
    below: float | None,
    at_least: float | None,
    rose: bool,
    language: str | None,
    *,
    numbers: list[int] | None,
    everything: bool,
) -> dict[str, Any]:
    """Return a rule as the API has it.

    Raises:
        BadRequest: nothing says which recordings, or two things do.
    """
    from storage.domain.errors import BadRequest

    rule = {"change_below": below, "change_from": at_least, "confidence_rose": rose or None, "language": language}
    given = {name: value for name, value in rule.items() if value is not None}
    if [bool(numbers), bool(given), everything].count(True) != 1:
        raise BadRequest("NUMBER", "give numbers of recordings, or a rule such as --change-below 0.1, or --all")
    return given


def _order(
    model: str | None,
    changes: list[str] | None,
    wanted: dict[str, Any],
    *,
    since: datetime | None,
    until: datetime | None,
    confidence_below: float | None,
) -> dict[str, Any]:
    """Return recordings and options as the API has them."""
    wanted |= {name: f"{at.isoformat()}Z" for name, at in (("since", since), ("until", until)) if at}
    wanted |= {"confidence_below": confidence_below}
    options = ({"model": model} if model else {}) | dict(map(_change, changes or ()))
    return {"selection": {name: value for name, value in wanted.items() if value is not None}, "options": options}


def _change(text: str) -> tuple[str, Any]:
    """Return an option and its value, which may be JSON."""
    from storage.domain.errors import BadRequest

    name, sign, value = text.partition("=")
    if not sign:
        raise BadRequest("--option", f"{text} has no value; write it as beam_size=8")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value


def _hours(text: str | None) -> dict[str, int]:
    from storage.domain.errors import BadRequest

    if text is None:
        return {}
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal()):
        raise BadRequest("--hours", "write the hours of the day as 22-6")
    return {"from_hour": int(first), "until_hour": int(last)}


def _show(one: dict[str, Any]) -> None:
    typer.echo(f"{one['name']}: {one['state']}, {one['recordings']} recordings: {_said(one['counts'])}")
    if one["deciding"]:
        typer.echo(f"{one['deciding']} decisions of a rule are still to be carried out")
    left = "" if one["device_hours_left"] is None else f", about {_time(one['device_hours_left'])} left"
    typer.echo(f"{_time(one['device_hours_used'])} device-hours used{left}")
    if one["out_of_budget"]:
        typer.echo("what is left of its budget is not enough for the next recording; nothing more is begun")


def _time(hours: float) -> str:
    return f"{hours:.2f}" if hours >= 0.1 or not hours else f"{hours:.4f}"


def _said(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.items() if count)


def _ask(method: str, path: str, order: dict[str, Any] | None = None, **query: Any) -> Any:
    """Send a request about campaigns to the web process."""
    from storage.domain.settings import Settings
    from storage.remote.service_tokens import operator_token
    from storage.remote.web_client import WebClient

    settings, asked = Settings(), urlencode(query | {"actor": operator()})
    with WebClient(settings.web.base_url, operator_token(settings), patience_s=15) as client:
        return json.loads(client.call(method, f"/internal/v1/admin/campaigns{path}?{asked}", order))
