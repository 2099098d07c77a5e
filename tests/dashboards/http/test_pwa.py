"""The installable app, its share target, and the page's head."""

import json
import struct

import pytest

from tests.dashboards.site import Site

pytestmark = pytest.mark.shared_site

PAGE = {"Accept": "text/html,application/xhtml+xml"}


@pytest.mark.parametrize("path", ["/", "/upload", "/job?id=x"])
def test_the_empty_page_carries_our_head(site: Site, path: str) -> None:
    page = site.client.get(path, headers=PAGE)
    assert "<title>Whisper Transcriber</title>" in page.text
    assert 'rel="manifest"' in page.text
    assert int(page.headers["content-length"]) == len(page.content)
    assert "etag" not in page.headers


def test_a_page_that_the_browser_has_kept_is_sent_again_whole(site: Site) -> None:
    conditions = {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT", "If-None-Match": '"x"'}
    assert site.client.get("/", headers=PAGE | conditions).status_code == 200


def test_every_file_of_the_manifest_is_there_in_the_size_it_says(site: Site) -> None:
    told = site.client.get("/manifest.webmanifest").json()
    for icon in told["icons"]:
        answer = site.client.get(icon["src"])
        assert answer.headers["content-type"] == icon["type"]
        if icon["type"] == "image/png":
            width, height = struct.unpack(">II", answer.content[16:24])
            assert f"{width}x{height}" == icon["sizes"]
    assert {icon.get("purpose") for icon in told["icons"]} == {None, "maskable"}
    assert json.dumps(told["share_target"]).count("/share") == 1


def test_the_service_worker_rules_the_whole_site_and_is_looked_for_anew(site: Site) -> None:
    answer = site.client.get("/sw.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    for name in ("unsent_store.js", "shell.js"):
        assert site.client.get(f"/assets/{name}").status_code == 200


@pytest.mark.parametrize("name", ["nothing.js", "../shell.py", "%2e%2e/shell.py", "noble/LICENSE"])
def test_only_named_files_are_served(site: Site, name: str) -> None:
    assert "import" not in site.client.get(f"/assets/{name}").text


def test_a_share_without_the_service_worker_takes_nothing_and_says_so(site: Site) -> None:
    sent = {"recordings": ("talk.m4a", b"x" * 100, "audio/mp4")}
    answer = site.client.post("/share", files=sent, headers={"Origin": "null"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/upload?shared=missed")
