"""The two task runners of Prefect for clusters, Dask's and Ray's, over the same span tasks on two processes.

uv run --with prefect-ray --with prefect-dask python -m benchmarks.bench_task_runners [--spans 24] [--rounds 3]

Both clusters run at once, of two worker processes with a slot each, with the tests' model; they take turns. The web
process is played: it accepts every report. A round is the spans of one recording, `heard`, and once more with their
results on storage, `found`, which is what the runner itself costs.
"""

import argparse
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, asdict, dataclass, field, fields
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.bench_latency import REPO, free_port
from benchmarks.scaling.platform import recording
from benchmarks.speech_material import TINY_MODEL
from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.records import Job, JobState, Lane, Options, Span, to_json
from storage.domain.settings import EngineSettings
from storage.files.file_store import Files

SPAN_MAX_S = 12.0
IDLE_S = 10.0
STARTING_S = 30.0
PRELOAD = "transcriber_platform.dask_preload"


def played_web() -> ThreadingHTTPServer:
    """Return a web process that accepts every report."""
    job: dict[str, Any] = dict.fromkeys(each.name for each in fields(Job) if each.default is MISSING)
    job |= {"id": "j", "owner_id": "o", "name": "a.wav", "media_sha256": "0" * 64, "media_bytes": 1, "version": 1}
    job |= {"state": JobState.TRANSCRIBING, "lane": Lane.BACKFILL, "options": Options(), "attempt": 1, "done_s": 0.0}
    answer = to_json(Job(**job | {"detail": "", "given_up": (), "created_at": utc_now(), "updated_at": utc_now()}))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@contextlib.contextmanager
def process(log: Path, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True) as started:
        try:
            yield started
        finally:
            os.killpg(started.pid, signal.SIGKILL)


@dataclass(kw_only=True)
class Cluster:
    """A cluster's task runner, and its processes."""

    name: str
    runner: Callable[[], Any]
    processes: Callable[[], list[psutil.Process]]
    workers: Callable[[], list[psutil.Process]]
    heard: list[float] = field(default_factory=list)
    found: list[float] = field(default_factory=list)


@contextlib.contextmanager
def dask_cluster(folder: Path) -> Iterator[Cluster]:
    from prefect_dask.task_runners import DaskTaskRunner

    address = f"tcp://127.0.0.1:{free_port()}"
    dask = (sys.executable, "-m", "dask")
    port = address.rpartition(":")[2]
    ends = ("--no-dashboard", "--preload", PRELOAD)
    with contextlib.ExitStack() as stack:
        scheduler = process(
            folder / "dask-scheduler.log", *dask, "scheduler", "--host", "127.0.0.1", "--port", port, *ends
        )
        started = [stack.enter_context(scheduler)]
        for number in range(2):
            worker = process(folder / f"dask-{number}.log", *dask, "worker", address, "--nthreads", "1", *ends)
            started.append(stack.enter_context(worker))

        def processes() -> list[psutil.Process]:
            return [each for one in started for each in tree(one.pid)]

        def workers() -> list[psutil.Process]:
            return [
                each for one in started[1:] for each in tree(one.pid)[1:] if "spawn_main" in " ".join(each.cmdline())
            ]

        yield Cluster(name="Dask", runner=lambda: DaskTaskRunner(address=address), processes=processes, workers=workers)


@contextlib.contextmanager
def ray_cluster(folder: Path) -> Iterator[Cluster]:
    from prefect_ray import RayTaskRunner
    from ray.util import get_node_ip_address

    port = free_port()
    ray = str(Path(sys.executable).parent / "ray")
    ends = ("--include-dashboard=false", "--disable-usage-stats", "--object-store-memory=100000000", "--block")
    head = ("start", "--head", f"--port={port}", "--num-cpus=2", *ends)
    with process(folder / "ray.log", ray, *head) as started:

        def processes() -> list[psutil.Process]:
            return tree(started.pid)

        def workers() -> list[psutil.Process]:
            return [each for each in tree(started.pid) if "ray::" in " ".join(each.cmdline())]

        until_logged(folder / "ray.log", "Ray runtime started")
        address = f"{get_node_ip_address()}:{port}"
        yield Cluster(
            name="Ray",
            runner=lambda: RayTaskRunner(address=address, init_kwargs={"log_to_driver": False}),
            processes=processes,
            workers=workers,
        )


def until_logged(log: Path, text: str) -> None:
    until = time.monotonic() + 60
    while text not in log.read_text():
        if time.monotonic() > until:
            raise TimeoutError(log.read_text())
        time.sleep(0.5)


def tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def parameters_of(files: Files, path: Path) -> list[dict[str, Any]]:
    """Cut a recording into spans, and return what the tasks get."""
    from tasks.asr.selected_engine import SelectedEngine
    from tasks.audio.ingest import ingest
    from tasks.audio.split import maybe_of, speech_of
    from tasks.models.model_choice import resolve

    model = resolve(str(TINY_MODEL), settings=EngineSettings(), model_dir=TINY_MODEL.parent, may_fetch=False)
    options = Options()

    def of(span: Span) -> dict[str, Any]:
        return {
            "job_id": "j",
            "attempt": 1,
            "index": span.index,
            "samples_sha256": span.samples_sha256,
            "result": names.result_name(span.samples_sha256, model.fingerprint, SelectedEngine.version, options, "en"),
            "model": model.name,
            "fingerprint": model.fingerprint,
            "language": "en",
            "options": asdict(options),
            "speech": [(each.start_s, each.end_s) for each in speech_of(span)],
            "maybe": [(each.start_s, each.end_s) for each in maybe_of(span)],
        }

    plan = ingest(path, name=path.name, files=files, options=options, span_max_s=SPAN_MAX_S, max_hours=1)
    return [of(span) for span in plan.spans]


def run(cluster: Cluster, spans: Sequence[dict[str, Any]]) -> float:
    """Run the span tasks in a flow on the cluster; return the seconds until all have ended well."""
    from benchmarks.cluster_flow import all_spans

    began = time.monotonic()
    all_spans.with_options(task_runner=cluster.runner())(list(spans))
    return time.monotonic() - began


def run_connected(cluster: Cluster, material: Callable[[], list[dict[str, Any]]]) -> float:
    """Run spans on Ray with a connection that stays, as a program does that has its own."""
    import ray

    if not ray.is_initialized():
        ray.init(cluster.runner().address, namespace="prefect", log_to_driver=False)
        run(cluster, material())  # starts the worker processes of this connection
    return run(cluster, material())


def idle(cluster: Cluster) -> tuple[float, float, int]:
    """Return the processor share of the idle cluster, its memory in MB, and how many processes it has."""
    before = sum(sum(each.cpu_times()[:2]) for each in cluster.processes())
    time.sleep(IDLE_S)
    used = sum(sum(each.cpu_times()[:2]) for each in cluster.processes()) - before
    memory = sum(each.memory_full_info().uss for each in cluster.processes())
    return used / IDLE_S, memory / 1e6, len(cluster.processes())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        web, port = played_web(), free_port()
        os.environ |= {
            "TRANSCRIBER_DATA_DIR": str(folder),
            "TRANSCRIBER_WEB_URL": f"http://127.0.0.1:{web.server_address[1]}",
            "TRANSCRIBER_WORKER_TOKEN": "of no importance to the played web process",
            "TRANSCRIBER_MODEL": str(TINY_MODEL),
            "TRANSCRIBER_NUM_WORKERS": "1",
            "TRANSCRIBER_CPU_THREADS": "1",
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "packaging")]),
        }
        ray = stack.enter_context(ray_cluster(folder))  # first: its node gives up after 30 s on a busy machine
        server = (sys.executable, "-m", "flows.platform.prefect_server", "127.0.0.1", str(port))
        stack.enter_context(process(folder / "prefect.log", *server))
        until_healthy(f"http://127.0.0.1:{port}/api/health")
        print(compare([stack.enter_context(dask_cluster(folder)), ray], folder, arguments))


def until_healthy(url: str) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, trust_env=False).is_success:
                return
        time.sleep(0.5)
    raise TimeoutError(url)


def compare(clusters: Sequence[Cluster], folder: Path, arguments: argparse.Namespace) -> str:
    """Let both take turns; return the table."""
    seeds, files = iter(range(10_000)), Files(str(folder / "store"))

    def material() -> list[dict[str, Any]]:
        path = recording(folder / "r.wav", arguments.spans * SPAN_MAX_S, next(seeds))
        return parameters_of(files, path)

    time.sleep(STARTING_S)
    first = {cluster.name: run(cluster, material()[:2]) for cluster in clusters}
    spans = 0
    for number in range(arguments.rounds):
        for cluster in clusters if number % 2 == 0 else reversed(clusters):
            made = material()
            spans = len(made)
            cluster.heard.append(run(cluster, made))
            cluster.found.append(run(cluster, made))
            print(cluster.name, spans, cluster.heard[-1], cluster.found[-1], file=sys.stderr, flush=True)
    kept = [run_connected(clusters[1], material) for _ in range(arguments.rounds)]
    idles = {cluster.name: idle(cluster) for cluster in clusters}
    lost = {cluster.name: with_a_loss(cluster, material()) for cluster in clusters}
    rows = [
        f"| {c.name} | {first[c.name]:.1f} | {statistics.median(c.heard):.2f} | {statistics.median(c.found):.2f} | "
        f"{1000 * statistics.median(c.found) / spans:.0f} | {100 * idles[c.name][0]:.1f} | {idles[c.name][1]:.0f} | "
        f"{idles[c.name][2]} | {lost[c.name]} |"
        for c in clusters
    ]
    head = (
        f"| task runner | first two spans, s | {spans} spans heard, s | found, s | the runner, ms a span "
        "| idle, % of a core | idle, MB | processes | heard while a worker process is killed, s |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    told = f"Ray with one connection for all: {statistics.median(kept):.2f} s for {spans} spans heard."
    return "\n".join([head, *rows, "", told])


def with_a_loss(cluster: Cluster, spans: Sequence[dict[str, Any]]) -> str:
    """Run spans while a worker process is killed; return the seconds, or what went wrong."""

    killing = threading.Timer(1.5, lambda: cluster.workers()[0].kill())  # noqa: PLW0108 - which it is then
    killing.start()
    try:
        return f"{run(cluster, spans):.2f}"
    except Exception as error:  # noqa: BLE001 - it is the finding
        return f"failed: {type(error).__name__}: {error}"[:200]
    finally:
        killing.join()


if __name__ == "__main__":
    main()
