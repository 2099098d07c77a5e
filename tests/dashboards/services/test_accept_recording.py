"""What is refused before a recording is read: the same way wherever it is sent."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response

from dashboards.runtime import context
from storage.accounts import profiles, quotas
from storage.domain.recording_names import clean_name
from storage.domain.records import Role, User
from storage.files.local_folder import sync_ahead
from storage.jobs import job_store
from storage.media import probe
from tests.dashboards.site import Site
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.shared_site

NO_RECORDING = b"no sound at all" * 99
HTTP_ROUTES = ("/api/v1/jobs", "/v1/audio/transcriptions", "/v1/audio/translations")


@pytest.fixture
def used_up(site: Site) -> User:
    """Ada, who has heard all that she may this month."""
    ada = site.user("ada")
    context.ledger().run(quotas.add, ada.id, 7200.0)
    context.ledger().run(profiles.set_quota, ada.id, hours=2, size_bytes=None, actor="system:test")
    return ada


def send(site: Site, who: User, path: str, data: bytes, **headers: str) -> Response:
    return site.client.post(path, files={"file": ("talk.wav", data)}, headers=site.key_of(who) | headers)


def test_with_the_hours_used_up_every_route_refuses_at_once_in_the_same_words(site: Site, used_up: User) -> None:
    answers = [send(site, used_up, path, NO_RECORDING) for path in HTTP_ROUTES]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    first, *others = [answer.json()["error"] for answer in answers]
    assert (first["code"], first["type"]) == ("hours_used_up", "invalid_request_error")
    assert others == [first, first]


@pytest.mark.parametrize("path", HTTP_ROUTES)
def test_the_refusal_comes_before_the_body_is_looked_at(site: Site, used_up: User, path: str) -> None:
    answer = site.client.post(path, content=b"no form at all", headers=site.key_of(used_up))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "hours_used_up")


@pytest.mark.own_site
def test_a_recording_is_written_to_the_disk_while_it_is_probed(
    site: Site, tone: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    written, check = threading.Event(), probe.check

    def probed(*args: Any, **told: Any) -> probe.MediaInfo:
        assert written.wait(PATIENCE_S), "it is probed before it is written"
        return check(*args, **told)

    def synced(path: Path) -> None:
        sync_ahead(path)
        written.set()

    monkeypatch.setattr(probe, "check", probed)
    monkeypatch.setattr("dashboards.services.accept_recording.sync_ahead", synced)
    assert send(site, site.user("ada"), "/api/v1/jobs", tone(1.25)).status_code == 201


@pytest.mark.own_site
def test_a_request_sent_again_is_given_the_job_that_it_made_whatever_was_used_since(
    site: Site, tone: Callable[..., bytes]
) -> None:
    ada, key = site.user("ada"), {"Idempotency-Key": "once"}
    job_id = send(site, ada, "/api/v1/jobs", tone(), **key).json()["id"]
    context.ledger().run(profiles.set_quota, ada.id, hours=0, size_bytes=None, actor="system:test")
    context.ledger().run(job_store.cancel, job_id, actor="system:test")
    assert send(site, ada, "/api/v1/jobs", tone(), **{"Idempotency-Key": "another"}).status_code == 403
    assert send(site, ada, "/api/v1/jobs", tone(), **key).json()["id"] == job_id
    waited = send(site, ada, "/v1/audio/transcriptions", tone(), **key)
    assert waited.json()["error"]["code"] == "transcription_cancelled"


def test_accounts_that_may_only_read_send_nothing(site: Site) -> None:
    rex = site.user("rex")
    assert rex.role is Role.READER
    for path in HTTP_ROUTES:
        assert send(site, rex, path, NO_RECORDING).status_code == 403


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("C:\\talks\\one.wav", "one.wav"),
        ("../../etc/passwd", "passwd"),
        ("a\x00b\n.wav", "ab.wav"),
        (" .. ", "recording"),
    ],
)
def test_a_name_is_shown_without_path_and_control_characters(sent: str, shown: str) -> None:
    assert clean_name(sent) == shown
