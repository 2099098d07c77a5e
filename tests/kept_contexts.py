"""Contexts of a browser that one test after another uses.

A context keeps what it has loaded and compiled, which takes half a second of a processor for the first page. What pages
stored, cookies and the pages themselves are gone when the next test gets it. A test that changes a context itself (its
clock, its scripts, its network) takes one of its own, by `new_context`.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from playwright.sync_api import Browser, BrowserContext, CDPSession, Frame, Page

STORED = "file_systems,indexeddb,local_storage,service_workers,cache_storage"


@dataclass(eq=False)
class KeptContext:
    """A context, a blank page to speak with it, and the sites that it has been to."""

    context: BrowserContext
    options: dict[str, Any]
    blank: Page
    devtools: CDPSession
    sites: set[str] = field(default_factory=set)
    free: bool = False

    def watch(self, page: Page) -> None:
        page.on("framenavigated", self.note)

    def note(self, frame: Frame) -> None:
        at = urlsplit(frame.url)
        if at.scheme in {"http", "https"}:
            self.sites.add(f"{at.scheme}://{at.netloc}")

    def clear(self) -> None:
        """Close the pages, and forget who was logged in and what was stored."""
        for page in self.context.pages:
            if page != self.blank:
                page.close()
        self.context.clear_cookies()
        for site in self.sites:
            self.devtools.send("Storage.clearDataForOrigin", {"origin": site, "storageTypes": STORED})
        self.sites.clear()
        self.free = True


_kept: WeakKeyDictionary[Browser, list[KeptContext]] = WeakKeyDictionary()


def kept_context(browser: Browser, **options: Any) -> BrowserContext:
    """Return a context with these options: a free one, or else a new one."""
    all_kept = _kept.setdefault(browser, [])
    for kept in all_kept:
        if kept.free and kept.options == options:
            kept.free = False
            return kept.context
    context = browser.new_context(**options)
    blank = context.new_page()
    made = KeptContext(context=context, options=options, blank=blank, devtools=context.new_cdp_session(blank))
    context.on("page", made.watch)
    all_kept.append(made)
    return context


def put_back(context: BrowserContext) -> None:
    """Clear a context for the next test; close it if it is nobody's to keep."""
    browser = context.browser
    assert browser
    found = next((kept for kept in _kept.get(browser, ()) if kept.context == context), None)
    if found is None:
        context.close()
    elif not found.free and context in browser.contexts:
        found.clear()


def put_all_back(browser: Browser) -> None:
    """Leave no page open that a test has opened: it plays, asks and draws until it is closed."""
    for context in browser.contexts:
        put_back(context)
