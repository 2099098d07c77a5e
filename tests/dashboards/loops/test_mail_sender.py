"""Mails about finished recordings at a real mail server: once each, with retries."""

import email
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import Message
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import SecretStr

from dashboards.clients import smtp_client
from dashboards.runtime import context
from dashboards.runtime.limits import Limits
from storage.accounts import mail_queue, preferences, profiles, webhooks
from storage.accounts.preferences import Preferences
from storage.accounts.webhooks import DisabledBecause
from storage.domain.clock import utc_now
from storage.domain.errors import EmptyUpload, MailNotSent
from storage.domain.job_messages import encode, raised
from storage.domain.records import Job, JobState
from storage.domain.settings import MailSettings, Settings
from storage.jobs import job_rows
from tests.dashboards.site import Site, running
from tests.factories import accept
from tests.waiting import PATIENCE_S

FAST = (0.05, 0.05, 0.05, 0.05)


@dataclass
class Office:
    """A mail server that keeps what it gets, after having refused it `refusals` times."""

    got: list[Message] = field(default_factory=list)
    refusals: int = 0
    asked: int = 0

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        self.asked += 1
        if self.asked <= self.refusals:
            return "451 come back later"
        assert isinstance(envelope.content, bytes)
        self.got.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def smtp(office: Office) -> Iterator[MailSettings]:
    """A server on a port of its own, and the settings that lead there; it takes one name and password."""

    def let_in(*args: object) -> AuthResult:
        known = args[-1]
        right = isinstance(known, LoginPassword) and (known.login, known.password) == (b"robot", b"secret")
        return AuthResult(success=right)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(
        office,
        hostname="127.0.0.1",
        port=port,
        authenticator=let_in,
        auth_require_tls=False,
    )
    server.start()
    yield MailSettings(
        smtp_host="127.0.0.1",
        smtp_port=port,
        smtp_security="none",
        smtp_user="robot",
        smtp_password=SecretStr("secret"),
        smtp_from="robot@example.org",
        _env_file=None,
    )
    server.stop()


@pytest.fixture
def mailing(settings: Settings, smtp: MailSettings) -> Iterator[Site]:
    settings.__dict__["mail"] = smtp
    with running(settings, Limits(mail_pauses_s=FAST, mail_look_every_s=0.05)) as site:
        yield site


def wants(site: Site, *, ready: bool = True, failed: bool = True, language: str | None = None) -> None:
    ada, ledger = site.user(), context.ledger()
    ledger.run(profiles.set_profile, ada.id, display_name=None, email="ada@example.org", actor="system:test")
    chosen = Preferences(mail_when_ready=ready, mail_when_failed=failed, pages_language=language)
    ledger.run(preferences.set_, ada.id, chosen, actor="system:test")


def a_job(site: Site, name: str = "talk.wav") -> Job:
    return accept(context.ledger(), site.user(), name=name)


def ends(job: Job, state: JobState) -> Job:
    """Let the job end."""
    error = encode(raised(EmptyUpload("talk.wav"))) if state is JobState.FAILED else None
    return context.ledger().run(job_rows.finish, job, state, actor="system:test", action="job.end", error=error)


def wait_for(office: Office, count: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while len(office.got) < count:
        assert time.monotonic() < until, f"{len(office.got)} of {count} mails came"
        time.sleep(0.02)


def test_mails_are_in_the_language_that_the_reader_chose(mailing: Site, office: Office) -> None:
    wants(mailing, language="de")
    ends(a_job(mailing, "bad.wav"), JobState.FAILED)
    wait_for(office, 1)
    assert office.got[0]["Subject"] == "bad.wav konnte nicht transkribiert werden"
    text = office.got[0].get_payload(decode=True)
    assert isinstance(text, bytes)
    assert text.decode().startswith("talk.wav ist leer; prüfen Sie, ob die Aufnahme gespeichert wurde")


def test_completion_and_failure_are_mailed_once_each(mailing: Site, office: Office) -> None:
    wants(mailing)
    done, failed = ends(a_job(mailing), JobState.COMPLETED), ends(a_job(mailing, "bad.wav"), JobState.FAILED)
    wait_for(office, 2)
    ends(done, JobState.COMPLETED)
    last = ends(a_job(mailing, "last.wav"), JobState.COMPLETED)
    wait_for(office, 3)
    told = {mail["Subject"]: mail for mail in office.got}
    assert set(told) == {"talk.wav is ready", "bad.wav could not be transcribed", "last.wav is ready"}
    mail = told["bad.wav could not be transcribed"]
    assert (mail["To"], mail["From"]) == ("ada@example.org", "robot@example.org")
    text = mail.get_payload()
    assert str(EmptyUpload("talk.wav")) in text
    assert f"{mailing.settings.web.base_url}/job?id={failed.id}" in text
    assert last.id in told["last.wav is ready"].get_payload()


def test_only_requested_mails_are_sent(mailing: Site, office: Office) -> None:
    wants(mailing, ready=False)
    ends(a_job(mailing), JobState.COMPLETED)
    ends(a_job(mailing, "gone.wav"), JobState.CANCELLED)
    ends(a_job(mailing, "bad.wav"), JobState.FAILED)
    wait_for(office, 1)
    assert [mail["Subject"] for mail in office.got] == ["bad.wav could not be transcribed"]


def test_a_server_that_is_busy_is_asked_again(mailing: Site, office: Office) -> None:
    office.refusals = 2
    wants(mailing)
    ends(a_job(mailing), JobState.COMPLETED)
    wait_for(office, 1)
    assert office.asked == 3


def test_a_server_that_never_takes_it_is_left_alone_in_the_end(mailing: Site, office: Office) -> None:
    office.refusals = 99
    wants(mailing)
    ends(a_job(mailing), JobState.COMPLETED)
    until = time.monotonic() + PATIENCE_S
    while office.asked < len(FAST) + 1:
        assert time.monotonic() < until
        time.sleep(0.02)
    time.sleep(0.5)
    assert office.asked == len(FAST) + 1
    with context.ledger().read() as con:
        assert not mail_queue.due(con, now=utc_now() + timedelta(hours=3))


def test_a_mail_that_was_not_sent_is_by_the_next_process(
    settings: Settings, smtp: MailSettings, office: Office
) -> None:
    with running(settings, Limits(mail_pauses_s=FAST, mail_look_every_s=0.05)) as site:
        wants(site)
        ends(a_job(site), JobState.COMPLETED)
    settings.__dict__["mail"] = smtp
    with running(settings):
        wait_for(office, 1)


def test_what_ended_long_before_there_was_a_server_is_no_news(
    settings: Settings, smtp: MailSettings, office: Office
) -> None:
    with running(settings, Limits(mail_pauses_s=FAST, mail_look_every_s=0.05)) as site:
        wants(site)
        ends(a_job(site), JobState.COMPLETED)
        with context.ledger().write() as con:
            con.execute("UPDATE mails SET created_at = $before", {"before": utc_now() - 2 * mail_queue.NEWS_FOR})
        ends(a_job(site, "fresh.wav"), JobState.COMPLETED)
    settings.__dict__["mail"] = smtp
    with running(settings):
        wait_for(office, 1)
        time.sleep(0.5)
    assert [mail["Subject"] for mail in office.got] == ["fresh.wav is ready"]


def test_a_name_with_line_ends_adds_no_headers(mailing: Site, office: Office) -> None:
    wants(mailing)
    ends(a_job(mailing, "a\r\nBcc: eve@example.org\r\n\r\nb.wav"), JobState.COMPLETED)
    wait_for(office, 1)
    assert office.got[0]["Bcc"] is None


def test_a_log_in_with_a_new_browser_is_mailed(mailing: Site, office: Office) -> None:
    office.refusals = 1
    wants(mailing)
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    mailing.client.headers.update(agent)
    for known in (False, True, False):
        if not known:
            mailing.client.cookies.clear()
        assert mailing.log_in("ada").status_code == 200
    wait_for(office, 1)
    (mail,) = office.got
    assert (mail["To"], mail["Subject"]) == ("ada@example.org", "New browser for ada")
    content = mail.get_payload(decode=True)
    assert isinstance(content, bytes)
    text = content.decode()
    said = (
        "UTC",
        "Address: testclient",
        "Browser: Firefox on Linux",
        f"{mailing.settings.web.base_url}/settings?part=P",
    )
    assert [one for one in said if one not in text] == []


def test_a_webhook_that_was_disabled_is_mailed_to_its_owner(mailing: Site, office: Office) -> None:
    office.refusals = 1
    wants(mailing)
    made: dict[str, Any] = {"webhook_id": "hook", "url": "https://hooks.example/a-secret-path", "secret_mark": ""}
    made |= {"events": ["job.failed"], "everybody": False, "actor": "system:test"}
    ada, ledger = mailing.user(), context.ledger()
    ledger.run(webhooks.create, user_id=ada.id, **made)
    ledger.run(webhooks.disable, "hook", DisabledBecause.GONE, now=utc_now(), actor="system:test")
    wait_for(office, 1)
    (mail,) = office.got
    assert (mail["To"], mail["Subject"]) == ("ada@example.org", "Your webhook at https://hooks.example is disabled")
    assert "status 410" in mail.get_payload()
    assert "a-secret-path" not in mail.get_payload()


def test_a_server_that_is_not_there_is_named(smtp: MailSettings) -> None:
    gone = MailSettings(smtp_host="127.0.0.1", smtp_port=9, smtp_security="none", _env_file=None)
    with pytest.raises(MailNotSent, match="TRANSCRIBER_SMTP"):
        smtp_client.send(gone, to="a@example.org", subject="s", text="t", within_s=2.0)
    wrong = MailSettings(**smtp.model_dump() | {"smtp_password": SecretStr("wrong")}, _env_file=None)
    with pytest.raises(MailNotSent):
        smtp_client.send(wrong, to="a@example.org", subject="s", text="t", within_s=2.0)
    plain = MailSettings(**smtp.model_dump() | {"smtp_security": "starttls"}, _env_file=None)
    with pytest.raises(MailNotSent):  # never in the clear where encryption was asked for
        smtp_client.send(plain, to="a@example.org", subject="s", text="t", within_s=2.0)
