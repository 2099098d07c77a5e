"""The files that an index page links to, as nginx, Apache or Caddy make one."""

from collections.abc import Iterator, Sequence
from functools import partial
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin

from storage.files.guarded_http import PAUSES_S, patiently

if TYPE_CHECKING:
    from fsspec.implementations.http import HTTPFileSystem

MAX_DEPTH = 20


class PageLinks(HTMLParser):
    """Collects where the links of a page lead, as they are written there.

    `base` is the address that the page gives for relative ones.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.base = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "base" and not self.base:
            self.base = (dict(attrs).get("href") or "").strip()
        elif tag == "a":
            self.found += [value.strip() for name, value in attrs if name == "href" and value]


def links_below(
    fs: "HTTPFileSystem", index_url: str, *, recursive: bool, pauses_s: Sequence[float] = PAUSES_S
) -> Iterator[str]:
    """Yield the addresses of the files that an index page links to, below itself alone.

    Raises:
        HostUnreachable: it does not answer, or with an error.
    """
    seen, left = {index_url}, [(index_url, 0)]
    while left:
        page, depth = left.pop()
        body: bytes = patiently(page, partial(fs.cat_file, page), pauses_s=pauses_s)
        for link in sorted(links_of(body.decode("utf-8", errors="replace"), page)):
            if link in seen or not _is_below(link, page):
                continue
            seen.add(link)
            if not link.endswith("/"):
                yield link
            elif recursive and depth < MAX_DEPTH:
                left.append((link, depth + 1))


def links_of(text: str, page: str) -> set[str]:
    """Return the addresses that a page links to."""
    links = PageLinks()
    links.feed(text)
    links.close()
    found = set[str]()
    for written in links.found:
        try:
            found.add(urljoin(urljoin(page, links.base), written))
        except ValueError:  # such as http://[
            continue
    return found


def _is_below(link: str, page: str) -> bool:
    name = link.removeprefix(page)
    return name != link and not set("?#") & set(name) and ".." not in unquote(name).split("/")
