"""Streamlit's files and our modules, compressed by what the browser takes, and the fonts in their place."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from httpx2 import Response
from starlette.testclient import TestClient

from dashboards.components.modules import MODULES, url_of
from dashboards.http import pwa
from dashboards.http.static_files.compressed_copies import chosen_coding
from dashboards.http.static_files.streamlit_files import FILES, FONTS, IN_PLACE, StaticFirst, StreamlitFiles
from tests.dashboards.site import Site

SCRIPT = min((FILES / "js").glob("BidiComponent.*.js"))
TINY = min((FILES / "js").glob("*.js"), key=lambda path: path.stat().st_size)
PLAIN = {"Accept-Encoding": "identity"}
ICON = re.compile(r":material/(\w+):")


@pytest.fixture
def client() -> TestClient:
    return TestClient(StaticFirst(StreamlitFiles(), {}, url_of("")))


def raw_body(client: TestClient, url: str, headers: dict[str, str]) -> tuple[Response, bytes]:
    with client.stream("GET", url, headers=headers) as answer:
        return answer, b"".join(answer.iter_raw())


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate", "gzip"),
        ("zstd;q=0.5, GZIP", "gzip"),
        ("zstd; q=0, gzip; q=0", None),
        ("*", "zstd"),
        ("*, zstd;q=0", "gzip"),
        ("*;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=much", None),
        ("br, deflate", None),
        ("identity", None),
        ("", None),
    ],
)
def test_the_coding_is_the_best_that_is_accepted(accepted: str, coding: str | None) -> None:
    assert chosen_coding(accepted) == coding


@pytest.mark.parametrize(("coding", "decompress"), [("zstd", zstd.decompress), ("gzip", gzip.decompress)])
def test_a_script_is_sent_compressed_and_kept_forever(
    client: TestClient, coding: str, decompress: Callable[[bytes], bytes]
) -> None:
    answer, body = raw_body(client, f"/static/js/{SCRIPT.name}", {"Accept-Encoding": coding})
    assert decompress(body) == SCRIPT.read_bytes()
    assert answer.headers["content-encoding"] == coding
    assert int(answer.headers["content-length"]) == len(body) < SCRIPT.stat().st_size / 2
    assert "javascript" in answer.headers["content-type"]
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["vary"] == "Accept-Encoding"


def test_each_coding_has_a_tag_of_its_own(client: TestClient) -> None:
    url = f"/static/js/{SCRIPT.name}"
    tags = {one: client.get(url, headers={"Accept-Encoding": one}).headers["etag"] for one in ("zstd", "gzip", "br")}
    assert len(set(tags.values())) == len(tags)
    for coding, tag in tags.items():
        answer = client.get(url, headers={"Accept-Encoding": coding, "If-None-Match": tag})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert answer.headers["vary"] == "Accept-Encoding"
    other = client.get(url, headers={"Accept-Encoding": "gzip", "If-None-Match": tags["zstd"]})
    assert other.status_code == 200


def test_head_says_what_get_sends(client: TestClient) -> None:
    url, asked = f"/static/js/{SCRIPT.name}", {"Accept-Encoding": "gzip"}
    got, head = client.get(url, headers=asked), client.head(url, headers=asked)
    assert head.content == b""
    assert head.headers == got.headers


def test_a_range_is_one_of_the_file_as_it_is(client: TestClient) -> None:
    url, asked = f"/static/js/{SCRIPT.name}", {"Accept-Encoding": "gzip", "Range": "bytes=10-19"}
    answer = client.get(url, headers=asked)
    assert (answer.status_code, answer.content) == (206, SCRIPT.read_bytes()[10:20])
    assert answer.headers["content-range"] == f"bytes 10-19/{SCRIPT.stat().st_size}"
    assert "content-encoding" not in answer.headers
    compressed = client.get(url, headers={"Accept-Encoding": "gzip"}).headers["etag"]
    assert client.get(url, headers=asked | {"If-Range": compressed}).status_code == 200


def test_what_would_not_shrink_is_sent_as_it_is(client: TestClient) -> None:
    answer, body = raw_body(client, f"/static/js/{TINY.name}", {"Accept-Encoding": "zstd"})
    assert "content-encoding" not in answer.headers
    assert (body, answer.headers["vary"]) == (TINY.read_bytes(), "Accept-Encoding")


def test_a_script_is_compressed_once(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    url, asked = f"/static/js/{SCRIPT.name}", {"Accept-Encoding": "zstd"}
    first = client.get(url, headers=asked)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read again"))
    assert client.get(url, headers=asked).content == first.content


def test_our_modules_are_sent_compressed_and_what_is_not_there_is_for_streamlit_to_answer(site: Site) -> None:
    for coding in ("zstd", "gzip", "identity"):
        answer = site.client.get(url_of("player/player.js"), headers={"Accept-Encoding": coding})
        assert answer.content == MODULES["player/player.js"]
        assert answer.headers.get("content-encoding", "identity") == coding
        assert answer.headers["vary"] == "Accept-Encoding"
    assert "javascript" in site.client.get(f"/static/js/{SCRIPT.name}").headers["content-type"]
    for path in ("/static/js/none.js", "/static/", "/static/%2e%2e/%2e%2e/config.py"):
        answer = site.client.get(path)
        assert answer.status_code >= 400 or "<title>" in answer.text


def test_every_icon_that_we_name_is_in_the_font(client: TestClient) -> None:
    names = set((FONTS / "icons.txt").read_text().split())
    pages = Path(pwa.__file__).parents[1]
    used = {name for path in pages.rglob("*.py") for name in ICON.findall(path.read_text())}
    assert used <= names, "run dashboards/static/fonts/subset.py"
    for path, font in IN_PLACE.items():
        assert (FILES / path).stat().st_size > 5 * font.stat().st_size, "Streamlit's file has another name now"
        answer = client.get(f"/static/{path}")
        assert (answer.content, answer.headers["cache-control"]) == (font.read_bytes(), "no-cache")


def test_the_page_loads_the_font_that_the_style_names(site: Site) -> None:
    page = site.client.get("/", headers={"Accept": "text/html"}).text
    (preloaded,) = re.findall(r'rel="preload"\s+href="([^"]+)"', page)
    style = site.client.get("/assets/app.css").text
    (named,) = re.findall(r'url\("(fonts/[^"]+)"\)', style)
    assert preloaded == f"/assets/{named}"
    answer = site.client.get(preloaded)
    assert (answer.content[:4], answer.headers["content-type"]) == (b"wOF2", "font/woff2")
    assert "immutable" in answer.headers["cache-control"]
