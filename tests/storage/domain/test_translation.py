"""What is said in which language."""

import asyncio
import threading
from datetime import UTC, datetime

import pytest
from babel import Locale, localedata

from storage.domain import translation
from storage.domain.errors import AudioUnreadable
from storage.domain.job_messages import DownloadingModel, decode, encode, raised, text_of
from storage.domain.languages import NAMES, OWN_NAMES, named
from storage.domain.translation import gettext, ngettext, speaking, wanted


@pytest.mark.parametrize(
    ("asked", "spoken"),
    [
        ("de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7", "de"),
        ("es-419", "es"),
        ("fr-FR, fr;q=0.9, es;q=0.8, de;q=0.7", "es"),
        ("en-GB,de;q=0.5", "en"),
        ("en;q=0.4,de;q=0.5", "de"),
        ("de;q=0", "en"),
        ("fr", "en"),
        ("*", "en"),
        ("", "en"),
        (None, "en"),
        ("de;q=nothing,,;;=", "en"),
    ],
)
def test_the_browser_asks_for_a_language(asked: str | None, spoken: str) -> None:
    assert wanted(asked) == spoken


def test_texts_and_numbers_are_those_of_the_language() -> None:
    for language, said in (
        ("en", "1 recording, 1,234 recordings, 3.5 of 10 hours this month"),
        ("de", "1 Aufnahme, 1.234 Aufnahmen, 3,5 von 10 Stunden in diesem Monat"),
        ("es", "1 grabación, 1.234 grabaciones, 3,5 de 10 horas este mes"),
    ):
        with speaking(language):
            counted = [ngettext("1 recording", "{n:,} recordings", n) for n in (1, 1234)]
            hours = gettext("{hours:.1f} of {quota:g} hours this month", hours=3.5, quota=10.0)
            assert ", ".join([*counted, hours]) == said


def test_dates_and_names_of_languages_are_those_of_the_language() -> None:
    there, said = datetime(2026, 3, 5, tzinfo=UTC), []
    for language in translation.LANGUAGES:
        with speaking(language):
            said.append((translation.date(there), translation.date(there, "MMMd"), named("de")))
    assert said == [
        ("5 Mar 2026", "5 Mar", "German"),
        ("5.\u00a0März 2026", "5.\u00a0März", "Deutsch"),
        ("5 mar 2026", "5 mar", "Alemán"),
    ]


def test_what_has_no_translation_stays_english() -> None:
    with speaking("de"):
        assert gettext("no such text, {name}", name="ada") == "no such text, ada"
    with speaking("tlh"):
        assert gettext("Save") == "Save"


@pytest.mark.parametrize(
    "translated", ["{größe} von {quota} belegt", "{size} von {quota[} belegt", "{size:d} belegt", "{} {size.x}"]
)
def test_a_wrong_place_in_a_translation_breaks_nothing(translated: str) -> None:
    values = {"size": "1 GB", "quota": "2 GB"}
    assert translation.filled(translated, "{size} of {quota} stored", "de", values) == "1 GB of 2 GB stored"


def test_the_language_belongs_to_a_thread_or_task_alone() -> None:
    said: list[str] = []
    with speaking("de"):
        other = threading.Thread(target=lambda: said.append(gettext("Save")))
        other.start()
        other.join()

        async def apart() -> str:
            translation.use("es")
            return gettext("Save")

        said.append(asyncio.run(apart()))
        said.append(gettext("Save"))
    assert said == ["Save", "Guardar", "Speichern"]


def test_what_is_stored_is_never_translated() -> None:
    """It is a code with arguments, whatever language is spoken when it is stored."""
    with speaking("de"):
        stored = [
            encode(DownloadingModel(model="base", share=0.5)),
            encode(raised(AudioUnreadable("a.wav", "no header"))),
        ]
        assert text_of(stored[0]) == "Modell base wird heruntergeladen: 50%"
        assert text_of(stored[1]).startswith("a.wav ist kein lesbarer Ton (no header)")
    assert [decode(one).code for one in stored] == ["downloading_model", "raised"]
    assert text_of(stored[0]) == "downloading model base: 50%"
    assert text_of(stored[1]).startswith("a.wav is not readable audio (no header)")


def test_names_of_languages_in_themselves_are_babels() -> None:
    there = {code for code in NAMES if localedata.exists(code)}
    own = {code: Locale(code).languages.get(code, code).lower() for code in there}
    assert {code: name for code, name in own.items() if name not in {code, NAMES[code]}} == OWN_NAMES
