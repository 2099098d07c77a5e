"""Accounts in a real browser: registration, invitation, logout, revoked sessions."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pydantic import SecretStr

from dashboards.runtime import context, notify
from storage.accounts import registration_policy, users
from storage.accounts.registration_policy import Registration, RegistrationPolicy
from storage.domain.clock import utc_now
from storage.domain.records import Lane, Options
from storage.domain.settings import OidcSettings, Settings
from storage.jobs import job_store
from tests.browsing import DESK, PHONE, Watch, keep_picture, log_in, write
from tests.dashboards.provider import CLIENT, SECRET, provider
from tests.dashboards.served import Served, serving, sign_in
from tests.dashboards.site import PASSWORD
from tests.kept_contexts import kept_context, put_back
from tests.waiting import looks

pytestmark = pytest.mark.acceptance
NEW, NEWER = "a better password", "an even better password"


@contextmanager
def tab(
    chromium: Browser, served: Served, make: Callable[..., BrowserContext] = kept_context, **options: Any
) -> Iterator[Page]:
    """A browser with one page, in which nothing may go wrong unseen."""
    opened = make(chromium, **{"viewport": DESK} | options)
    watch = Watch(served.url)
    try:
        yield watch.over(opened.new_page())
    finally:
        put_back(opened)
    refused = re.compile(r"^(401|403|410|400) ")  # answers that a form shows
    assert [trouble for trouble in watch.troubles if not refused.match(trouble)] == []


def allow(registration: Registration) -> None:
    context.ledger().run(registration_policy.set_, RegistrationPolicy(registration=registration), actor="system:test")


def heading(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", name=words, exact=True)).to_be_visible()


def test_registering_logging_in_and_changing_the_password(settings: Settings, chromium: Browser) -> None:
    with serving(settings) as served, tab(chromium, served) as page:
        allow(Registration.OPEN)
        page.goto(served.url)
        page.get_by_role("link", name="Create an account").click()
        heading(page, "Create your account")
        keep_picture(page, "join")
        write(page.get_by_label("Name"), "grace")
        write(page.locator("input[name=password]"), NEW)
        page.get_by_role("button", name="Create account").click()
        heading(page, "Recordings")
        page.get_by_role("button", name="Log out").click()
        heading(page, "Log in")
        log_in(page, "grace", NEW)
        heading(page, "Recordings")
        page.goto(f"{served.url}/settings?part=Password")
        write(page.get_by_label("Current password"), NEW)
        write(page.get_by_label("New password", exact=True), NEWER)
        write(page.get_by_label("Repeat new password"), NEWER)
        page.get_by_role("button", name="Change password").click()
        expect(page.get_by_text("Your password has been changed.")).to_be_visible()
        page.get_by_role("button", name="Log out", exact=True).first.click()
        heading(page, "Log in")
        log_in(page, "grace", NEWER)
        expect(page.get_by_role("button", name="Log out")).to_be_visible()


def test_an_invitation_goes_from_an_administrator_to_a_new_person(settings: Settings, chromium: Browser) -> None:
    with serving(settings) as served, tab(chromium, served) as page:
        sign_in(page.context, served, "root")
        page.goto(f"{served.url}/people?part=Invite")
        write(page.get_by_label("E-mail (optional)"), "grace@example.org")
        page.get_by_role("button", name="Create an invitation link").click()
        link = page.locator(".st-key-handover-box code").inner_text()
        keep_picture(page, "invite")
        assert link.startswith(f"{served.url}/join?token=")
        with tab(chromium, served, viewport=PHONE, is_mobile=True, has_touch=True, color_scheme="dark") as phone:
            phone.goto(link)
            heading(phone, "Create your account")
            keep_picture(phone, "join-phone-dark")
            assert phone.get_by_label("E-mail").input_value() == "grace@example.org"
            write(phone.get_by_label("Name"), "grace")
            write(phone.locator("input[name=password]"), "short")
            phone.locator("form").evaluate("form => form.noValidate = true")
            phone.get_by_role("button", name="Create account").click()
            expect(phone.get_by_role("alert").filter(has_text="10 to 1024 characters")).to_be_visible()
            write(phone.locator("input[name=password]"), NEW)
            phone.get_by_role("button", name="Create account").click()
            heading(phone, "Recordings")
            assert "token" not in phone.url
        with tab(chromium, served) as again:
            again.goto(link)
            expect(again.get_by_text("This link is no longer valid")).to_be_visible()


def test_a_disabled_person_sees_the_login_within_a_second(settings: Settings, chromium: Browser) -> None:
    with serving(settings) as served, tab(chromium, served) as root, tab(chromium, served) as page:
        sign_in(page.context, served)
        page.goto(f"{served.url}/settings")
        heading(page, "Settings")
        sign_in(root.context, served, "root")
        root.goto(f"{served.url}/people")
        with context.ledger().read() as con:
            ada = users.by_name(con, "ada")
        assert ada
        root.locator(f".st-key-manage-{ada.id} button").click()
        heading(root, "ada")
        keep_picture(root, "person")
        root.get_by_role("button", name="Disable account", exact=True).click()
        heading(page, "Log in")
        log_in(page, "ada", PASSWORD)
        expect(page.get_by_role("alert").filter(has_text="do not match")).to_be_visible()


def test_a_password_link_made_by_an_administrator(settings: Settings, chromium: Browser) -> None:
    with serving(settings) as served, tab(chromium, served) as root, tab(chromium, served) as page:
        sign_in(root.context, served, "root")
        root.goto(f"{served.url}/people")
        with context.ledger().read() as con:
            ada = users.by_name(con, "ada")
        assert ada
        root.locator(f".st-key-manage-{ada.id} button").click()
        root.get_by_role("button", name="Create a password link").click()
        page.goto(root.locator(".st-key-handover-box code").inner_text())
        heading(page, "Choose a new password")
        keep_picture(page, "reset")
        write(page.locator("input[name=password]"), NEW)
        page.get_by_role("button", name="Save and log in").click()
        heading(page, "Recordings")


def test_logging_out_in_one_tab_closes_the_other(settings: Settings, chromium: Browser) -> None:
    with serving(settings) as served, tab(chromium, served) as page:
        page.goto(served.url)
        log_in(page, "ada", PASSWORD)
        heading(page, "Recordings")
        other = page.context.new_page()
        other.goto(f"{served.url}/settings")
        heading(other, "Settings")
        other.get_by_role("button", name="Log out", exact=True).first.click()
        heading(page, "Log in")


def test_logging_in_through_a_provider(settings: Settings, chromium: Browser) -> None:
    with provider() as elsewhere:
        settings.__dict__["oidc"] = OidcSettings(
            oidc_issuer=elsewhere.url,
            oidc_client_id=CLIENT,
            oidc_client_secret=SecretStr(SECRET),
            oidc_name="Example",
            oidc_create_users=True,
            _env_file=None,
        )
        with serving(settings) as served:
            opened = chromium.new_context(viewport=DESK)
            page = opened.new_page()
            page.goto(f"{served.url}/settings?part=Password")
            expect(page.get_by_role("link", name="Log in with Example")).to_be_visible()
            keep_picture(page, "login-provider")
            page.get_by_role("link", name="Log in with Example").click()
            heading(page, "Settings")
            assert page.url.startswith(f"{served.url}/settings?part=Password")
            expect(page.locator(".dock .name b")).to_have_text("grace")
            page.get_by_role("button", name="Log out", exact=True).first.click()
            heading(page, "Log in")
            elsewhere.refuses = True
            page.get_by_role("link", name="Log in with Example").click()
            expect(page.get_by_text("The login through your provider failed")).to_be_visible()
            opened.close()


def test_a_login_that_is_about_to_end_warns_and_can_be_kept(settings: Settings, chromium: Browser) -> None:
    with serving(settings) as served, tab(chromium, served, Browser.new_context) as page:
        page.clock.install()
        page.goto(f"{served.url}/settings")
        with page.expect_response(f"{served.url}/auth/session"):  # from here on, the page watches the session
            log_in(page, "ada", PASSWORD)
        heading(page, "Settings")
        write(page.get_by_label("Display name"), "not saved yet")
        warning = page.get_by_role("alertdialog")
        for _ in range(10):  # what the page is still loading counts as activity
            forget(minutes=12 * 60 - 3)
            page.clock.fast_forward(21_000)  # a page that is seen again asks once in 20 s at most
            with page.expect_response(f"{served.url}/auth/session"):
                page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
            page.wait_for_timeout(1_000)
            if warning.is_visible():
                break
        expect(warning).to_contain_text("because of inactivity")
        keep_picture(page, "idle-warning")
        warning.get_by_role("button", name="Stay logged in").click()
        expect(warning).to_be_hidden()
        assert page.get_by_label("Display name").input_value() == "not saved yet"
        page.context.close()  # its clock is not right any more


def forget(*, minutes: int) -> None:
    with context.ledger().write() as con:
        con.execute("UPDATE sessions SET last_seen_at = $then", {"then": utc_now() - timedelta(minutes=minutes)})


def test_an_old_login_is_kept_by_the_password(settings: Settings, chromium: Browser) -> None:
    with serving(settings) as served, tab(chromium, served) as page:
        page.goto(served.url)
        log_in(page, "ada", PASSWORD)
        heading(page, "Recordings")
        with context.ledger().write() as con:
            con.execute("UPDATE sessions SET expires_at = $soon", {"soon": utc_now() + timedelta(minutes=4)})
        page.reload()
        warning = page.get_by_role("alertdialog")
        expect(warning).to_contain_text("Your session ends in")
        keep_picture(page, "old-login")
        write(warning.get_by_label("Password"), "wrong")
        warning.get_by_role("button", name="Stay logged in").click()
        expect(warning).to_contain_text("Wrong password")
        write(warning.get_by_label("Password"), PASSWORD)
        warning.get_by_role("button", name="Stay logged in").click()
        expect(warning).to_be_hidden()
        with context.ledger().read() as con:
            assert con.execute("SELECT min(expires_at) > now() + INTERVAL 29 DAY FROM sessions").fetchall() == [(True,)]


def test_a_theme_is_worn_by_every_page(settings: Settings, chromium: Browser) -> None:
    with serving(settings) as served, tab(chromium, served, color_scheme="light") as page:
        sign_in(page.context, served)
        page.goto(f"{served.url}/settings")
        write(page.get_by_label("Display name"), "Ada")
        for part, its_field in (("Password", "Current password"), ("Profile", "Display name")):
            page.get_by_role("tab", name=part).click()
            expect(page.get_by_label(its_field)).to_be_visible()
        assert page.get_by_label("Display name").input_value() == "Ada"  # which was not saved yet
        page.get_by_text("Dark", exact=True).click()
        page.get_by_role("button", name="Save").first.click()
        dark = re.compile(r"rgb\(16, 21, 20\)")
        expect(page.locator(".stApp")).to_have_css("background-color", dark)
        keep_picture(page, "theme-dark")
        page.goto(f"{served.url}/upload")
        expect(page.locator(".stApp")).to_have_css("background-color", dark)


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_a_recording_that_is_done_is_told_on_other_pages(settings: Settings, chromium: Browser, size: Any) -> None:
    with serving(settings) as served, tab(chromium, served, viewport=size) as page:
        sign_in(page.context, served)
        page.goto(f"{served.url}/settings")
        heading(page, "Settings")
        expect(page.locator(".dock .name b")).to_have_text("ada")
        with context.ledger().read() as con:
            ada = users.by_name(con, "ada")
        assert ada
        job = context.ledger().run(
            job_store.accept,
            owner_id=ada.id,
            name="talk.wav",
            media_sha256="00" * 32,
            media_bytes=5,
            options=Options(),
            lane=Lane.BATCH,
            actor="system:test",
        )
        with context.ledger().write() as con:
            con.execute("UPDATE jobs SET state = 'failed', error = 'no sound', finished_at = now()")
            failed = job_store.get(con, job.id)
        notice = page.locator(".notice")
        for _ in looks():  # the page may not listen yet
            notify.announce(failed)
            if notice.count():
                break
        notify.announce(failed)
        expect(notice).to_have_count(1)
        expect(notice).to_contain_text("talk.wav has failed.")
        keep_picture(page, f"notice-{size['width']}")
        notice.get_by_role("button", name="Open").click()
        expect(page).to_have_url(re.compile(f"/job\\?id={job.id}"))


def test_a_reader_has_no_way_to_upload(settings: Settings, chromium: Browser) -> None:
    with serving(settings) as served, tab(chromium, served) as page:
        sign_in(page.context, served, "rex")
        page.goto(served.url)
        heading(page, "Recordings")
        expect(page.get_by_text("Recordings that are added to your account appear here")).to_be_visible()
        assert page.get_by_role("button", name="Upload").count() == 0
        assert (
            page.request.post(f"{served.url}/uploads", headers={"Origin": served.url, "Tus-Resumable": "1.0.0"}).status
            == 403
        )
