"""`transcriber doctor`: checks the installation, and says how to fix each problem."""

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import httpx

from flows.platform import ports
from flows.platform.prefect_address import PrefectAddress
from storage.domain.errors import ModelMissing, TranscriberError
from storage.domain.model_names import display_name
from storage.domain.settings import Settings
from storage.files import privacy
from storage.remote import part_troubles, worker_troubles
from storage.search.search_file import full_text_supported
from tasks.models.model_choice import resolve

GIB = 2**30
LITTLE_BYTES, VERY_LITTLE_BYTES = 10 * GIB, 1 * GIB
CLOCK_OFF_S = 30.0
MOST_EXPOSED = 1000
INDEX_PATIENCE_S = 20.0
STORAGE_PATIENCE_S = 10.0
MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "problem": "[red]problem[/]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check's subject, state and finding, and how to fix it; `problem` exits with 1."""

    what: str
    state: Literal["ok", "note", "problem"]
    found: str
    mend: str = ""


def examine(settings: Settings | None = None) -> int:
    """Run all checks, print a table, and return the exit status."""
    from rich.console import Console
    from rich.table import Table

    checks = list(check_all(settings or Settings()))
    table = Table("what", "", "found", "how to mend it")
    for check in checks:
        table.add_row(check.what, MARKS[check.state], check.found, check.mend)
    Console().print(table)
    return 1 if any(check.state == "problem" for check in checks) else 0


def check_all(settings: Settings) -> Iterator[Check]:
    """Yield every check in order; a check that fails is a problem itself."""
    checks: tuple[Callable[[Settings], Iterator[Check]], ...] = (
        check_disk,
        check_privacy,
        check_storage,
        check_search,
        check_devices,
        check_models,
        check_speakers,
        check_web,
        check_workers,
        check_prefect,
    )
    for check in checks:
        try:
            yield from check(settings)
        except (TranscriberError, OSError, httpx.HTTPError, ValueError) as error:
            yield Check(what=check.__name__.removeprefix("check_"), state="problem", found=str(error))


def check_disk(settings: Settings) -> Iterator[Check]:
    """Check free disk space."""
    folder = settings.storage.data_dir.absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    state: Literal["ok", "note", "problem"] = "ok"
    if free < LITTLE_BYTES:
        state = "problem" if free < VERY_LITTLE_BYTES else "note"
    mend = "free some space, or set TRANSCRIBER_DATA_DIR to a larger disk" if state != "ok" else ""
    yield Check(what="disk", state=state, found=f"{free / GIB:.1f} GiB free at {folder}", mend=mend)


def check_privacy(settings: Settings) -> Iterator[Check]:
    """Check that other users of this machine cannot read what is stored."""
    found = list(islice(privacy.exposed(settings.storage), MOST_EXPOSED + 1))
    if not found:
        yield Check(what="privacy", state="ok", found="no other user of this machine can read the stored files")
        return
    number = f"more than {MOST_EXPOSED}" if len(found) > MOST_EXPOSED else f"{len(found)}"
    others = ", ".join(map(str, found[:3])) + (", …" if len(found) > 3 else "")
    mend = "start `transcriber up` or `transcriber web` as their owner, which makes them private, or `chmod -R go= …`"
    yield Check(what="privacy", state="problem", found=f"open to other users, {number} in all: {others}", mend=mend)


def check_storage(settings: Settings) -> Iterator[Check]:
    """Check that the storage root stores and returns an object."""
    url = settings.storage.root_url
    if "://" not in url and not Path(url).is_dir():  # writing would create it, where a disk may only be missing
        yield _storage_without_folder(settings, url)
        return
    found: list[Check] = []
    looking = threading.Thread(target=lambda: found.append(_try_storage(settings)), daemon=True)
    looking.start()
    looking.join(STORAGE_PATIENCE_S)
    yield found[0] if found else _storage_away(f"{url}: no answer within {STORAGE_PATIENCE_S:g} s")


def _storage_without_folder(settings: Settings, url: str) -> Check:
    if settings.storage.ledger_path.exists():
        return _storage_away(f"the folder {url} is gone")
    return Check(what="storage", state="ok", found=f"{url} is created at the first upload")


def _try_storage(settings: Settings) -> Check:
    """Store an object, and read it."""
    from storage.files.file_store import Files

    files, name = Files.from_settings(settings.storage), f"doctor/probe-{os.getpid()}"
    try:
        files.write(name, b"probe")
        whole = files.read(name) == b"probe"
        files.delete(name)
    except TranscriberError as error:
        return _storage_away(str(error))
    found = f"{files.url} works" if whole else f"{files.url} returned other bytes"
    return Check(what="storage", state="ok" if whole else "problem", found=found)


def _storage_away(reason: str) -> Check:
    found = f"{part_troubles.storage_away()} ({reason})"
    mend = "mount or start it again; see TRANSCRIBER_STORAGE_URL"
    return Check(what="storage", state="problem", found=found, mend=mend)


def check_search(settings: Settings) -> Iterator[Check]:  # noqa: ARG001 - it is a matter of Python alone
    """Check that the search index can work here."""
    if full_text_supported():
        yield Check(what="search", state="ok", found="Python's SQLite has FTS5")
        return
    yield Check(
        what="search",
        state="problem",
        found="Python's SQLite has no FTS5, so transcripts cannot be searched",
        mend="use a Python whose SQLite is built with FTS5, as Debian's and python.org's are",
    )


def check_devices(settings: Settings) -> Iterator[Check]:
    """Check the devices, and that a GPU's CUDA libraries are found."""
    from tasks.models.devices import cuda_count, devices, plan_device

    gpus = shutil.which("nvidia-smi") is not None
    try:
        for device in devices(settings.engine):
            plan = plan_device(settings.engine, device)
            threads = f"{plan.cpu_threads} thread{'s' if plan.cpu_threads > 1 else ''} each"
            capacity = (
                f"{plan.num_workers} spans at once, {threads}, {plan.batch_size} windows together, {plan.compute_type}"
            )
            yield Check(what=f"device {device}", state="ok", found=f"{_machine(device)}: {capacity}")
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
    """Return the hardware facts behind the number of workers and batches."""
    from tasks.models.cgroup_limits import cores, memory_bytes
    from tasks.models.devices import gpu_at

    if device == "cpu":
        return f"{cores()} cores, {memory_bytes() / GIB:.1f} GiB"
    gpu = gpu_at(int(device.partition(":")[2]))
    capability = ".".join(map(str, gpu.capability)) if gpu.capability else "unknown"
    return f"{gpu.memory_bytes / GIB:.1f} GiB, compute capability {capability}"


def check_models(settings: Settings) -> Iterator[Check]:
    """Check that there is a model, and whether others can be downloaded."""
    from tasks.models import catalogue
    from tasks.models.packaged_models import PACKAGED

    for name, problem in catalogue.incomplete(settings.model_dir).items():
        found = f"the folder {settings.model_dir / name} is incomplete and not used: {problem}"
        yield Check(
            what="model", state="note", found=found, mend=f"copy it again, or `transcriber models fetch {name}`"
        )
    unreachable = _unreachable_sources(settings)
    model_name = settings.engine.model
    try:
        resolved = resolve(model_name, settings=settings.engine, model_dir=settings.model_dir, may_fetch=False)
    except TranscriberError as error:
        index_has_it = model_name == catalogue.AUTO or model_name in PACKAGED
        if unreachable["model hub"] is None or (index_has_it and unreachable["package index"] is None):
            yield Check(what="model", state="note", found=f"{model_name} will be downloaded when it is first needed")
        else:
            yield Check(what="model", state="problem", found=str(error), mend="copy a model into the models folder")
    else:
        name = display_name(resolved.name)
        yield Check(what="model", state="ok", found=f"{name} ({resolved.fingerprint}) at {resolved.path}")
    for source, reason in unreachable.items():
        mend = "nothing, unless you want to download a model from there" if reason else ""
        yield Check(what=source, state="note" if reason else "ok", found=reason or "answers", mend=mend)


def _unreachable_sources(settings: Settings) -> dict[str, str | None]:
    """Return why each source of models is unreachable, or None if it is reachable."""
    from tasks.models import catalogue, hub, package_index
    from tasks.models.packaged_models import PACKAGED

    unreachable: dict[str, str | None] = {"model hub": None}
    try:
        hub.probe(settings.engine.hub_url)
    except ModelMissing as error:
        unreachable["model hub"] = error.reason
    package, _ = PACKAGED[catalogue.FROM_INDEX_BY_DEFAULT][0].parts[0]
    unreachable["package index"] = package_index.silent(package.pin, patience_s=INDEX_PATIENCE_S)
    return unreachable


def check_speakers(settings: Settings) -> Iterator[Check]:
    """Check whether diarization, which is optional, works here."""
    from tasks.diarization import speaker_models
    from tasks.diarization.speakers import LocalDiarizer

    if (missing := LocalDiarizer.from_settings(settings).missing()) is not None:
        yield Check(what="speakers", state="ok", found=f"no diarization: {missing}")
    elif speaker_models.here(settings.model_dir):
        yield Check(what="speakers", state="ok", found=f"diarization works, models in {settings.model_dir}")
    else:
        found = "diarization works; the two models are downloaded from the package index when first needed"
        yield Check(what="speakers", state="ok", found=found)


def _get(url: str, **kwargs: Any) -> httpx.Response | None:
    try:
        return httpx.get(url, timeout=5, trust_env=False, **kwargs)
    except httpx.HTTPError:
        return None


def check_web(settings: Settings) -> Iterator[Check]:
    """Check that the web process answers with our clock, or its port is free."""
    url = settings.web.base_url
    asked_at = time.time()
    answer = _get(f"{url}/readyz")
    if answer is None:
        holder = None if ports.is_free(settings.web.host, settings.web.port) else ports.holder_of(settings.web.port)
        taken = holder is not None
        yield Check(
            what="web process",
            state="problem",
            found=f"nothing answers at {url}" + (f"; the port is taken by {holder}" if taken else ""),
            mend="stop that process, or set TRANSCRIBER_PORT"
            if taken
            else "start it: `transcriber up`, or `transcriber web`",
        )
        return
    try:
        status: dict[str, Any] = answer.json()
    except ValueError:
        status = {}
    if "ready" not in status:
        yield Check(
            what="web process",
            state="problem",
            found=f"something else answers at {url}",
            mend="stop that process, or set TRANSCRIBER_PORT or TRANSCRIBER_WEB_URL",
        )
        return
    ready = bool(status["ready"])
    found = f"ready at {url}" if ready else f"not ready at {url}: {_away_in(status)}"
    yield Check(what="web process", state="ok" if ready else "problem", found=found)
    yield from _check_clock(answer, asked_at)


def _away_in(status: dict[str, Any]) -> str:
    """Put what `/readyz` says is away into words."""
    reasons = status.get("reasons") or {}
    return "; ".join(f"{part} is away ({reason})" for part, reason in reasons.items()) or json.dumps(status)


def _check_clock(answer: httpx.Response, asked_at: float) -> Iterator[Check]:
    if "date" not in answer.headers:
        return
    off_s = parsedate_to_datetime(answer.headers["date"]).timestamp() - asked_at
    well = abs(off_s) < CLOCK_OFF_S
    mend = "" if well else "set both machines' clocks by NTP: heartbeats and sessions depend on them"
    found = "the same here and at the web process" if well else f"{off_s:+.0f} s between here and the web process"
    yield Check(what="clock", state="ok" if well else "problem", found=found, mend=mend)


def check_workers(settings: Settings) -> Iterator[Check]:
    """Check that each pool has a live worker, and that none fell silent."""
    from storage.remote.service_tokens import worker_token

    token = worker_token(settings).get_secret_value()
    answer = _get(f"{settings.web.base_url}/metrics", headers={"Authorization": f"Bearer {token}"})
    if answer is None:
        return  # reported by check_web
    if answer.status_code in {401, 403}:
        yield Check(
            what="worker token",
            state="problem",
            found="the web process does not accept this machine's token",
            mend="give TRANSCRIBER_WORKER_TOKEN the value of the file worker-token in the web process's data dir",
        )
        return
    for worker, host, _ in _workers_in(answer.text, "transcriber_worker_silent"):
        mend = "look at its machine and its log; end it if it is frozen, and start it again"
        yield Check(what="worker", state="problem", found=worker_troubles.silent(worker, host), mend=mend)
    for worker, host, ahead_s in _workers_in(answer.text, "transcriber_worker_clock_ahead_seconds"):
        found, mend = worker_troubles.wrong_clock(worker, host, ahead_s), "set the clock of that machine by NTP"
        yield Check(what="clock", state="note", found=found, mend=mend)
    for pool in worker_troubles.DOES:
        slots = _slots(answer.text, pool)
        yield Check(
            what=f"{pool} workers",
            state="ok" if slots else "problem",
            found=f"{slots} slots" if slots else worker_troubles.none_of(pool),
            mend="" if slots else f"start one: `transcriber up`, or `transcriber worker --pool {pool}`",
        )


def _workers_in(metrics: str, gauge: str) -> Iterator[tuple[str, str, float]]:
    """Yield name and host of each worker that a gauge names, and its value."""
    from prometheus_client.parser import text_string_to_metric_families

    for family in text_string_to_metric_families(metrics):
        if family.name == gauge:
            for sample in family.samples:
                yield sample.labels["worker"], sample.labels["host"], sample.value


def _slots(metrics: str, pool: str) -> int:
    start = f'transcriber_worker_slots{{pool="{pool}"}} '
    return sum(int(float(line.removeprefix(start))) for line in metrics.splitlines() if line.startswith(start))


def check_prefect(settings: Settings) -> Iterator[Check]:  # noqa: ARG001 - Prefect has settings of its own
    """Check that the Prefect server answers and has our deployments."""
    from flows.platform.deploy import PREFECT_YAML, differences, prefect_http, read

    place = PrefectAddress.from_environment()
    answer = _get(f"{place.api_url}/health")
    if answer is None or answer.text.strip() != "true":
        holder = None if ports.is_free(place.host, place.port) or not place.ours else ports.holder_of(place.port)
        yield Check(
            what="Prefect server",
            state="problem",
            found=f"{part_troubles.prefect_away()} ({place.api_url}" + (f"; {holder} has the port)" if holder else ")"),
            mend="it hangs, or the port is another process's: end that, then start `transcriber up`"
            if holder
            else "start it: `transcriber up`",
        )
        return
    yield Check(what="Prefect server", state="ok", found=f"answers at {place.api_url}")
    config = read(PREFECT_YAML)
    with prefect_http(place.api_url) as http:
        secret = http.post("/work_pools/filter", json={})
        if secret.status_code == httpx.codes.UNAUTHORIZED:
            yield Check(
                what="Prefect's secret",
                state="problem",
                found="the Prefect server does not accept this machine's secret",
                mend="set PREFECT_API_AUTH_STRING to the content of prefect-auth in the data dir of `transcriber up`",
            )
            return
        missing = differences(http, config)
    yield Check(
        what="deployments",
        state="problem" if missing else "ok",
        found=f"missing: {', '.join(missing)}" if missing else f"{len(config['deployments'])} are deployed",
        mend="start `transcriber up`, or a worker: a running one creates them within 30 s" if missing else "",
    )
