"""`transcriber doctor`: looks at everything that has to be right, and says of what is not how to mend it."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import httpx

from flows import ports
from flows.supervisor import PrefectPlace
from storage.errors import ModelMissing, TranscriberError
from storage.settings import Settings
from tasks.choice import resolve

GIB = 2**30
LITTLE_BYTES, VERY_LITTLE_BYTES = 10 * GIB, 1 * GIB
CLOCK_OFF_S = 30.0
INDEX_PATIENCE_S = 20.0
MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "problem": "[red]problem[/]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was looked at, how it is, and what to do about it; `problem` makes the exit status 1."""

    what: str
    state: Literal["ok", "note", "problem"]
    found: str
    mend: str = ""


def examine(settings: Settings | None = None) -> int:
    """Look at everything, print a table, and return the exit status."""
    from rich.console import Console
    from rich.table import Table

    checks = list(check_all(settings or Settings()))
    table = Table("what", "", "found", "how to mend it")
    for check in checks:
        table.add_row(check.what, MARKS[check.state], check.found, check.mend)
    Console().print(table)
    return 1 if any(check.state == "problem" for check in checks) else 0


def check_all(settings: Settings) -> Iterator[Check]:
    """Yield every check in the order of the table; one that breaks is a finding, not an end."""
    looks: tuple[Callable[[Settings], Iterator[Check]], ...] = (
        check_disk,
        check_storage,
        check_devices,
        check_models,
        check_speakers,
        check_web,
        check_workers,
        check_prefect,
    )
    for look in looks:
        try:
            yield from look(settings)
        except (TranscriberError, OSError, httpx.HTTPError, ValueError) as error:
            yield Check(what=look.__name__.removeprefix("check_"), state="problem", found=str(error))


def check_disk(settings: Settings) -> Iterator[Check]:
    """Is there room, and may we write?"""
    folder = settings.storage.data_dir.absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    state: Literal["ok", "note", "problem"] = "ok"
    if free < LITTLE_BYTES:
        state = "problem" if free < VERY_LITTLE_BYTES else "note"
    mend = "free some space, or set TRANSCRIBER_DATA_DIR to a larger disk" if state != "ok" else ""
    yield Check(what="disk", state=state, found=f"{free / GIB:.1f} GiB free at {folder}", mend=mend)


def check_storage(settings: Settings) -> Iterator[Check]:
    """Does the storage root take and give back an object?"""
    from storage.files import Files

    files, name = Files.from_settings(settings.storage), "doctor/probe"
    try:
        files.write(name, b"probe")
        whole = files.read(name) == b"probe"
        files.delete(name)
    except TranscriberError as error:
        yield Check(what="storage", state="problem", found=str(error), mend="see TRANSCRIBER_STORAGE_URL")
        return
    found = f"{files.url} takes and gives" if whole else f"{files.url} gave back other bytes"
    yield Check(what="storage", state="ok" if whole else "problem", found=found)


def check_devices(settings: Settings) -> Iterator[Check]:
    """Which devices will hear, and are the CUDA libraries found where there is a GPU?"""
    from tasks.devices import cuda_count, devices, plan_device

    gpus = shutil.which("nvidia-smi") is not None
    try:
        for device in devices(settings.engine):
            plan = plan_device(settings.engine, device)
            threads = f"{plan.cpu_threads} thread{'s' if plan.cpu_threads > 1 else ''} each"
            found = (
                f"{plan.num_workers} spans at once, {threads}, {plan.batch_size} windows together, {plan.compute_type}"
            )
            yield Check(what=f"device {device}", state="ok", found=f"{_machine(device)}: {found}")
    except TranscriberError as error:
        yield Check(what="device", state="problem", found=str(error), mend="see TRANSCRIBER_DEVICE")
    if gpus and not cuda_count():
        yield Check(
            what="CUDA",
            state="problem",
            found="there is an NVIDIA driver, but the engine sees no GPU",
            mend="install the libraries with `uv sync --extra gpu`; see TRANSCRIBER_DEVICE=cpu to do without",
        )


def _machine(device: str) -> str:
    """Return what the choice of workers and batches goes by."""
    from tasks.devices import gpu_at
    from tasks.limits import cores, memory_bytes

    if device == "cpu":
        return f"{cores()} cores, {memory_bytes() / GIB:.1f} GiB"
    gpu = gpu_at(int(device.partition(":")[2]))
    capability = ".".join(map(str, gpu.capability)) if gpu.capability else "not told"
    return f"{gpu.memory_bytes / GIB:.1f} GiB, compute capability {capability}"


def check_models(settings: Settings) -> Iterator[Check]:
    """Is there a model, and may another be fetched?"""
    from tasks import models
    from tasks.packaged_models import PACKAGED

    for name, lacking in models.incomplete(settings.model_dir).items():
        found = f"the folder {settings.model_dir / name} is not whole and not used: {lacking}"
        yield Check(
            what="model", state="note", found=found, mend=f"copy it again, or `transcriber models fetch {name}`"
        )
    away = _sources_away(settings)
    wanted = settings.engine.model
    try:
        resolved = resolve(wanted, settings=settings.engine, model_dir=settings.model_dir, may_fetch=False)
    except TranscriberError as error:
        index_has_it = wanted == models.AUTO or wanted in PACKAGED
        if away["model hub"] is None or (index_has_it and away["package index"] is None):
            yield Check(what="model", state="note", found=f"{wanted} will be fetched when it is first needed")
        else:
            yield Check(what="model", state="problem", found=str(error), mend="copy a model into the models folder")
    else:
        state: Literal["ok", "note"] = "note" if resolved.warning else "ok"
        found = f"{resolved.name} ({resolved.fingerprint}) at {resolved.path}"
        yield Check(what="model", state=state, found=found, mend=resolved.warning or "")
    for source, why in away.items():
        mend = "nothing, unless a model is to be fetched from there" if why else ""
        yield Check(what=source, state="note" if why else "ok", found=why or "answers", mend=mend)


def _sources_away(settings: Settings) -> dict[str, str | None]:
    """Ask each source of models; return why nothing can be fetched from it, or None where that can be."""
    from tasks import hub, models, package_index
    from tasks.packaged_models import PACKAGED

    away: dict[str, str | None] = {"model hub": None}
    try:
        hub.probe(settings.engine.hub_url)
    except ModelMissing as error:
        away["model hub"] = error.reason
    package, _ = PACKAGED[models.FROM_INDEX_BY_DEFAULT][0].parts[0]
    away["package index"] = package_index.silent(package.pin, patience_s=INDEX_PATIENCE_S)
    return away


def check_speakers(settings: Settings) -> Iterator[Check]:
    """Can speakers be told apart here? Nobody needs to."""
    from tasks import speaker_models
    from tasks.speakers import LocalDiarizer

    if (missing := LocalDiarizer.by_settings(settings).missing()) is not None:
        yield Check(what="speakers", state="ok", found=f"not told apart: {missing}")
    elif speaker_models.here(settings.model_dir):
        yield Check(what="speakers", state="ok", found=f"told apart, models in {settings.model_dir}")
    else:
        found = "told apart; the two models are fetched from the package index when they are first needed"
        yield Check(what="speakers", state="ok", found=found)


def _get(url: str, **kwargs: Any) -> httpx.Response | None:
    try:
        return httpx.get(url, timeout=5, trust_env=False, **kwargs)
    except httpx.HTTPError:
        return None


def check_web(settings: Settings) -> Iterator[Check]:
    """Does the web process answer, is its clock ours, and if it is not there: is its port free?"""
    url = settings.web.base_url
    asked = time.time()
    answer = _get(f"{url}/readyz")
    if answer is None:
        holder = None if ports.is_free(settings.web.host, settings.web.port) else ports.holder_of(settings.web.port)
        taken = holder is not None
        yield Check(
            what="web process",
            state="problem",
            found=f"nobody answers at {url}" + (f"; the port is taken by {holder}" if taken else ""),
            mend="stop that, or set TRANSCRIBER_PORT" if taken else "start it: `transcriber up`, or `transcriber web`",
        )
        return
    try:
        told: dict[str, Any] = answer.json()
    except ValueError:
        told = {}
    if "ready" not in told:
        yield Check(
            what="web process",
            state="problem",
            found=f"something else answers at {url}",
            mend="stop that, or set TRANSCRIBER_PORT or TRANSCRIBER_WEB_URL",
        )
        return
    ready = bool(told["ready"])
    found = f"ready at {url}" if ready else f"not ready at {url}: {json.dumps(told)}"
    yield Check(what="web process", state="ok" if ready else "problem", found=found)
    yield from _check_clock(answer, asked)


def _check_clock(answer: httpx.Response, asked: float) -> Iterator[Check]:
    if "date" not in answer.headers:
        return
    off_s = parsedate_to_datetime(answer.headers["date"]).timestamp() - asked
    well = abs(off_s) < CLOCK_OFF_S
    mend = "" if well else "set both machines' clocks by NTP: heartbeats and sessions depend on them"
    found = "the same here and at the web process" if well else f"{off_s:+.0f} s between here and the web process"
    yield Check(what="clock", state="ok" if well else "problem", found=found, mend=mend)


def check_workers(settings: Settings) -> Iterator[Check]:
    """Has each pool a worker that the web process has heard of lately?"""
    from storage.tokens import worker_token

    token = worker_token(settings).get_secret_value()
    answer = _get(f"{settings.web.base_url}/metrics", headers={"Authorization": f"Bearer {token}"})
    if answer is None:
        return  # said by check_web
    if answer.status_code in {401, 403}:
        yield Check(
            what="worker token",
            state="problem",
            found="the web process does not know this machine's token",
            mend="give TRANSCRIBER_WORKER_TOKEN the value of the file worker-token in the web process's data dir",
        )
        return
    for pool, does in (("cpu", "reads and exports"), ("gpu", "hears")):
        slots = _slots(answer.text, pool)
        yield Check(
            what=f"{pool} workers",
            state="ok" if slots else "problem",
            found=f"{slots} slots" if slots else f"none is there, so nobody {does}",
            mend="" if slots else f"start one: `transcriber up`, or `transcriber worker --pool {pool}`",
        )


def _slots(metrics: str, pool: str) -> int:
    start = f'transcriber_worker_slots{{pool="{pool}"}} '
    return sum(int(float(line.removeprefix(start))) for line in metrics.splitlines() if line.startswith(start))


def check_prefect(settings: Settings) -> Iterator[Check]:  # noqa: ARG001 - Prefect has settings of its own
    """Does the Prefect server answer, and has it our deployments?"""
    import yaml

    from flows.deploy import PREFECT_YAML, prefect_http

    place = PrefectPlace.from_environment()
    answer = _get(f"{place.api_url}/health")
    if answer is None or answer.text.strip() != "true":
        holder = None if ports.is_free(place.host, place.port) or not place.ours else ports.holder_of(place.port)
        yield Check(
            what="Prefect server",
            state="problem",
            found=f"nobody answers at {place.api_url}" + (f"; the port is taken by {holder}" if holder else ""),
            mend="stop that, or set PREFECT_SERVER_API_PORT" if holder else "start it: `transcriber up`",
        )
        return
    yield Check(what="Prefect server", state="ok", found=f"answers at {place.api_url}")
    with prefect_http(place.api_url) as http:
        rows = http.post("/deployments/filter", json={}).raise_for_status().json()
    names = {row["name"] for row in rows}
    missing = {each["name"] for each in yaml.safe_load(PREFECT_YAML.read_text())["deployments"]} - names
    yield Check(
        what="deployments",
        state="problem" if missing else "ok",
        found=f"{', '.join(sorted(missing))} missing" if missing else f"{len(names)} are there",
        mend="start `transcriber up`, or a worker: both make them" if missing else "",
    )
