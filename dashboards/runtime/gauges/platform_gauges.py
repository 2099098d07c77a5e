"""Gauges of jobs, queues, the ledger and this process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from duckdb import DuckDBPyConnection
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from dashboards.runtime.context import Context
from storage.domain.clock import utc_now
from storage.domain.records import JobState
from storage.jobs import job_store, platform_pause, statistics
from storage.jobs.statistics import Backlog
from storage.ledger.database import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFacts:
    """What the ledger says at a scrape."""

    states: Mapping[JobState, int]
    backlog: Sequence[Backlog]
    paused: bool
    handed_out: int


def facts(con: DuckDBPyConnection) -> LedgerFacts:
    """Read what the gauges need, in one transaction."""
    return LedgerFacts(
        states=job_store.counts(con),
        backlog=statistics.backlog(con),
        paused=platform_pause.find(con) is not None,
        handed_out=platform_pause.running(con),
    )


def add_jobs(registry: CollectorRegistry, told: LedgerFacts) -> None:
    """Add jobs by state, and how many wait in each lane for how long."""
    by_state = Gauge("transcriber_jobs", "Jobs by state", ["state"], registry=registry)
    for state in JobState:
        by_state.labels(state.value).set(told.states[state])
    waiting = Gauge("transcriber_queue_waiting", "Recordings that wait, by lane", ["lane"], registry=registry)
    oldest = Gauge(
        "transcriber_queue_oldest_seconds", "How long the oldest of them has waited", ["lane"], registry=registry
    )
    for lane in told.backlog:
        waiting.labels(lane.lane.value).set(lane.waiting)
        oldest.labels(lane.lane.value).set((utc_now() - lane.oldest).total_seconds() if lane.oldest else 0)


def add_process(registry: CollectorRegistry, holder: Context, told: LedgerFacts, uploads: int) -> None:
    """Add the version, this process's memory and processor time, and single numbers."""
    build = Gauge("transcriber_build_info", "1, with the version as label", ["version"], registry=registry)
    build.labels(version("whisper-transcriber")).set(1)
    ProcessCollector(registry=registry)
    single = {
        "transcriber_paused": ("1 while the platform is paused for maintenance", int(told.paused)),
        "transcriber_jobs_handed_out": ("Recordings that are running", told.handed_out),
        "transcriber_sessions_open": ("Sessions and keys with an open websocket", len(holder.doors.idents())),
        "transcriber_answer_cache_bytes": ("Size of the kept answers of the API", holder.answers.size_bytes()),
        "transcriber_uploads": ("Uploads that are kept", uploads),
        "transcriber_search_wal_bytes": ("Size of the search index's write-ahead log", holder.search.wal_bytes()),
    }
    for name, (text, value) in single.items():
        Gauge(name, text, registry=registry).set(value)


def add_ledger(registry: CollectorRegistry, ledger: Ledger) -> None:
    """Add the size of the ledger's log, its checkpoints, and the time of its writes."""
    single = {
        "transcriber_ledger_wal_bytes": ("Size of the ledger's write-ahead log", ledger.wal_bytes()),
        "transcriber_ledger_checkpoints": ("Checkpoints since the start", ledger.checkpoints.count),
        "transcriber_ledger_checkpoint_seconds": ("Duration of the last one", ledger.checkpoints.last_s),
    }
    for name, (text, value) in single.items():
        Gauge(name, text, registry=registry).set(value)
    writes = ledger.writes
    Counter("transcriber_ledger_writes", "Committed changes since the start", registry=registry).inc(writes.count)
    Counter(
        "transcriber_ledger_write_seconds", "Time of the changes, with their wait for each other", registry=registry
    ).inc(writes.total_s)
