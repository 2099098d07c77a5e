"""The pages of an account and of accounts, light and dark, desktop and phone, as every page is looked at."""

import re
import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards.runtime import context
from dashboards.services import webhook_management
from storage.accounts import invitations, users
from storage.accounts.webhooks import WebhookEvent
from storage.domain.records import Role
from tests.dashboards.browser.test_browser_accounts import NEW, tab
from tests.dashboards.page_checks import AXE, LOOKS, SIZES, Theme, Troubles, visit
from tests.dashboards.served import Served, serving, sign_in
from tests.dashboards.site import make_settings

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def seen_by_boss(
    tmp_path_factory: pytest.TempPathFactory, seeded: Path, chromium: Browser
) -> Callable[[str, Sequence[Theme]], Troubles]:
    """Return `seen_by_boss(size, themes)`: what is wrong with account pages; each is opened once for all themes."""

    @cache
    def seen(size: str, themes: Sequence[Theme]) -> Troubles:
        settings = make_settings(tmp_path_factory.mktemp(size))
        settings.storage.data_dir.mkdir()
        shutil.copyfile(seeded, settings.storage.ledger_path)
        troubles: Troubles = {theme: [] for theme in themes}
        with serving(settings) as served, tab(chromium, served, Browser.new_context, viewport=SIZES[size]) as page:
            page.context.add_init_script(path=AXE)
            visit_account_pages(page, served, size, troubles)
        return troubles

    return seen


def visit_account_pages(page: Page, served: Served, size: str, troubles: Troubles) -> None:
    parts = ("Profile", "Recordings", "Vocabulary", "Password", "Browsers", "API keys", "Webhooks", "Your data")
    paths = [f"settings?part={part.replace(' ', '+')}" for part in parts]
    boss = context.ledger().run(users.create, name="boss", password=NEW, role=Role.ADMIN, actor="system:test")
    _, hook = webhook_management.create(boss, "https://hooks.invalid/transcripts", list(WebhookEvent))
    webhook_management.send_test(boss, hook.id)
    token, _ = context.ledger().run(invitations.invite, role=Role.MEMBER, actor="system:test")

    visit(page, f"{served.url}/join?token={token}", f"join-{size}", troubles)
    sign_in(page.context, served, "boss")
    with context.ledger().read() as con:
        ada = users.by_name(con, "ada")
    assert ada
    for path in [*paths, "people?part=Invite", "people?part=API+keys", f"people?person={ada.id}", "site"]:
        name = re.sub("[^a-z]+", "-", path.replace(ada.id, "somebody").lower())
        visit(page, f"{served.url}/{path}", f"{name}-{size}", troubles)
        expect(page.get_by_role("heading", name="Log in")).to_have_count(0)


@pytest.mark.parametrize(("size", "themes", "theme"), [*LOOKS[:2], pytest.param(*LOOKS[2], marks=pytest.mark.nightly)])
def test_the_pages_fit_and_can_be_used_by_everybody(
    seen_by_boss: Callable[[str, Sequence[Theme]], Troubles], size: str, themes: Sequence[Theme], theme: Theme
) -> None:
    assert not (troubles := seen_by_boss(size, themes)[theme]), "\n".join(troubles)
