"""The user's settings: profile, defaults, vocabulary, password, sessions, keys, data."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import SecretStr
from streamlit.testing.v1 import AppTest

from dashboards.runtime.websocket_registry import Doors
from storage.accounts import (
    api_keys,
    browser_login,
    known_devices,
    preferences,
    profiles,
    sessions,
    users,
    vocabulary,
)
from storage.accounts.preferences import Theme
from storage.domain.clock import utc_now
from storage.domain.errors import NotFound
from storage.domain.records import ExportFormat, JobState, Role
from storage.domain.scopes import Scope
from storage.domain.settings import MailSettings
from storage.ledger import audit
from storage.maintenance import account_deletion
from tests.dashboards.desk import PASSWORD, SCRIPT, Desk, button, component, go_to, labels, words
from tests.waiting import PATIENCE_S


def field(at: AppTest, label: str) -> Any:
    """Return the text field or number with this label."""
    kinds = (at.text_input, at.text_area, at.number_input, at.selectbox, at.radio, at.checkbox)
    found = [one for kind in kinds for one in kind if one.label == label]
    assert found, f"no field {label!r}"
    return found[0]


def save(at: AppTest) -> None:
    """Press the button that saves, of the part that is open."""
    (saves,) = [one for one in at.button if one.label == "Save"]
    saves.click()
    at.run()
    assert not at.exception, at.exception


def test_a_profile_is_saved_and_shown(desk: Desk) -> None:
    ada = desk.user()
    at = desk.page("settings", ada)
    field(at, "Display name").set_value("Ada L.")
    field(at, "E-mail").set_value("ada@example.org")
    field(at, "Theme").set_value(Theme.DARK)
    save(at)
    with desk.ledger.read() as con:
        user = users.get(con, ada.id)
        assert (user.display_name, user.email) == ("Ada L.", "ada@example.org")
        assert preferences.of(con, ada.id).theme is Theme.DARK
    assert component(at, "dock")["name"] == "Ada L."
    assert component(at, "session")["theme"] == "Dark"


def test_a_part_is_drawn_once_it_is_open_and_stays(desk: Desk) -> None:
    at = desk.page("settings", desk.user())
    forms = {"Save", "Change password", "Create a key", "Create a webhook", "Delete my account"}
    assert forms & set(labels(at)) == {"Save"}
    for part in ("Password", "Profile"):
        at.session_state["part"] = part
        at.run()
        assert forms & set(labels(at)) == {"Save", "Change password"}


def test_what_is_no_address_is_said_to_be_none(desk: Desk) -> None:
    at = desk.page("settings", desk.user())
    field(at, "E-mail").set_value("ada")
    save(at)
    assert "no e\\-mail address" in words(at)


def test_mail_is_offered_only_where_there_is_a_mail_server(desk: Desk) -> None:
    ada = desk.user()
    assert "E-mail me when a recording is ready" not in [one.label for one in desk.page("settings", ada).checkbox]
    desk.holder.settings.__dict__["mail"] = MailSettings(smtp_host="mail", smtp_password=SecretStr(""), _env_file=None)
    at = desk.page("settings", ada)
    field(at, "E-mail me when a recording is ready").check()
    save(at)
    assert "Enter your e-mail address" in words(at)
    field(at, "E-mail").set_value("ada@example.org")
    save(at)
    with desk.ledger.read() as con:
        assert preferences.of(con, ada.id).mail_when_ready


def test_defaults_are_kept(desk: Desk) -> None:
    ada = desk.user()
    at = desk.page("settings", ada, part="Recordings")
    before = preferences.Preferences()
    field(at, "Spoken language").set_value("da")
    field(at, "Output").set_value("translate")
    field(at, "Characters per line").set_value(32)
    at.multiselect[0].set_value([ExportFormat.SRT, ExportFormat.DOCX])
    save(at)
    with desk.ledger.read() as con:
        chosen = preferences.of(con, ada.id)
    asked = json.loads(component(desk.page("upload", ada), "uploader")["settings"]["options"])
    assert (asked["language"], asked["formats"]) == ("da", ["srt", "docx"])
    assert (chosen.language, chosen.task, chosen.cues.max_line_width) == ("da", "translate", 32)
    assert chosen.cues.min_duration_s == before.cues.min_duration_s


def test_the_vocabulary_is_kept_or_refused_in_words(desk: Desk) -> None:
    ada = desk.user()
    at = desk.page("settings", ada, part="Vocabulary")
    field(at, "One per line").set_value("Nuuk, qPCR")
    save(at)
    with desk.ledger.read() as con:
        assert vocabulary.words_of(con, ada.id) == "Nuuk\nqPCR"
    field(at, "One per line").set_value("x" * 100)
    save(at)
    assert "is over 80 characters" in words(at)


def test_what_may_be_used_is_shown(desk: Desk) -> None:
    ada = desk.user()
    desk.job(ada)
    desk.ledger.run(profiles.set_quota, ada.id, hours=2, size_bytes=2_000_000, actor="system:test")
    at = desk.page("settings", ada)
    said = [one.proto.text for one in at.get("progress")]
    assert said == ["0.0 of 2 hours this month", "1.2 MB of 2.0 MB stored"]


def leave(at: AppTest, typed: str) -> None:
    at.text_input(key="leave-typed").set_value(typed)
    button(at, "Delete my account").click()
    at.run()
    assert not at.exception, at.exception


def test_an_account_is_deleted_for_its_password_alone(desk: Desk) -> None:
    ada = desk.user()
    done, waiting = desk.job(ada, JobState.COMPLETED), desk.job(ada, name="waiting.wav")
    at = desk.page("settings", ada, part="Your data")
    leave(at, "wrong")
    assert "Nothing was deleted" in words(at)
    leave(at, PASSWORD)
    assert [one.value for one in at.run().title] == ["Log in"]
    with desk.ledger.read() as con:
        assert account_deletion.who(con) == [ada.id]
    assert account_deletion.erase(desk.ledger, desk.holder.files, ada.id) == 2
    with desk.ledger.read() as con:
        assert users.by_name(con, "ada") is None
        assert audit.page(con, subject=ada.id)[0].action == "user.delete"
    for job in (done, waiting):
        with pytest.raises(NotFound):
            desk.look(job)


def test_the_last_administrator_cannot_leave(desk: Desk) -> None:
    at = desk.page("settings", desk.user("root", Role.ADMIN), part="Your data")
    leave(at, PASSWORD)
    assert "last administrator" in words(at)


def test_one_who_logs_in_elsewhere_types_the_name(desk: Desk) -> None:
    eve = desk.ledger.run(users.create, name="eve", password=None, role=Role.MEMBER, actor="system:test")
    at = desk.page("settings", eve, part="Your data")
    leave(at, "Eve")
    assert "Nothing was deleted" in words(at)
    leave(at, "eve")
    with desk.ledger.read() as con:
        assert account_deletion.who(con) == [eve.id]


def test_a_reader_sets_no_defaults(desk: Desk) -> None:
    at = desk.page("settings", desk.user(role=Role.READER))
    assert [one.label for one in at.tabs] == ["Profile", "Password", "Browsers", "API keys", "Webhooks", "Your data"]


def test_a_browser_can_be_logged_out_from_another(desk: Desk) -> None:
    ada = desk.user()
    other = desk.session(ada)
    at = desk.page("settings", ada, part="Browsers")
    assert "Firefox" in words(at)
    at.button(key=f"end-{other}").click()
    at.run()
    with desk.ledger.read() as con:
        assert [one.id for one in sessions.list_of(con, ada.id)] == [at.user["sid"]]


def test_all_other_browsers_can_be_logged_out_at_once(desk: Desk) -> None:
    ada = desk.user()
    desk.session(ada)
    desk.session(ada)
    at = desk.page("settings", ada, part="Browsers")
    button(at, "Log out all others").click()
    at.run()
    assert "Log out all others" not in labels(at)


def test_known_browsers_are_listed_and_forgotten(desk: Desk) -> None:
    ada, now = desk.user(), utc_now()
    assert "Forget known browsers" not in labels(desk.page("settings", ada, part="Browsers"))
    client = "192.0.2.7 Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    desk.ledger.run(browser_login.begin, ada, device=None, client=client, now=now, max_days=1)
    at = desk.page("settings", ada, part="Browsers")
    assert any("Firefox on Linux** · " in each.value for each in at.caption)
    button(at, "Forget known browsers").click()
    at.run()
    assert "Forget known browsers" not in labels(at)
    with desk.ledger.read() as con:
        assert known_devices.list_of(con, ada.id, now=now) == []


def test_a_new_browser_is_told_on_pages_of_the_ones_before(desk: Desk) -> None:
    ada, agent = desk.user(), "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    at = desk.page("settings", ada, part="Browsers")
    assert "It was me" not in labels(at)
    begin = {"device": None, "client": f"192.0.2.7 {agent}", "now": utc_now(), "max_days": 1}
    desk.ledger.run(browser_login.begin, ada, **begin)  # type: ignore[arg-type]
    again = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_S)
    again.user = at.user
    again.run()
    go_to(again, "settings")
    again.query_params["part"] = "Browsers"
    again.run()
    assert "**Firefox on Linux**, 192.0.2.7" in words(again)
    assert any("192.0.2.7 · new since" in one.value for one in again.caption)
    button(again, "It was me").click()
    again.run()
    assert "It was me" not in labels(again)
    assert not any("new since" in one.value for one in again.caption)
    assert "It was me" not in labels(desk.page("settings", ada, part="Browsers"))


class Doorkeeper(Doors):
    """Remembers whose websockets were closed."""

    def __init__(self) -> None:
        super().__init__()
        self.kicked: list[str] = []

    def kick(self, idents: Iterable[str]) -> None:
        self.kicked += idents


def test_a_key_is_shown_once_and_works_until_it_is_revoked(desk: Desk) -> None:
    ada = desk.user()
    at = desk.page("settings", ada, part="API keys")
    field(at, "Name of the program").set_value("Meeting bot")
    button(at, "Create a key").click()
    at.run()
    secret = next(one.value for one in at.code if one.value.startswith("wt_"))
    with desk.ledger.read() as con:
        (key,) = api_keys.list_of(con, ada.id)
    assert api_keys.lookup(desk.ledger, secret) == (key, ada)
    assert Scope.ADMIN not in key.grant.scopes
    button(at, "I have copied it").click()
    at.run()
    assert not [one for one in at.code if one.value.startswith("wt_")]
    desk.holder.doors = doors = Doorkeeper()
    at.button(key=f"revoke-{key.id}").click()
    at.run()
    assert api_keys.lookup(desk.ledger, secret) is None
    assert doors.kicked == [key.id]  # open connections of the program end, too
    assert "Revoke permanently" not in labels(at)


def test_a_key_needs_a_name(desk: Desk) -> None:
    at = desk.page("settings", desk.user(), part="API keys")
    button(at, "Create a key").click()
    at.run()
    assert "use 1 to 100 characters" in words(at).replace("\\", "")


def test_a_reader_makes_no_keys(desk: Desk) -> None:
    assert "Create a key" not in labels(desk.page("settings", desk.user(role=Role.READER), part="API keys"))


def test_a_key_is_limited_when_it_is_made_and_rotated_later(desk: Desk) -> None:
    ada = desk.user()
    at = desk.page("settings", ada, part="API keys")
    field(at, "Name of the program").set_value("Reader")
    may: Any = next(one for one in at.get("button_group") if getattr(one, "label", "") == "The key may")
    may.set_value([Scope.READ])
    field(at, "It expires").set_value(90)
    field(at, "Only from these addresses and networks").set_value("10.0.0.0/8")
    field(at, "Requests per hour").set_value(2000)
    button(at, "Create a key").click()
    at.run()
    with desk.ledger.read() as con:
        (key,) = api_keys.list_of(con, ada.id)
    assert key.grant.scopes == (Scope.READ,)
    assert key.grant.expires_at
    assert "only from 10" in words(at)
    assert key.grant.requests_per_hour == 2000
    assert "2,000 requests an hour" in words(at)
    first = next(one.value for one in at.code if one.value.startswith("wt_"))
    at.button(key=f"rotate-{key.id}").click()
    at.run()
    second = next(one.value for one in at.code if one.value.startswith("wt_"))
    assert first != second
    for secret in (first, second):
        assert api_keys.lookup(desk.ledger, secret)
