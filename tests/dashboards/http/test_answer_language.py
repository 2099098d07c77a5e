"""Which language answers have: the reader's in a browser, English for programs."""

import pytest

from dashboards.runtime import context, notify
from storage.accounts import preferences
from storage.accounts.preferences import Preferences
from storage.domain.records import JobState
from tests.dashboards.site import ORIGIN, Site
from tests.factories import job_in

pytestmark = pytest.mark.shared_site

PAGE = {"Accept": "text/html"}
GERMAN = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}


def speaks(site: Site, language: str | None) -> None:
    user = site.user("ada")
    chosen = Preferences(pages_language=language)
    context.ledger().run(preferences.set_, user.id, chosen, actor=user.actor)


def test_the_empty_page_names_its_language(site: Site) -> None:
    page = site.client.get("/", headers=PAGE | GERMAN)
    assert '<html lang="de"' in page.text
    assert "Diese Seite kann noch nicht angezeigt werden" in page.text
    assert page.headers["vary"] == "Accept-Language"
    assert '<html lang="en"' in site.client.get("/", headers=PAGE).text
    offline = site.client.get("/offline", headers=GERMAN).text
    assert ('<html lang="de"' in offline, "Der Server ist nicht erreichbar" in offline) == (True, True)
    assert site.client.get("/manifest.webmanifest", headers=GERMAN).json()["lang"] == "de"


def test_a_browser_is_refused_in_its_readers_language(site: Site) -> None:
    def refusal() -> str:
        return str(site.client.get("/api/v1/jobs/nothing", headers=GERMAN).json()["error"]["message"])

    site.sign_in("ada")
    assert refusal().startswith("Auftrag nothing gibt es nicht")
    speaks(site, "es")
    assert refusal().startswith("no existe el trabajo nothing")
    speaks(site, "en")
    assert refusal().startswith("there is no job nothing")


def test_programs_are_refused_in_english(site: Site) -> None:
    speaks(site, "de")
    answer = site.client.get("/api/v1/jobs/nothing", headers=site.key_of(site.user("ada")) | GERMAN)
    assert answer.json()["error"]["message"].startswith("there is no job nothing")


def test_a_share_link_speaks_the_visitors_language(site: Site) -> None:
    unknown = site.client.get("/shared/unknown", headers=GERMAN)
    assert "Diesen Link gibt es nicht" in unknown.text
    assert '<html lang="de">' in unknown.text
    assert "This link does not exist" in site.client.get("/shared/unknown").text


@pytest.mark.own_site
def test_open_pages_get_the_rows_of_lists_in_their_own_language(site: Site) -> None:
    site.sign_in("ada")
    job = job_in(context.ledger(), context.files(), site.user("ada"), JobState.TRANSCRIBING)
    with (
        site.client.websocket_connect("/events?batch=1", headers=ORIGIN | GERMAN) as german,
        site.client.websocket_connect("/events?batch=1", headers=ORIGIN) as english,
    ):
        notify.announce(job)
        rows = [page.receive_json()[0]["row"] for page in (german, english)]
    assert [row["label"] for row in rows] == ["Wird transkribiert 25%", "Transcribing 25%"]
    assert [row["about"] for row in rows] == ["Englisch · small · 1,2 MB", "English · small · 1.2 MB"]
