"""One and two workers, the model of them, and what the model says of a thousand.

python -m benchmarks.bench_scaling [--workers 1 2] [--spans 16] [--short 4] [--idle 20] [--database URL]
python -m benchmarks.bench_scaling --model FOLDER --speech FOLDER --span 120 [--match '*-en-*.ogg']

Each worker has one thread and one slot. With each number of workers: one long recording, then some short ones at once.
The costs come from one worker and its long recording; the model then foretells the others, and is compared with them.
"""

import argparse
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from benchmarks.bench_latency import Running
from benchmarks.scaling.model import Arrival, Costs, Farm, Simulation, random_arrivals
from benchmarks.scaling.platform import (
    SPAN_MAX_S,
    SpanRun,
    Spent,
    finished,
    platform_of,
    recording,
    span_runs,
    spent,
    submit,
)
from benchmarks.speech_material import TINY_MODEL
from flows.worker.worker_place import CPU_SLOTS

SHORT_SPANS = 2.5
"""Just over a minute of spans of 30 s, so that spans are flow runs of their own."""
MONTH_S = 30 * 86400.0
MACHINES = (10, 100, 1000)
LENGTH_S, SPAN_S = 1800.0, 120.0
SIMULATED_S, SETTLED_AFTER_S = 7200.0, 3600.0
MACHINE_SPEED = 2.0
"""Assumed, not measured: seconds of speech a second of one machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Recordings that were sent together, and what became of them."""

    took_s: float
    runs: tuple[tuple[SpanRun, ...], ...]
    spent: Spent

    @property
    def spans(self) -> list[SpanRun]:
        return sorted(itertools.chain.from_iterable(self.runs), key=lambda run: run.ended)

    @property
    def engine_speed(self) -> float:
        return sum(run.speech_s for run in self.spans) / sum(run.engine_s for run in self.spans)

    @property
    def window_s(self) -> float:
        """From the first span's beginning to the last one's end."""
        return (self.spans[-1].ended - min(run.began for run in self.spans)).total_seconds()

    @property
    def speech_a_second(self) -> float:
        return sum(run.speech_s for run in self.spans) / self.window_s

    def arrivals(self) -> list[Arrival]:
        return [Arrival(at_s=0.0, spans_s=tuple(run.speech_s for run in runs)) for runs in self.runs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one number of workers did."""

    workers: int
    idle: Spent
    idle_s: float
    long: Phase
    short: Phase


def phase(platform: Running, http: httpx.Client, paths: Sequence[Path]) -> Phase:
    """Send recordings, and wait until all are completed."""
    before, began = spent(platform, http), time.monotonic()
    jobs = [submit(http, path) for path in paths]
    finished(http, jobs)
    took_s = time.monotonic() - began
    runs = tuple(tuple(span_runs(platform, http, job_id)) for job_id in jobs)
    return Phase(took_s=took_s, runs=runs, spent=spent(platform, http).since(before))


def measure(workers: int, asked: argparse.Namespace) -> Measured:
    """Start a platform with so many workers, and send it the recordings."""
    clips, short_s = sorted(asked.speech.glob(asked.match)) if asked.speech else (), SHORT_SPANS * asked.span
    settings = {"TRANSCRIBER_SPAN_MAX_S": f"{asked.span:g}"}
    if asked.database:
        settings["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = asked.database
    with (
        tempfile.TemporaryDirectory() as name,
        platform_of(Path(name), workers, settings, model=asked.model) as (platform, http),
    ):

        def made(number: int, seconds: float) -> Path:
            return recording(Path(name, f"{number}.wav"), seconds, 100 * workers + number, clips)

        phase(platform, http, [made(0, short_s)])
        before = spent(platform, http)
        time.sleep(asked.idle)
        idle = spent(platform, http).since(before)
        long = phase(platform, http, [made(1, asked.spans * asked.span)])
        short = phase(platform, http, [made(2 + number, short_s) for number in range(asked.short)])
        return Measured(workers=workers, idle=idle, idle_s=asked.idle, long=long, short=short)


def span_costs_s(found: Phase) -> list[float]:
    """Return what the flow run of each span but the first costs a slot that always has work, beside the engine."""
    ends = [run.ended for run in found.spans]
    gaps_s = [(after - before).total_seconds() for before, after in itertools.pairwise(ends)]
    return [gap_s - run.engine_s for gap_s, run in zip(gaps_s, found.spans[1:], strict=True)]


def reading_speed(found: Phase) -> float:
    """Return the seconds of speech that were read and cut in a second, between the first two spans.

    The others wait for their turn: only twice as many as there are slots are handed to Prefect.
    """
    first, second = sorted(found.runs[0], key=lambda run: run.created)[:2]
    return second.speech_s / (second.created - first.created).total_seconds()


def solved(long: Phase, short: Phase, field: str) -> tuple[float, float]:
    """Return what a recording and what a span costs, from two phases with other numbers of each."""
    (jobs, spans, total), (jobs2, spans2, total2) = (
        (len(each.runs), len(each.spans), getattr(each.spent, field)) for each in (long, short)
    )
    a_span = (total * jobs2 - total2 * jobs) / (spans * jobs2 - spans2 * jobs)
    return max(0.0, (total - a_span * spans) / jobs), max(0.0, a_span)


def costs_of(one: Measured) -> Costs:
    """Return the model's costs, measured with one worker."""
    writes_a_job, writes_a_span = solved(one.long, one.short, "writes")
    total = [getattr(one.long.spent, name) + getattr(one.short.spent, name) for name in ("write_s", "writes")]
    prefect_s = one.long.spent.prefect_s + one.short.spent.prefect_s
    flow_runs = sum(len(each.runs) + len(each.spans) for each in (one.long, one.short))
    known = Costs(
        ledger_accept_s=total[0] / total[1],
        ledger_report_s=total[0] / total[1],
        reports_a_job=writes_a_job,
        reports_a_span=writes_a_span,
        prefect_run_s=prefect_s / flow_runs,
        span_beside_s=statistics.median(span_costs_s(one.long)),
        job_beside_s=0.0,
        reading_speed=reading_speed(one.long),
        engine_speed=one.long.engine_speed,
    )
    left_s = one.long.took_s - foretold_s(known, one.long, 1)
    return replace(known, job_beside_s=max(0.0, left_s))


def foretold_s(costs: Costs, found: Phase, workers: int) -> float:
    """Return how long the model takes for the same recordings; the engine's speed is that of their run."""
    simulation = Simulation(
        costs=replace(costs, engine_speed=found.engine_speed), farm=Farm(cpu_slots=CPU_SLOTS, gpu_slots=workers)
    )
    return simulation.run(found.arrivals())


def speed_up(found: Sequence[Measured]) -> Iterator[str]:
    yield "### Workers of one thread, one slot each\n"
    yield "| workers | spans | speech-seconds a second | times | a span's flow run beside the engine, median ms | 90% |"
    yield "|---|---|---|---|---|---|"
    for each in found:
        costs_ms = sorted(1000 * cost_s for cost_s in span_costs_s(each.long))
        shown = f"{statistics.median(costs_ms):.0f} | {costs_ms[int(0.9 * len(costs_ms))]:.0f}"
        if each.workers > 1:
            shown = "– | –"  # they take turns
        times = each.long.speech_a_second / found[0].long.speech_a_second
        yield f"| {each.workers} | {len(each.long.spans)} | {each.long.speech_a_second:.1f} | {times:.2f} | {shown} |"


def comparison(costs: Costs, found: Sequence[Measured]) -> Iterator[str]:
    yield "\n### The model beside the real platform\n"
    yield "| workers | recordings | spans | took, s | foretold, s | foretold / took |"
    yield "|---|---|---|---|---|---|"
    for each in found:
        for name, part in (("long", each.long), ("short", each.short)):
            said_s = foretold_s(costs, part, each.workers)
            fitted = " (fitted)" if (each.workers, name) == (1, "long") else ""
            row = f"| {each.workers} | {len(part.runs)} {name}{fitted} | {len(part.spans)} | {part.took_s:.1f} "
            yield f"{row}| {said_s:.1f} | {said_s / part.took_s:.2f} |"


def costs_table(costs: Costs, one: Measured) -> Iterator[str]:
    yield "\n### Measured costs of the shared parts\n"
    yield "| | a recording | a span | a second without work |"
    yield "|---|---|---|---|"
    for name, title in (("web_s", "web process, processor ms"), ("prefect_s", "Prefect server, processor ms")):
        a_job, a_span = solved(one.long, one.short, name)
        idle_ms = 1000 * getattr(one.idle, name) / one.idle_s
        yield f"| {title} | {1000 * a_job:.0f} | {1000 * a_span:.0f} | {idle_ms:.0f} |"
    yield f"| ledger, writes | {costs.reports_a_job:.1f} | {costs.reports_a_span:.1f} | |"
    yield f"\nA flow run cost the Prefect server {1000 * costs.prefect_run_s:.0f} ms of its processor, all in all; a "
    yield f"write of the ledger took {1000 * costs.ledger_report_s:.1f} ms with its commit and its wait; reading "
    yield f"{costs.reading_speed:.0f} s of speech a second; a recording beside its spans {costs.job_beside_s:.2f} s."


def foretold(costs: Costs, hours: float) -> Iterator[str]:
    yield f"\n### Foretold: {hours:,.0f} hours a month on so many machines\n"
    yield "| machines | hours a month asked | done | machines busy | ledger busy | one Prefect server busy | wait, s |"
    yield "|---|---|---|---|---|---|---|"
    for machines in MACHINES:
        asked = hours * machines / MACHINES[-1]
        yield simulated_row(costs, machines, asked)
    free = replace(costs, prefect_run_s=0.0)
    yield simulated_row(free, MACHINES[-1], hours, label=", if Prefect took no time")


def simulated_row(costs: Costs, machines: int, hours: float, *, label: str = "") -> str:
    farm = Farm(cpu_slots=max(CPU_SLOTS, machines // 2), gpu_slots=machines)
    simulation = Simulation(costs=replace(costs, engine_speed=MACHINE_SPEED), farm=farm)
    rate = hours * 3600 / MONTH_S
    arrivals = random_arrivals(rate, length_s=LENGTH_S, span_s=SPAN_S, for_s=SIMULATED_S, seed=1)
    simulation.run(arrivals, until_s=SIMULATED_S)
    done_s = sum(each.audio_s for each, ended_s in simulation.ended if ended_s > SETTLED_AFTER_S)
    done = done_s / (SIMULATED_S - SETTLED_AFTER_S) * MONTH_S / 3600
    busy = [part.share(SIMULATED_S) for part in (simulation.gpu, simulation.ledger, simulation.prefect)]
    shares = " | ".join(f"{100 * share:.0f}%" for share in busy)
    return f"| {machines}{label} | {hours:,.0f} | {done:,.0f} | {shares} | {simulation.median_wait_s():.0f} |"


def tables(found: Sequence[Measured]) -> list[str]:
    """Return what was measured, and how far the model is right."""
    costs = costs_of(found[0])
    return [*speed_up(found), *comparison(costs, found), *costs_table(costs, found[0])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="numbers of workers, first one")
    parser.add_argument("--spans", type=int, default=16, help="of the long recording")
    parser.add_argument("--short", type=int, default=4, help="recordings of three spans")
    parser.add_argument("--idle", type=float, default=20.0, help="seconds in which workers have nothing to do")
    parser.add_argument("--database", help="of Prefect, such as postgresql+asyncpg://…")
    parser.add_argument("--hours", type=float, default=1e6, help="a month")
    parser.add_argument("--model", default=str(TINY_MODEL), help="a folder; without, the tests' model")
    parser.add_argument("--speech", type=Path, help="a folder of clips; without, the tests' voices")
    parser.add_argument("--match", default="*-en-*.ogg", help="the clips that are used")
    parser.add_argument("--span", type=float, default=SPAN_MAX_S, help="the longest span, in seconds")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    found = list[Measured]()
    for workers in asked.workers:
        found.append(measure(workers, asked))
        print("\n".join(tables(found)), file=sys.stderr, flush=True)
    print(f"## Workers, and a model of many; Prefect on {'PostgreSQL' if asked.database else 'SQLite'}\n")
    print("\n".join([*tables(found), *foretold(costs_of(found[0]), asked.hours)]))
    print(f"\nRecordings of {LENGTH_S / 60:g} minutes on average in spans of {SPAN_S:g} s; a machine is assumed to")
    print(
        f"transcribe {MACHINE_SPEED:g} s of speech a second. Load average {load:.1f} before, {os.getloadavg()[0]:.1f}"
    )
    print("after: other work ran beside, so only ratios within this run count. `python -m benchmarks scaling`.")


if __name__ == "__main__":
    main()
