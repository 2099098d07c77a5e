"""`/metrics`: counters and histograms with few series, in Prometheus' text format."""

import re
from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from dashboards.runtime import context, notify
from storage.domain.records import JobState
from storage.domain.settings import RateLimitSettings, Settings
from storage.jobs import job_store
from tests.dashboards.site import UNLIMITED, Site, running
from tests.factories import heartbeat, job_in

pytestmark = pytest.mark.shared_site


def scraped(site: Site) -> dict[str, Metric]:
    text = site.client.get("/metrics", headers=site.operator).text
    families = list(text_string_to_metric_families(text))
    assert [name for name, n in Counter(family.name for family in families).items() if n > 1] == []
    return {family.name: family for family in families}


def value(family: Metric, name: str, **labels: str) -> float:
    found = [one.value for one in family.samples if one.name == name and labels.items() <= one.labels.items()]
    assert len(found) == 1, (name, labels, family.samples)
    return found[0]


def routes(families: Iterable[Metric]) -> set[str]:
    return {one.labels["route"] for family in families for one in family.samples if "route" in one.labels}


def test_requests_are_counted_by_the_template_of_their_route(site: Site) -> None:
    ada = site.key_of(site.user("ada"))
    for ident in ("one", "two", "three"):
        for path in ("", "/transcript"):
            site.client.get(f"/api/v1/jobs/{ident}{path}", headers=ada)
        site.client.get(f"/nothing/{ident}", headers=ada)
        site.client.request(ident.upper(), f"/v1/models/{ident}", headers=ada)
    found = scraped(site)
    requests, took = found["transcriber_http_requests"], found["transcriber_http_request_duration_seconds"]
    for route in ("/api/v1/jobs/{job_id}", "/api/v1/jobs/{job_id}/transcript"):
        by = {"route": route, "method": "GET"}
        assert value(requests, "transcriber_http_requests_total", **by, status="404") == 3
        assert value(took, "transcriber_http_request_duration_seconds_count", **by) == 3
    assert value(found["transcriber_errors"], "transcriber_errors_total", code="not_found") == 6
    raw = re.compile(r"one|two|three", re.IGNORECASE)
    assert [route for route in routes(found.values()) if raw.search(route)] == []
    assert {one.labels["method"] for one in requests.samples} <= {"GET", "other"}


def test_a_job_that_ends_is_counted_once(site: Site, tone: Callable[..., bytes]) -> None:
    job = job_in(context.ledger(), context.files(), site.user("ada"), JobState.COMPLETED)
    failed = job_in(context.ledger(), context.files(), site.user("ada"), JobState.FAILED, name="other.wav")
    for one in (job, job, failed):
        with context.ledger().read() as con:
            notify.announce(job_store.get(con, one.id))
    found = scraped(site)
    for state, count in (("completed", 1), ("failed", 1), ("cancelled", 0)):
        assert value(found["transcriber_jobs_finished"], "transcriber_jobs_finished_total", state=state) == count
        took = found["transcriber_job_duration_seconds"]
        assert value(took, "transcriber_job_duration_seconds_count", state=state) == count
    assert value(found["transcriber_audio_seconds"], "transcriber_audio_seconds_total") == job.duration_s


def test_refusals_and_blocked_log_ins_are_counted(settings: Settings) -> None:
    settings.__dict__["rates"] = RateLimitSettings(**UNLIMITED | {"rate_limit_api": "1 per hour"}, _env_file=None)
    with running(settings) as site:
        key = site.key_of(site.user("ada"))
        assert [site.client.get("/api/v1/me", headers=key).status_code for _ in range(3)] == [200, 429, 429]
        assert [site.log_in("ada", "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
        found = scraped(site)
    limited, blocked = found["transcriber_rate_limited"], found["transcriber_logins_blocked"]
    classes = {one.labels["class"]: one.value for one in limited.samples}
    assert classes == {"api": 2, "auth": 0, "upload": 0, "admin": 0, "general": 0, "websocket": 0, "key": 0}
    assert {one.labels["by"]: one.value for one in blocked.samples} == {"password": 1, "share link": 0, "rate limit": 0}


def test_a_workers_speed_and_free_memory_are_gauges(site: Site) -> None:
    context.workers().beat(heartbeat("gpu", speech_per_s=12.25, free_bytes=3_000, draining=True))
    found = scraped(site)
    for name, expected in (("speech_seconds_per_second", 12.25), ("free_bytes", 3_000), ("draining", 1)):
        assert value(found[f"transcriber_worker_{name}"], f"transcriber_worker_{name}", worker="gpu-1") == expected
    assert found["transcriber_worker_spans_per_minute"].samples == []


def test_every_metric_is_described_and_named_by_convention(site: Site) -> None:
    """What `promtool check metrics` looks for."""
    for family in scraped(site).values():
        assert family.documentation, family.name
        assert re.fullmatch(r"[a-z][a-z0-9_]*", family.name), family.name
        assert not family.name.endswith(("_total", "_count", "_sum", "_bucket", "_ms", "_milliseconds")), family.name
        if family.type == "counter":
            assert {one.name for one in family.samples} <= {f"{family.name}_total"}, family.name
