"""Exports of the current transcript: served if present, made once if not, never stale."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest
import srt

from dashboards.clients.prefect_runs import DeploymentMissing, PrefectRun
from dashboards.runtime import context
from dashboards.runtime.limits import Limits
from flows.flows.export_transcript import make
from storage.domain import names
from storage.domain.clock import utc_now
from storage.domain.records import CueLimits, ExportFormat, Job
from storage.jobs import save_edit
from storage.transcripts import transcript_store
from storage.transcripts.edits import Draft, Piece
from tests.dashboards.heard import LINES, hear
from tests.dashboards.site import Site
from tests.factories import heartbeat
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.shared_site


class PlayedRuns:
    """Prefect with a worker that runs the deployment's own code, in a thread, once it may."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.may_work = threading.Event()
        self.may_work.set()
        self.refuse: Exception | None = None
        self.ends_as = "running"
        self._runs: dict[str, PrefectRun] = {}

    async def export(self, job: Job, parameters: dict[str, Any], *, key: str) -> PrefectRun:
        assert parameters["stored_as"] == stored(job)
        if self.refuse:
            raise self.refuse
        if key not in self._runs:
            self.keys.append(key)
            self._runs[key] = PrefectRun(
                id=key, state=self.ends_as, message="no room", since=utc_now(), job_id=None, attempt=None
            )
            if self.ends_as == "running":
                threading.Thread(target=self._work, kwargs={"files": context.files(), **parameters}).start()
        return self._runs[key]

    async def by_id(self, ids: list[str]) -> dict[str, PrefectRun]:
        return {ident: self._runs[ident] for ident in ids}

    def _work(self, *, files: Any, stored_as: str, formats: list[str], settings: dict[str, Any]) -> None:
        assert self.may_work.wait(PATIENCE_S)
        make(files, stored_as, [ExportFormat(fmt) for fmt in formats], CueLimits(**settings))


@pytest.fixture
def played(site: Site) -> PlayedRuns:
    played, until_s = PlayedRuns(), time.monotonic() + PATIENCE_S
    while context.current().runs is None:  # the app's own connection, to nobody
        assert time.monotonic() < until_s
        time.sleep(0.01)
    context.current().runs = played  # type: ignore[assignment]
    context.workers().beat(heartbeat("cpu", slots=2))
    return played


@pytest.fixture
def get(site: Site) -> Callable[..., Any]:
    key = site.key_of(site.user("ada"))
    return lambda path, **headers: site.client.get(path, headers=key | headers)


def stored(job: Job) -> str:
    with context.ledger().read() as con:
        found = transcript_store.stored_as(con, job.id)
    assert found
    return found


def test_what_is_there_is_served_without_a_run(site: Site, played: PlayedRuns, get: Callable[..., Any]) -> None:
    job = hear(site.user("ada"))
    assert get(f"/downloads/{job.id}/vtt").text == "WEBVTT\n"
    assert played.keys == []


def test_what_is_not_there_is_made_with_the_settings_of_the_address(
    site: Site, played: PlayedRuns, get: Callable[..., Any]
) -> None:
    job = hear(site.user("ada"), speakers=("Ann", "Ben"))
    for path in (f"/downloads/{job.id}/srt", f"/api/v1/jobs/{job.id}/exports/srt"):
        answer = get(f"{path}?max_line_width=20&max_line_count=1&speakers=false")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-subrip; charset=utf-8")
        assert "harbour.srt" in answer.headers["content-disposition"]
        found = list(srt.parse(answer.text))
        assert " ".join(cue.content for cue in found) == " ".join(LINES)
        assert all(len(cue.content) <= 20 for cue in found)
    assert len(played.keys) == 1


@pytest.mark.parametrize("fmt", [*ExportFormat])
def test_every_format_is_offered(site: Site, played: PlayedRuns, get: Callable[..., Any], fmt: str) -> None:
    job = hear(site.user("ada"))
    assert get(f"/api/v1/jobs/{job.id}").json()["files"] == [*ExportFormat]
    answer = get(f"/api/v1/jobs/{job.id}/exports/{fmt}")
    assert answer.status_code == 200
    head = site.client.head(f"/downloads/{job.id}/{fmt}", headers=site.key_of(site.user("ada")))
    assert (head.status_code, head.content) == (200, b"")
    assert get(f"/downloads/{job.id}/{fmt}", **{"If-None-Match": answer.headers["etag"]}).status_code == 304


def test_an_edited_transcript_never_serves_an_old_file(site: Site, played: PlayedRuns, get: Callable[..., Any]) -> None:
    ada = site.user("ada")
    job = hear(ada)
    before = get(f"/downloads/{job.id}/txt")
    piece = Piece(start_s=0.2, end_s=3.5, text="Good evening.", origin=(0,))
    draft = Draft(base=1, segments=(piece, *range(1, len(LINES))))
    save_edit.edit(context.ledger(), context.files(), job.id, draft, actor=f"user:{ada.id}")
    after = get(f"/downloads/{job.id}/txt", **{"If-None-Match": before.headers["etag"]})
    assert before.text.startswith("Good morning")
    assert (after.status_code, after.text.splitlines()[0]) == (200, "Good evening.")
    assert get(f"/downloads/{job.id}/json").json()["version"] == 2


def test_many_at_once_start_one_run(site: Site, played: PlayedRuns, get: Callable[..., Any]) -> None:
    job = hear(site.user("ada"))
    played.may_work.clear()
    threading.Timer(0.5, played.may_work.set).start()
    with ThreadPoolExecutor(12) as many:
        answers = list(many.map(lambda _: get(f"/downloads/{job.id}/docx"), range(12)))
    assert [answer.status_code for answer in answers] == [200] * 12
    assert len(played.keys) == 1


def test_a_file_that_takes_long_is_asked_for_again(site: Site, played: PlayedRuns, get: Callable[..., Any]) -> None:
    context.current().limits = Limits(export_wait_s=0.3)
    job = hear(site.user("ada"))
    played.may_work.clear()
    answer = get(f"/downloads/{job.id}/docx")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "the workers are busy" in answer.json()["error"]["message"]
    played.may_work.set()
    context.current().limits = Limits(export_wait_s=60)
    assert get(f"/downloads/{job.id}/docx").status_code == 200
    assert len(played.keys) == 1


def test_it_is_said_when_nobody_is_there_to_make_it(site: Site, played: PlayedRuns, get: Callable[..., Any]) -> None:
    context.current().limits = Limits(export_wait_for_nobody_s=0.2)
    context.workers().gone("cpu-1")
    played.may_work.clear()
    answer = get(f"/downloads/{hear(site.user('ada')).id}/docx")
    assert answer.status_code == 503
    assert "no worker of the cpu pool" in answer.json()["error"]["message"]
    played.may_work.set()


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        (httpx.ConnectError("refused"), "the Prefect server does not answer"),
        (DeploymentMissing("export"), "has not been told of the deployments"),
    ],
)
def test_it_is_said_when_prefect_is_away(
    site: Site, played: PlayedRuns, get: Callable[..., Any], refusal: Exception, says: str
) -> None:
    played.refuse = refusal
    answer = get(f"/downloads/{hear(site.user('ada')).id}/docx")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "export_pending")
    assert says in answer.json()["error"]["message"]


def test_a_failed_export_is_reported_and_can_be_retried(
    site: Site, played: PlayedRuns, get: Callable[..., Any]
) -> None:
    job = hear(site.user("ada"))
    played.ends_as = "failed"
    answer = get(f"/downloads/{job.id}/docx")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "export_failed")
    assert "no room" in answer.json()["error"]["message"]
    assert len(played.keys) == 2  # the first may be of long ago, so it is tried once more


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("max_line_width=3", "max_line_width: give a whole number from 8 to 200"),
        ("max_line_width=1e9", "max_line_width: give a whole number from 8 to 200"),
        ("max_line_width=", "max_line_width: give a whole number"),
        ("max_line_width=" + "9" * 5000, "max_line_width: give a whole number"),
        ("max_chars_per_s=nan", "max_chars_per_s: give a number from 5"),
        ("max_duration_s=inf", "max_duration_s: give a number from 1"),
        ("min_duration_s=9", "min_duration_s: it must not be above max_duration_s"),
        ("highlight_words=perhaps", "highlight_words: say true or false"),
        ("max_line_width=20&max_line_width=30", "max_line_width: it is given twice"),
        ("max_line_widht=20", "max_line_widht: there is no such setting; there are max_line_width"),
        ("x" * 3000 + "=1", "there is no such setting"),
        ("cues[max_line_width]=20", "there is no such setting"),
    ],
)
def test_hostile_settings_are_refused_in_words(
    site: Site, played: PlayedRuns, get: Callable[..., Any], query: str, says: str
) -> None:
    job = hear(site.user("ada"))
    for path in (f"/downloads/{job.id}/srt", f"/api/v1/jobs/{job.id}/exports/srt"):
        answer = get(f"{path}?{query}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_setting")
        assert says in answer.json()["error"]["message"]
        assert len(answer.json()["error"]["message"]) < 400
    assert played.keys == []


def test_what_is_not_ones_own_is_not_made(site: Site, played: PlayedRuns, get: Callable[..., Any]) -> None:
    job = hear(site.user("bob"))
    assert get(f"/downloads/{job.id}/docx").status_code == 404
    assert get(f"/api/v1/jobs/{job.id}/exports/docx").status_code == 404
    assert played.keys == []


def test_too_many_at_once_are_put_off(site: Site, played: PlayedRuns, get: Callable[..., Any]) -> None:
    job = hear(site.user("ada"))
    context.current().limits = Limits(exports_at_once=0)
    answer = get(f"/downloads/{job.id}/docx")
    assert answer.status_code == 503
    assert "many others" in answer.json()["error"]["message"]


def test_settings_that_the_page_never_offers_are_in_the_api_page(site: Site, get: Callable[..., Any]) -> None:
    described = get("/api/openapi.json").json()["paths"]["/v1/jobs/{job_id}/exports/{fmt}"]["get"]["parameters"]
    asked = {one["name"] for one in described if one["in"] == "query"}
    assert asked == set(CueLimits.__dataclass_fields__)


def test_the_files_of_a_job_are_few(site: Site, played: PlayedRuns) -> None:
    job = hear(site.user("ada"))
    files, folder = context.files(), names.exports_folder(job.id)
    for width in range(20, 24):
        made = make(files, stored(job), [ExportFormat.SRT], CueLimits(max_line_width=width), most_files=3)
        assert all(map(files.exists, made))
    assert len(list(files.list(folder))) <= 3


def test_what_is_made_of_a_transcript_that_is_gone_goes_too(
    site: Site, played: PlayedRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.domain.errors import NotStored

    job = hear(site.user("ada"))
    files, stored_as = context.files(), stored(job)

    def late(*_: Any, **__: Any) -> bytes:
        files.delete(stored_as)
        return b"late"

    monkeypatch.setattr("tasks.exports.writers.docx_writer.docx", late)
    with pytest.raises(NotStored):
        make(files, stored_as, [ExportFormat.DOCX], CueLimits())
    assert list(files.list(names.exports_folder(job.id))) == []


def test_the_same_settings_written_otherwise_are_the_same_file(site: Site, played: PlayedRuns) -> None:
    job = hear(site.user("ada"))
    whole = replace(CueLimits(), max_duration_s=7, max_chars_per_s=20)
    name = names.export_name(job.id, stored(job), "srt", whole)
    assert name == names.export_name(job.id, stored(job), "srt", CueLimits())
