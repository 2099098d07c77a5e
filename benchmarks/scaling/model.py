"""A model of dispatcher, Prefect server, ledger and workers, as a discrete-event simulation.

What it assumes, beside the measured costs: the ledger has one writer and the Prefect server one thread, each takes one
piece of work at a time in the order of arrival; a cpu slot holds a recording from its first second to its transcript; a
gpu slot takes one span at a time; storage and network never make anybody wait.
"""

import random
import statistics
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import simpy

Steps = Generator[simpy.Event, Any, None]
IN_FLIGHT_A_SLOT = 2
"""The dispatcher hands out so many recordings for each cpu slot (`dashboards/loops/dispatcher.py`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Seconds that one piece of work takes of its part, measured."""

    ledger_accept_s: float
    ledger_report_s: float
    reports_a_job: float
    reports_a_span: float
    prefect_run_s: float
    span_beside_s: float
    """A gpu slot's seconds for a span beside the engine."""
    job_beside_s: float
    """A cpu slot's seconds for a recording beside reading it and waiting for its spans."""
    reading_speed: float
    engine_speed: float
    """Seconds of audio a second, of one cpu slot that reads and of one gpu slot that transcribes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Farm:
    """How many slots there are."""

    cpu_slots: int
    gpu_slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A recording that comes `at_s`, with the seconds of audio of its spans."""

    at_s: float
    spans_s: tuple[float, ...]

    @property
    def audio_s(self) -> float:
        return sum(self.spans_s)


@dataclass(kw_only=True)
class Part:
    """Something that does one thing at a time, or a few, and how long it was busy."""

    resource: simpy.Resource
    busy_s: float = 0.0

    def work(self, env: simpy.Environment, seconds: float) -> Steps:
        """Wait for a free place, and keep it for so long."""
        with self.resource.request() as place:
            yield place
            yield env.timeout(seconds)
        self.busy_s += seconds

    def share(self, over_s: float) -> float:
        """Return how busy it was, of all it could have been."""
        return self.busy_s / (over_s * self.resource.capacity) if over_s else 0.0


@dataclass(kw_only=True)
class Simulation:
    """One run of the model; `ended` has the recordings that are done, with the time of their end."""

    costs: Costs
    farm: Farm
    env: simpy.Environment = field(default_factory=simpy.Environment)
    ended: list[tuple[Arrival, float]] = field(default_factory=list)
    first_span_waits_s: list[float] = field(default_factory=list)
    span_runs: int = 0

    def __post_init__(self) -> None:
        def part(capacity: int) -> Part:
            return Part(resource=simpy.Resource(self.env, capacity))

        self.ledger, self.prefect = part(1), part(1)
        self.gpu, self.cpu = part(self.farm.gpu_slots), simpy.Resource(self.env, self.farm.cpu_slots)
        self.in_flight = simpy.Resource(self.env, IN_FLIGHT_A_SLOT * self.farm.cpu_slots)

    def run(self, arrivals: Sequence[Arrival], *, until_s: float | None = None) -> float:
        """Simulate the recordings to the end of the last one, or until then; return the time."""
        self.env.process(self._arrivals(arrivals))
        self.env.run(until=until_s)
        return float(self.env.now)

    def _arrivals(self, arrivals: Sequence[Arrival]) -> Steps:
        for arrival in arrivals:
            yield self.env.timeout(max(0.0, arrival.at_s - self.env.now))
            self.env.process(self._recording(arrival))

    def _recording(self, arrival: Arrival) -> Steps:
        costs, env = self.costs, self.env
        yield from self.ledger.work(env, costs.ledger_accept_s)
        with self.in_flight.request() as handed_out:
            yield handed_out
            yield from self.prefect.work(env, costs.prefect_run_s)
            with self.cpu.request() as slot:
                yield slot
                spans: list[simpy.Process] = []
                for span_s in arrival.spans_s:
                    yield env.timeout(span_s / costs.reading_speed)
                    spans.append(env.process(self._span(span_s, came_s=arrival.at_s, first=not spans)))
                yield env.all_of(spans)
                yield env.timeout(costs.job_beside_s)
                yield from self.ledger.work(env, costs.reports_a_job * costs.ledger_report_s)
        self.ended.append((arrival, float(env.now)))

    def _span(self, span_s: float, *, came_s: float, first: bool) -> Steps:
        costs, env = self.costs, self.env
        yield from self.prefect.work(env, costs.prefect_run_s)
        with self.gpu.resource.request() as slot:
            yield slot
            if first:
                self.first_span_waits_s.append(float(env.now) - came_s)
            taken_s = costs.span_beside_s + span_s / costs.engine_speed
            yield env.timeout(taken_s)
            self.gpu.busy_s += taken_s
        self.span_runs += 1
        yield from self.ledger.work(env, costs.reports_a_span * costs.ledger_report_s)

    def median_wait_s(self) -> float:
        """Return how long a recording waits for its first span to begin, in the middle."""
        return statistics.median(self.first_span_waits_s) if self.first_span_waits_s else 0.0


def cut(audio_s: float, span_s: float) -> tuple[float, ...]:
    """Return the lengths of a recording's spans."""
    whole, rest = divmod(audio_s, span_s)
    return (span_s,) * int(whole) + ((rest,) if rest > 0 else ())


def random_arrivals(audio_a_second: float, *, length_s: float, span_s: float, for_s: float, seed: int) -> list[Arrival]:
    """Return recordings that come at random, with exponential lengths, so much audio in all."""
    return list(_random_arrivals(audio_a_second, length_s=length_s, span_s=span_s, for_s=for_s, seed=seed))


def _random_arrivals(
    audio_a_second: float, *, length_s: float, span_s: float, for_s: float, seed: int
) -> Iterator[Arrival]:
    chance, now_s = random.Random(seed), 0.0  # noqa: S311
    while (now_s := now_s + chance.expovariate(audio_a_second / length_s)) < for_s:
        yield Arrival(at_s=now_s, spans_s=cut(chance.expovariate(1 / length_s), span_s))
