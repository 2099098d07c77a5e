"""Requests that Schemathesis makes from our OpenAPI document, sent to a whole running platform.

    uv run --with schemathesis python -m benchmarks.bench_schema [--requests 20000] [--seed 1] [--only SUBSTRING]

Half of the requests of an operation fit the document and half do not; of the ids in their paths every second is that
of something that is there. An administrator, a member and nobody send them. What must not happen: a 5xx, and a status,
a content type or a body that the document does not have.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisException
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi import checks

from benchmarks.bench_latency import Running, up
from tests.dashboards import heard, site
from tests.dashboards.http import test_walk_of_all_routes as walk

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
ENDLESS = "/v1/events"
LAST = ("PUT /v1/admin/maintenance", "PATCH /v1/users/{user_id}")
"""After these others are answered differently: a pause, a disabled account."""
LIMITS = {f"TRANSCRIBER_RATE_LIMIT_{kind}": "off" for kind in ("API", "GENERAL", "ADMIN", "UPLOAD", "AUTH")}
Send = Callable[[Case], None]


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the requests met."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    known_ids: int = 0


@contextmanager
def served(folder: Path) -> Iterator[tuple[Running, dict[str, str], list[dict[str, str]]]]:
    """Run a platform on a ledger with one of everything; yield it, the ids and the callers' headers."""
    made = site.make_settings(folder)
    made.storage.data_dir.mkdir()
    site.seed(made.storage.ledger_path)
    with site.running(made) as running:
        ids = walk.belongings(running, heard.hear(running.user("ada"), lines=heard.LINES))
        ids["user_id"] = running.user("bob").id
        callers = [running.key_of(running.user(name)) for name in ("root", "root", "ada")] + [{}]
    with up(made.storage.data_dir, [], settings=LIMITS) as running_platform:
        yield running_platform, ids, callers


def web_process(platform: Running) -> psutil.Process:
    """Return the platform's web process."""
    port = int(platform.url.rpartition(":")[2])
    listening = (one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN)
    return psutil.Process(next(one.pid for one in listening if one.laddr and one.laddr.port == port))


def rank(operation: APIOperation) -> tuple[bool, bool, bool]:
    """Return a place in the order: what deletes or pauses comes last."""
    upper = operation.method.upper()
    return (f"{upper} {operation.path}" in LAST, upper == "DELETE", upper != "GET")


def ask(operation: APIOperation, mode: GenerationMode, number: int, start: int, send: Send) -> None:
    """Generate and send so many requests of an operation."""

    @seed(start)
    @settings(
        max_examples=number, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=[*HealthCheck]
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def each(case: Case) -> None:
        send(case)

    each()


def sent_by(headers: dict[str, str]) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
    """Return what sends a caller's key whatever was made up for it; nobody keeps what was made up."""

    def signed(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(headers)
        return request

    return signed


class Sender:
    """Sends requests and notes what they meet."""

    def __init__(self, url: str, ids: dict[str, str], callers: list[dict[str, str]], start: int) -> None:
        self.url, self.ids, self.callers, self.seen = url, ids, callers, Seen()
        self.random, self.session = random.Random(start), requests.Session()  # noqa: S311 - a seed, not a secret

    @property
    def sent(self) -> int:
        return sum(self.seen.statuses.values())

    def send(self, case: Case) -> None:
        """Send one request, and check the response."""
        operation = f"{case.operation.method.upper()} {case.operation.path}"
        if case.path_parameters and self.random.random() < 0.5:
            case.path_parameters = {name: self.ids.get(name, value) for name, value in case.path_parameters.items()}
            self.seen.known_ids += 1
        self.session.auth = sent_by(self.random.choice(self.callers))
        try:
            response = case.call(base_url=f"{self.url}/api", session=self.session, timeout=60)
        except requests.RequestException as error:
            self.note(operation, type(error).__name__, f"{error} {case.as_curl_command()}")
            return
        self.seen.statuses[response.status_code] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except (Failure, FailureGroup) as error:
            found = error.exceptions if isinstance(error, FailureGroup) else [error]
            for one in found:
                told = f"{response.status_code} {response.text[:300]} {str(one)[:600]}\n{case.as_curl_command()[:600]}"
                self.note(operation, type(one).__name__, told)

    def note(self, operation: str, kind: str, told: str) -> None:
        if not self.seen.faults.setdefault((operation, kind), []):
            print(f"\n{kind}: {operation}\n{told}", file=sys.stderr)
        self.seen.faults[operation, kind].append(told)


def send_all(sender: Sender, operations: list[APIOperation], total: int, start: int) -> None:
    """Send requests of each operation, half of which do not fit the document."""
    left = total
    for place, operation in enumerate(operations):
        share, before = left // (len(operations) - place), sender.sent
        for mode in (GenerationMode.NEGATIVE, GenerationMode.POSITIVE):
            number = share // 2 if mode is GenerationMode.NEGATIVE else share - (sender.sent - before)
            try:
                ask(operation, mode, number, start, sender.send)
            except HypothesisException as error:
                print(f"{mode} {operation.label}: {error!r}", file=sys.stderr)
        left -= sender.sent - before
        print(f"{operation.label}: {sender.sent - before}", file=sys.stderr)


def measure(total: int, start: int, only: str) -> int:
    """Send all requests, print the table, and return the number of faults."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-schema-") as folder,
        served(Path(folder)) as (platform, ids, callers),
    ):
        document = httpx.get(f"{platform.url}/api/openapi.json", headers=callers[0], timeout=30).json()
        schema = schemathesis.openapi.from_dict(document)
        operations = sorted((one.ok() for one in schema.get_all_operations()), key=rank)
        operations = [one for one in operations if one.path != ENDLESS and only in f"{one.method.upper()} {one.path}"]
        sender, began = Sender(platform.url, ids, callers, start), time.monotonic()
        process = web_process(platform)
        before = process.memory_info().rss
        with suppress(KeyboardInterrupt):  # what was sent until then is told
            send_all(sender, operations, total, start)
        tell(sender.seen, len(operations), time.monotonic() - began, process.memory_info().rss - before)
    return len(sender.seen.faults)


def tell(seen: Seen, operations: int, seconds: float, grown_bytes: int) -> None:
    sent = sum(seen.statuses.values())
    for (operation, kind), told in seen.faults.items():
        print(f"{kind} × {len(told)}: {operation}", file=sys.stderr)
    server_errors = sum(number for status, number in seen.statuses.items() if status >= 500)
    print("## Requests made from the OpenAPI document\n")
    print("| requests | operations | with ids of what is there | 5xx | other faults | memory of the web process |")
    print("|---|---|---|---|---|---|")
    faults = sum(map(len, seen.faults.values())) - server_errors
    cells = f"| {sent:,} | {operations} | {seen.known_ids:,} | {server_errors} | {faults}"
    print(f"{cells} | {grown_bytes / 2**20:+.0f} MiB |\n")
    by_status = ", ".join(f"{status}: {number:,}" for status, number in sorted(seen.statuses.items()))
    print(
        f"Statuses: {by_status}. Schemathesis {schemathesis.SCHEMATHESIS_VERSION}, {seconds:.0f} s, "
        f"load average {os.getloadavg()[0]:.1f}. A fault is a status, content type or body that the document does "
        "not have.\n`uv run --with schemathesis python -m benchmarks schema`."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="operations that contain this, such as `GET /v1/jobs`")
    asked = parser.parse_args()
    return 1 if measure(asked.requests, asked.seed, asked.only) else 0


if __name__ == "__main__":
    sys.exit(main())
