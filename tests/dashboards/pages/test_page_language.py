"""Pages speak the reader's language: all of them, and nothing but it."""

import re
from collections.abc import Iterator

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.pages.registry import PAGES
from storage.accounts import preferences
from storage.accounts.preferences import Preferences
from storage.domain.records import JobState, Role, User
from tests import catalogue
from tests.dashboards.desk import PASSWORD, Desk, button, component, words
from tests.factories import NO_AUDIO


def speaks(desk: Desk, user: User, language: str | None) -> None:
    desk.ledger.run(preferences.set_, user.id, Preferences(pages_language=language), actor=user.actor)


def said(at: AppTest) -> str:
    """Return all that the page hands to the browser, with what components get."""
    protos = [node.proto for tree in (at.main, at.sidebar) for node in tree if getattr(node, "proto", None) is not None]
    written = [proto.SerializeToString().decode(errors="ignore") for proto in protos]
    given = [proto.json for proto in protos if hasattr(proto, "json")]
    return "\n".join([*written, *given]).replace("\\u2019", "’").replace('\\"', '"')


@pytest.fixture(scope="module")
def english() -> dict[str, str]:
    """A stretch of each longer text, that only English pages have."""
    found = {}
    for message in catalogue.current("de"):
        for text in [message.id] if isinstance(message.id, str) else message.id:
            stretches = re.findall(r"[A-Za-z][A-Za-z ,’'.-]*", re.sub(r"\{[^}]*\}", "\n", text))
            longest = max(stretches, key=len, default="")
            if text not in message.string and longest.count(" ") > 1 and longest not in str(message.string):
                found[longest.strip()] = text
    return found


def pages(desk: Desk, user: User) -> Iterator[tuple[str, AppTest]]:
    """Open every page of an administrator, a recording in each state, and the log-in."""
    done, failed = desk.job(user, JobState.COMPLETED), desk.job(user, JobState.FAILED)
    waiting = desk.job(user)
    yield "without workers", desk.page("jobs", user)
    desk.beat()
    for key, spec in PAGES.items():
        if spec.role is not None and key != "job":
            yield key, (first := desk.page(key, user))
            for tab in first.tabs[1:]:
                yield f"{key}, {tab.label}", desk.page(key, user, part=tab.label)
    for job in (done, failed, waiting):
        yield job.state, desk.page("job", user, id=job.id)
    yield "one person", desk.page("people", user, person=user.id)
    yield "not found", desk.page("job", user, id="nothing")


def test_no_page_of_a_german_reader_has_an_english_sentence(desk: Desk, english: dict[str, str]) -> None:
    root = desk.user("root", Role.ADMIN)
    speaks(desk, root, "de")
    found = {}
    for name, at in pages(desk, root):
        shown = said(at).replace(NO_AUDIO, "")  # a sentence that an older version stored
        if left := sorted({text for stretch, text in english.items() if stretch in shown}):
            found[name] = left
    assert found == {}


def test_the_setting_changes_the_language_and_what_fragments_say(desk: Desk) -> None:
    ada = desk.user()
    at = desk.page("settings", ada)
    assert at.title[0].value == "Settings"
    language = next(one for one in at.selectbox if one.label == "Language")
    assert language.options == ["Same as browser", "English", "Deutsch", "Español"]
    language.set_value("es")
    next(one for one in at.button if one.label == "Save").click()
    at.run()
    assert at.title[0].value == "Ajustes"
    assert component(at, "session")["language"] == "es"
    assert "Aún no hay nada aquí" in words(desk.page("jobs", ada))
    speaks(desk, ada, None)
    assert desk.page("jobs", ada).title[0].value == "Recordings"


def test_a_refusal_is_told_in_the_readers_language(desk: Desk) -> None:
    ada = desk.user()
    speaks(desk, ada, "de")
    at = desk.page("settings", ada, part="Passwort")
    for label, value in (
        ("Jetziges Passwort", PASSWORD),
        ("Neues Passwort", "abc"),
        ("Neues Passwort wiederholen", "abc"),
    ):
        next(one for one in at.text_input if one.label == label).set_value(value)
    button(at, "Passwort ändern").click()
    at.run()
    assert at.error[0].value == "Passwort\\: nehmen Sie 10 bis 1024 Zeichen."


def test_links_of_mails_open_their_part_of_the_settings_in_any_language(desk: Desk) -> None:
    ada = desk.user()
    speaks(desk, ada, "de")
    for english, german in (("Password", "Passwort"), ("Browsers", "Browser"), ("Webhooks", "Webhooks")):
        at = desk.page("settings", ada, part=english)
        assert at.session_state["part"] == german
