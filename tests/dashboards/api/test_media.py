"""Recordings with ranges, from a folder and an object store, and safe file names."""

from collections.abc import Callable
from typing import BinaryIO
from urllib.parse import unquote

import httpx
import pytest

from dashboards.api import media
from dashboards.api.media import disposition
from dashboards.runtime import context
from dashboards.runtime.limits import Limits
from storage.domain import names
from storage.domain.errors import StorageUnreachable
from storage.domain.records import ExportFormat
from storage.domain.settings import Settings
from storage.files.file_store import Files
from storage.media.browser_playback import Playback
from tests.dashboards.api.test_jobs_api import submit
from tests.dashboards.served import SRT, played_workers, secret_of, serving
from tests.dashboards.site import Site
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.shared_site


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
        ("BYTES=0-99", slice(0, 100)),
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
def test_a_recording_that_a_client_has_is_not_sent_again(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    data = tone()
    path = f"/recordings/{submit(site, ada, data).json()['id']}"
    tag = site.client.get(path, headers=ada).headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        answer = site.client.get(path, headers=ada | {"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert site.client.get(path, headers=ada | {"If-None-Match": '"other"'}).content == data
    other = site.client.get(f"/recordings/{submit(site, ada, tone(2)).json()['id']}", headers=ada)
    assert other.headers["etag"] != tag
    for condition, wanted in ((tag, (206, data[5:])), ('"other"', (200, data))):
        answer = site.client.get(path, headers=ada | {"Range": "bytes=5-", "If-Range": condition})
        assert (answer.status_code, answer.content) == wanted


@pytest.mark.usefixtures("any_storage")
def test_a_range_in_another_unit_is_ignored(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    data = tone()
    job_id = submit(site, ada, data).json()["id"]
    answer = site.client.get(f"/recordings/{job_id}", headers=ada | {"Range": "seconds=1-2"})
    assert (answer.status_code, answer.content) == (200, data)


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


@pytest.mark.usefixtures("any_storage")
def test_a_copy_for_browsers_is_served_in_ranges(site: Site, ada: dict[str, str], tone: Callable[..., bytes]) -> None:
    job_id = submit(site, ada, tone(), name="call.amr").json()["id"]
    url = f"/recordings/{job_id}/playback"
    assert site.client.get(url, headers=ada).status_code == 404
    sha = site.client.get(f"/api/v1/jobs/{job_id}", headers=ada).json()["media_sha256"]
    copy = names.playback_name(sha, None, Playback.COPY)
    context.files().write(copy, b"fLaC" + bytes(96))
    answer = site.client.get(url, headers=ada | {"Range": "bytes=0-3"})
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (206, b"fLaC", "audio/flac")
    assert "call.amr.flac" in answer.headers["content-disposition"]
    context.files().write(copy, b"fLaC" + bytes(97))  # made again
    again = site.client.get(url, headers=ada | {"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, len(again.content)) == (200, 101)
    assert site.client.get(url, headers=site.key_of(site.user("bob"))).status_code == 404
    context.files().delete(copy)


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
    with serving(settings) as served, httpx.Client(base_url=served.url, timeout=PATIENCE_S) as http:
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


class Failing(Streamed):
    """An object store whose objects cannot be read from some position on, a few times."""

    def __init__(self, url: str, *, at: int, times: int) -> None:
        super().__init__(url)
        self.at, self.times = at, times

    def open(self, name: str) -> BinaryIO:
        file = super().open(name)
        read = file.read

        def read_or_fail(size: int = -1) -> bytes:
            if file.tell() >= self.at and self.times:
                self.times -= 1
                raise StorageUnreachable(name, "503 Slow Down")
            return read(size)

        file.read = read_or_fail  # type: ignore[method-assign]
        return file


def test_a_block_that_storage_does_not_give_at_once_is_read_again(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    context.current().limits = Limits(media_read_again_after_s=(0.0, 0.0))
    data = tone(20.0)
    assert len(data) > 2 * media.BLOCK_BYTES
    job_id = submit(site, ada, data).json()["id"]
    context.current().files = Failing(context.files().url, at=media.BLOCK_BYTES, times=2)
    assert site.client.get(f"/recordings/{job_id}", headers=ada).content == data


def test_storage_that_does_not_answer_is_said_with_the_right_status(
    site: Site, ada: dict[str, str], tone: Callable[..., bytes]
) -> None:
    context.current().limits = Limits(media_read_again_after_s=(0.0, 0.0))
    job_id = submit(site, ada, tone()).json()["id"]
    context.current().files = Failing(context.files().url, at=0, times=9)
    answer = site.client.get(f"/recordings/{job_id}", headers=ada)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_unreachable")
