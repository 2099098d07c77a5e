"""The administrator's pages about the platform: overview, queues, uploads, system, performance, settings."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import streamlit as st
from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings
from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from dashboards.pages.admin import system
from dashboards.pages.admin.configuration import concerns, rows
from dashboards.presenters import formatting
from dashboards.runtime import cache_stats, machine_load
from dashboards.runtime.maintenance.part_guard import Look
from dashboards.strings.logs import HIDDEN
from storage.domain.clock import utc_now
from storage.domain.records import JobState, Lane, Options, Role, User
from storage.files.upload_store import Upload, new_ident
from storage.jobs import job_store
from storage.ledger import audit, slow_queries
from storage.remote.part_troubles import PlatformPart, prefect_away, storage_away
from storage.remote.worker_registry import ALIVE_FOR
from storage.remote.worker_troubles import troubles
from tests.dashboards.desk import Desk, button, words

PAGES = ("overview", "queues", "incoming", "system", "performance", "configuration")


@pytest.fixture
def root(desk: Desk) -> User:
    return desk.user("root", Role.ADMIN)


@pytest.mark.parametrize("view", PAGES)
@pytest.mark.parametrize("role", [Role.MEMBER, Role.READER])
def test_only_administrators_have_these_pages(desk: Desk, view: str, role: Role) -> None:
    with pytest.raises(ValueError, match="is not registered"):
        desk.page(view, desk.user("ada", role))


def metrics(at: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in at.metric}


def test_the_overview_counts_what_happened(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    desk.beat(busy=1)
    desk.job(ada, JobState.COMPLETED)
    desk.job(ada, JobState.COMPLETED, name="talk.wav")
    desk.job(ada, JobState.FAILED, name="broken *.wav")
    desk.job(ada, JobState.QUEUED, name="later.wav")
    at = desk.page("overview", root)
    told = metrics(at)
    assert (told["Finished in 24 h"], told["Failed in 24 h"], told["Waiting"]) == ("2", "1", "1")
    assert told["Slots busy"] == "2 of 4"
    assert told["Recordings stored"] == "3"
    assert "has no audio track" in words(at)


def test_an_overview_of_nothing_says_so(desk: Desk, root: User) -> None:
    said = words(desk.page("overview", root))
    assert "Nothing has failed" in said
    assert "No worker that transcribes is running" in said


def test_the_queues_tell_the_backlog_and_that_prefect_is_away(
    desk: Desk, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.job(desk.user("ada"))
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        away = get_current_settings()
    # for the page's thread too, where another test's harness may have made its own settings everybody's
    monkeypatch.setattr("prefect.settings.get_current_settings", lambda: away)
    at = desk.page("queues", root)
    assert metrics(at) == {"Now": "1", "When the machine is free": "0", "Last": "0"}
    assert "does not answer" in words(at)


def test_the_platform_is_paused_with_a_reason_that_every_page_shows(
    desk: Desk, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        away = get_current_settings()
    monkeypatch.setattr("prefect.settings.get_current_settings", lambda: away)
    ada = desk.user("ada")
    running = desk.job(ada, JobState.TRANSCRIBING)
    at = desk.page("queues", root)
    next(one for one in at.text_input if one.label == "Reason, for everybody").set_value("new *disks*")
    button(at, "Pause the platform").click()
    at.run()
    assert "1 recording is still running." in words(at)
    assert r"Paused for maintenance: new \*disks\*" in words(desk.page("search", ada))
    desk.ledger.run(job_store.cancel, running.id, actor="system:test")
    at.run()
    assert "No recording is running" in words(at)
    button(at, "Resume the platform").click()
    at.run()
    assert "Paused for maintenance" not in words(desk.page("search", ada))


def upload_of(desk: Desk, owner: User, have: bytes) -> Upload:
    shelf = desk.holder.shelf
    upload = Upload(
        id=new_ident(),
        owner_id=owner.id,
        length_bytes=4_000_000,
        name="long.wav",
        options=Options(),
        lane=Lane.BATCH,
    )
    shelf.data(shelf.save(upload).id).write_bytes(have)
    return upload


def test_an_upload_in_progress_can_be_thrown_away_and_it_is_on_record(desk: Desk, root: User) -> None:
    assert "There are no unfinished uploads" in words(desk.page("incoming", root))
    upload = upload_of(desk, desk.user("ada"), b"x" * 1_000_000)
    at = desk.page("incoming", root)
    assert metrics(at)["Remaining"] == "3.0 MB"
    assert "long.wav" in words(at)
    button(at, "Delete permanently").click()
    at.run()
    assert not desk.holder.shelf.exists(upload.id)
    assert not desk.holder.shelf.data(upload.id).exists()
    with desk.ledger.read() as con:
        (row,) = audit.page(con, before_seq=None, limit=1, actor=f"user:{root.id}", action="upload.delete")
    assert (row.subject, row.detail["bytes"]) == (upload.id, 1_000_000)


def test_an_upload_that_is_complete_is_not_called_unfinished(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    upload_of(desk, ada, b"x" * 4_000_000)
    at = desk.page("incoming", root)
    said = words(at)
    assert "There are no unfinished uploads" in said
    assert "These files have arrived completely" in said
    assert "long.wav" in said
    assert metrics(at) == {}
    upload_of(desk, ada, b"x" * 1_000_000)
    at = desk.page("incoming", root)
    assert metrics(at) == {"Uploads and parts": "1", "Remaining": "3.0 MB"}
    assert words(at).count("long.wav") == 2


def test_the_system_page_says_which_parts_answer_and_draws_the_load(desk: Desk, root: User) -> None:
    at = desk.page("system", root)
    assert "A sample is taken every 10 seconds" in words(at)
    folder = desk.holder.settings.storage.data_dir
    for _ in range(3):
        sample = desk.holder.gauges.take(desk.ledger, folder, pages=2)
        time.sleep(0.01)
        assert 0 <= sample.cpu <= 1
        assert 0 < sample.memory <= 1
        assert sample.process_bytes > 1_000_000
    at = desk.page("system", root)
    charts = at.get("vega_lite_chart")
    assert len(charts) == 4
    axes = [json.loads(chart.proto.spec)["encoding"]["y"]["axis"] for chart in charts]
    assert {axis["format"] for axis in axes} == {"d"}, "100 is no 1e+2"
    assert "no worker that transcribes is running" in words(at).lower()


def test_a_frozen_worker_is_said_in_the_same_words_on_every_page(desk: Desk, root: User) -> None:
    job = desk.job(desk.user("ada"), JobState.TRANSCRIBING)
    desk.beat()
    (worker,) = desk.holder.workers.alive(pool="gpu")
    views: list[tuple[str, dict[str, str]]] = [
        ("jobs", {}),
        ("job", {"id": job.id}),
        ("machines", {}),
        ("overview", {}),
        ("system", {}),
    ]
    assert not any("sent no heartbeat" in words(desk.page(view, root, **query)) for view, query in views)
    desk.holder.workers.beat(worker, now=utc_now() - ALIVE_FOR)
    expected = [formatting.sentence(one) for one in troubles(desk.holder.workers, utc_now())]
    assert len(expected) == 2
    for view, query in views:
        desk.holder.workers.beat(desk.holder.workers.alive(pool="cpu")[0])
        said = words(desk.page(view, root, **query)).replace("\\", "")
        assert all(one in said for one in expected), view


def test_every_page_says_alike_that_storage_and_prefect_are_away(desk: Desk, root: User) -> None:
    waiting, done = desk.job(root, JobState.TRANSCRIBING), desk.job(root, JobState.COMPLETED)
    desk.beat()
    for part in PlatformPart:
        desk.holder.parts.note(part, Look(reason="nobody listens there", took_s=5.0))
    away = [formatting.sentence(storage_away()), formatting.sentence(prefect_away())]
    views: list[tuple[str, dict[str, str]]] = [
        ("jobs", {}),
        ("job", {"id": waiting.id}),
        ("machines", {}),
        ("overview", {}),
    ]
    for view, query in views:
        said = words(desk.page(view, root, **query)).replace("\\", "")
        assert all(one in said for one in away), view
    on_system = words(desk.page("system", root)).replace("\\", "")
    assert all(f"{one.removesuffix('.')} (nobody listens there)" in on_system for one in away)
    finished = words(desk.page("job", root, id=done.id)).replace("\\", "")
    assert [one in finished for one in away] == [True, False]  # what is done waits for nobody


def test_the_processors_load_is_seen_from_any_thread() -> None:
    meter = machine_load.ProcessorMeter()
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    with ThreadPoolExecutor(1) as another:
        busy = another.submit(meter.busy_share).result()
    assert 0 < busy <= 1


def test_many_samples_are_thinned_and_the_newest_stays(desk: Desk) -> None:
    sample = desk.holder.gauges.take(desk.ledger, desk.holder.settings.storage.data_dir, pages=0)
    older = [sample] * 2000
    newest = desk.holder.gauges.take(desk.ledger, desk.holder.settings.storage.data_dir, pages=1)
    kept = system.thinned([*older, newest])
    assert len(kept) <= 2 * system.POINTS
    assert kept[-1] is newest


def test_requests_are_shown_by_route(desk: Desk, root: User) -> None:
    assert "No request has been answered yet" in words(desk.page("performance", root))
    for took_s in (0.010, 0.020, 0.900):
        desk.holder.timings.note("GET /downloads/{job_id}/{fmt}", 200, took_s)
    desk.holder.timings.note("POST /uploads", 507, 0.001)
    table = desk.page("performance", root).dataframe[0].value
    assert list(table["Route"]) == ["GET /downloads/{job_id}/{fmt}", "POST /uploads"]
    assert list(table["Requests"]) == [3, 1]
    assert list(table["Server errors"]) == [0, 1]
    assert (table["p50"][0], table["p95"][0]) == (20.0, 900.0)


def test_a_slow_query_is_shown_with_its_text_and_forgotten(desk: Desk, root: User) -> None:
    slow_queries.SEEN.forget()
    slow = "SELECT count(*) FROM range(300000000) AS numbers(n) WHERE n % 7 = $rest"
    with desk.ledger.read() as con:
        for rest in range(20):
            con.execute(slow, {"rest": rest}).fetchall()
            if slow_queries.SEEN.found():
                break
    (found,) = slow_queries.SEEN.found()
    assert (found.text, found.longest_s >= slow_queries.SLOW_S) == (slow, True)
    at = desk.page("performance", root)
    assert slow in [one.value for one in at.code]
    button(at, "Clear list").click()
    at.run()
    assert slow not in [one.value for one in at.code]  # what the page itself asks may be slow on a busy machine


@pytest.fixture
def kept() -> Iterator[cache_stats.Counted[[int], int]]:
    """A cached function that lasts longer than a slow machine takes."""

    @cache_stats.counted("of a test", st.cache_data(show_spinner=False))
    def double(number: int) -> int:
        return 2 * number

    yield double
    del cache_stats.KNOWN["of a test"]


def test_caches_count_their_hits_and_are_cleared(desk: Desk, root: User, kept: cache_stats.Counted[[int], int]) -> None:
    assert [kept(2), kept(2), kept(3), kept(2)] == [4, 4, 6, 4]
    assert (kept.asked, kept.hits) == (4, 2)
    at = desk.page("performance", root)
    shown = at.dataframe[-1].value.set_index("Cache").loc["of a test"]
    assert (shown["Lookups"], shown["Hits"], shown["Hit rate"]) == (4, 2, 0.5)
    assert at.dataframe[-1].value.set_index("Cache").loc["API answers"]["Lookups"] == 0
    button(at, "Clear caches").click()
    at.run()
    assert kept(2) == 4
    assert (kept.asked, kept.hits) == (5, 2)


def test_settings_are_shown_and_secrets_are_not(desk: Desk, root: User) -> None:
    at = desk.page("configuration", root)
    shown = {row["Setting"]: row for concern in concerns() for row in rows(concern)}
    told = words(at)
    assert all(name in told for name in shown)
    assert "<td data-label='Value'>24.0</td><td data-label='Source'>Default</td>" in told
    for concern in concerns():
        for name in type(concern).model_fields:
            value = getattr(concern, name)
            if isinstance(value, SecretStr):
                assert value.get_secret_value() not in told
                assert shown[f"TRANSCRIBER_{name.upper()}"]["Value"] == HIDDEN
    assert all(row["Description"] for concern in concerns() for row in rows(concern))


def test_a_page_that_breaks_says_so_with_an_id_that_the_log_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def script() -> None:
        from dashboards.pages.script_errors import on_script_error

        on_script_error(ValueError("the cause"))

    at = AppTest.from_function(script)
    at.run()
    ident = at.error[0].value.split("**")[1]
    record = next(one for one in caplog.records if one.name == "dashboards.pages.script_errors")
    assert record.__dict__["request_id"] == ident
    assert "the cause" in str(record.exc_info)
    assert "the cause" not in at.error[0].value
