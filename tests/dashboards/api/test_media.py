"""The recording with ranges, from a folder and from an object store, and the files under safe names."""

from collections.abc import Callable
from urllib.parse import unquote

import httpx
import pytest

from dashboards import context
from dashboards.media import disposition
from storage import names
from storage.files import Files
from storage.records import ExportFormat
from storage.settings import Settings
from tests.dashboards.served import SRT, played_workers, secret_of, serving
from tests.dashboards.site import Site
from tests.dashboards.test_jobs_api import submit


@pytest.fixture
def ada(site: Site) -> dict[str, str]:
    return site.key_of(site.user("ada"))


class Streamed(Files):
    """A folder that is read as an object store is: there is no path to it."""

    def path(self, _: str) -> None:
        return None


@pytest.fixture(params=["folder", "object store"])
def any_storage(request: pytest.FixtureRequest, site: Site) -> None:
    if request.param == "object store":
        context.current().files = Streamed(context.files().url)


@pytest.mark.usefixtures("any_storage")
@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("bytes=0-99", slice(0, 100)),
        ("bytes=1000-", slice(1000, None)),
        ("bytes=-500", slice(-500, None)),
        ("bytes=5-999999999", slice(5, None)),
    ],
)
def test_a_range_of_the_recording_is_served(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes], asked: str, wanted: slice
) -> None:
    data = tone()
    job_id = submit(site, ada, data).json()["id"]
    answer = site.client.get(f"/recordings/{job_id}", headers=ada | {"Range": asked})
    assert (answer.status_code, answer.content) == (206, data[wanted])
    start, stop, _ = wanted.indices(len(data))
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(data)}"
    assert "content-encoding" not in answer.headers


@pytest.mark.usefixtures("any_storage")
def test_the_whole_recording_is_served_and_plays(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    data = tone(3)
    job_id = submit(site, ada, data).json()["id"]
    answer = site.client.get(f"/recordings/{job_id}", headers=ada)
    assert (answer.status_code, answer.content) == (200, data)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"].startswith("audio/")
    head = site.client.head(f"/recordings/{job_id}", headers=ada)
    assert (head.headers["content-length"], head.content) == (str(len(data)), b"")


@pytest.mark.usefixtures("any_storage")
def test_a_range_outside_is_refused(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    job_id = submit(site, ada, tone()).json()["id"]
    answer = site.client.get(f"/recordings/{job_id}", headers=ada | {"Range": "bytes=999999999-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"].endswith(f"*/{len(tone())}")


def test_a_file_that_calls_itself_a_page_is_never_shown_as_one(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    for name in ("talk.html", "talk.svg", "talk.js", "talk"):
        job_id = submit(site, ada, tone(), name=name).json()["id"]
        answer = site.client.get(f"/recordings/{job_id}", headers=ada)
        assert answer.headers["content-type"] == "application/octet-stream", name


def test_a_recording_is_its_owners(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    job_id = submit(site, ada, tone()).json()["id"]
    bob = site.key_of(site.user("bob"))
    assert site.client.get(f"/recordings/{job_id}", headers=bob).status_code == 404
    assert site.client.get(f"/downloads/{job_id}/srt", headers=bob).status_code == 404


def test_a_recording_that_is_gone_from_storage_says_so(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    job = submit(site, ada, tone()).json()
    context.files().delete(names.media_name(job["media_sha256"]))
    answer = site.client.get(f"/recordings/{job['id']}", headers=ada)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_stored")


@pytest.mark.parametrize(
    "name", ['a"b.srt', "a\r\nSet-Cookie: x.srt", "Gespräch — 日本語 😀.srt", "a;b.srt", "100%.srt", "a/b.srt"]
)
def test_any_name_makes_a_safe_header(name: str) -> None:
    header = disposition("attachment", name)
    assert header.isascii()
    assert header.isprintable()
    plain, _, exact = header.removeprefix('attachment; filename="').partition("\"; filename*=UTF-8''")
    assert not set(plain) & set('"\\/;%')
    assert unquote(exact) == name


def test_a_finished_job_offers_its_files_under_the_recordings_name(
    settings: Settings, tone: Callable[..., bytes]
) -> None:
    with serving(settings) as served, httpx.Client(base_url=served.url, timeout=60) as http:
        http.headers["Authorization"] = f"Bearer {secret_of('ada')}"
        job_id = http.post("/api/v1/jobs", files={"file": ("Gespräch.wav", tone())}).json()["id"]
        assert http.get(f"/downloads/{job_id}/srt").status_code == 404
        with played_workers(served):  # oldest first: when the second is answered, the first is done
            http.post("/v1/audio/transcriptions", files={"file": ("second.wav", tone())})
            http.post("/v1/audio/transcriptions", files={"file": ("third.wav", tone())})
        answer = http.get(f"/downloads/{job_id}/srt")
        assert answer.text == SRT
        assert "filename*=UTF-8''Gespr%C3%A4ch.srt" in answer.headers["content-disposition"]
        assert answer.headers["content-type"] == "application/x-subrip; charset=utf-8"
        assert http.get(f"/api/v1/jobs/{job_id}").json()["files"] == [*ExportFormat]
        assert http.get(f"/api/v1/jobs/{job_id}/files/vtt").text.startswith("WEBVTT")
        assert http.get(f"/api/v1/jobs/{job_id}/transcript").json()["segments"][0]["text"] == " Grüße an alle."
        assert http.get(f"/downloads/{job_id}/exe").status_code == 404
