"""What is wrong with a page: axe-core findings, overflow, layout shift; and a picture of it.

axe-core 4.14.1 (MPL-2.0) is in tests/vendor and used only by tests.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browsing import DESK, PHONE, keep_picture

AXE = Path(__file__).parents[1] / "vendor" / "axe-core" / "axe.min.js"
RUN = """async ([notOurs, rules]) => {
    const only = rules.length ? { runOnly: { type: "rule", values: rules } } : {};
    const found = await axe.run(document, { resultTypes: ["violations"], elementRef: true, ...only });
    const ours = (id) => ({ element }) => !(notOurs[id] && element.closest(notOurs[id]));
    return found.violations.flatMap(({ id, impact, nodes }) => nodes.filter(ours(id)).map(({ target, html, any }) => (
        { impact, said: `${id}: ${target.flat().join(" ")} ${html.slice(0, 160)} ${any[0]?.message ?? ""}` })));
}"""
OF_COLORS = ("color-contrast", "link-in-text-block")
"""The rules that a theme can break; all others find in the second theme what they found in the first."""
WATCH_SHIFT = """
window.shift = 0;
new PerformanceObserver((list) => {
    for (const each of list.getEntries()) if (!each.hadRecentInput) window.shift += each.value;
}).observe({ type: "layout-shift", buffered: true });
"""
MOST_SHIFT = 0.1
SIZES = {"desk": DESK, "phone": PHONE}
Theme = Literal["light", "dark"]
Troubles = dict[Theme, list[str]]
GROUND: dict[Theme, str] = {"light": "rgb(255, 255, 255)", "dark": "rgb(16, 21, 20)"}
"""The colour that each theme draws pages on."""
NOT_OURS = {
    "list": "[data-testid=stSidebarNavItems]",
    "listitem": "[data-testid=stSidebarNavItems]",
    "svg-img-alt": "[data-testid=stVegaLiteChart]",
}
"""What is Streamlit's own and cannot be mended from here, by axe's rule."""


LOOKS: list[Any] = [
    ("desk", tuple(GROUND), "light"),
    ("desk", tuple(GROUND), "dark"),
    ("phone", ("light",), "light"),
    pytest.param("phone", ("dark",), "dark", marks=pytest.mark.nightly),
]
"""A size, the themes in which each page that is opened is looked at, and the one that the test is about."""


def drawn(page: Page) -> None:
    """Wait until Streamlit has drawn the page and its components have filled themselves."""
    expect(page.locator(".stMain h1").first).to_be_visible()
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0)
    page.wait_for_timeout(700)
    expect(page.locator("[data-stale=true]")).to_have_count(0)  # what is being drawn again is pale


def violations(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Return what axe-core finds by these rules, or all, of any impact, but for what is Streamlit's own.

    What it finds while a component still fills itself on a busy machine is looked at again.
    """
    if not page.evaluate("() => Boolean(window.axe)"):
        page.evaluate(AXE.read_text())
    found = page.evaluate(RUN, [NOT_OURS, list(rules)])
    for wait_ms in (1_000, 4_000):
        if found:
            page.wait_for_timeout(wait_ms)
            found = page.evaluate(RUN, [NOT_OURS, list(rules)])
    return [f"{one['impact']}: {one['said']}" for one in found]


def visit(page: Page, url: str, name: str, troubles: Troubles) -> None:
    """Open a page and look at it; it starts in the first theme, since Streamlit misses a change while it starts."""
    page.emulate_media(color_scheme=next(iter(troubles)), reduced_motion="reduce")
    page.goto(url)
    look_at(page, name, troubles)


def look_at(page: Page, name: str, troubles: Troubles) -> None:
    """Keep a picture of the page that is open in each theme; note what axe-core finds and what overflows."""
    for number, (theme, found) in enumerate(troubles.items()):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        expect(page.locator("[data-testid=stApp]"), f"{name} in {theme}").to_have_css("background-color", GROUND[theme])
        drawn(page)
        shift = page.evaluate("window.shift ?? 0") if number == 0 else 0  # a change of theme is no loading
        keep_picture(page, f"{name}-{theme}")
        wide = page.locator(".stMain").evaluate("main => main.scrollWidth - main.clientWidth")
        said = violations(page, OF_COLORS if number else ())
        said += [f"shifted by {shift:.2f}"] if shift >= MOST_SHIFT else []
        said += [f"{wide} px too wide"] if wide > 0 else []
        found.extend(f"{name}-{theme}: {one}" for one in said)
