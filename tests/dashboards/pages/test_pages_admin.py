"""The administrator's pages: people, machines, audit log."""

import asyncio
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.runtime.limits import Limits
from storage.accounts import api_keys, invitations, registration_policy, sessions, users, worker_tokens
from storage.accounts.registration_policy import Registration
from storage.domain.clock import new_id, utc_now
from storage.domain.records import Role, User
from storage.ledger import audit
from storage.maintenance import audit_heads
from storage.maintenance.audit_heads import AuditHead
from storage.remote.worker_registry import ModelState
from tests.dashboards.desk import Desk, button, component, go_to, words
from tests.factories import heartbeat


@pytest.fixture
def root(desk: Desk) -> User:
    return desk.user("root", Role.ADMIN)


def named(at: AppTest, label: str) -> Any:
    return next(one for one in at.text_input if one.label == label)


def manage(at: AppTest, user: User) -> AppTest:
    at.button(key=f"manage-{user.id}").click()
    return at.run()


def by_name(desk: Desk, name: str) -> User:
    with desk.ledger.read() as con:
        user = users.by_name(con, name)
    assert user
    return user


def test_a_person_gets_a_first_password_that_is_shown_once(desk: Desk, root: User) -> None:
    at = desk.page("people", root, part="Invite")
    named(at, "Name").set_value("Grace")
    button(at, "Add").click()
    at.run()
    password = at.code[0].value
    grace = by_name(desk, "grace")
    assert (grace.role, grace.must_change_password) == (Role.MEMBER, True)
    assert users.authenticate(desk.ledger, name="Grace", password=password, client="x") == grace
    button(at, "Done").click()
    at.run()
    assert not at.code


def test_a_name_that_is_taken_is_refused(desk: Desk, root: User) -> None:
    at = desk.page("people", root, part="Invite")
    named(at, "Name").set_value("ROOT")
    button(at, "Add").click()
    at.run()
    assert "is taken" in words(at)


def test_a_disabled_person_is_out_at_once_and_can_come_back(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    desk.session(ada)
    at = manage(desk.page("people", root), ada)
    at.button(key=f"disable-{ada.id}").click()
    at.run()
    assert by_name(desk, "ada").disabled
    with desk.ledger.read() as con:
        assert sessions.list_of(con, ada.id) == []
    at.button(key=f"enable-{ada.id}").click()
    at.run()
    assert not by_name(desk, "ada").disabled


def test_a_password_link_is_shown_once_and_opens_a_new_password(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    at = manage(desk.page("people", root), ada)
    at.button(key=f"reset-{ada.id}").click()
    at.run()
    token = at.code[0].value.partition("/reset?token=")[2]
    with desk.ledger.read() as con:
        assert invitations.find(con, token, reset=True).user_id == ada.id
    reset = desk.page("jobs", None)
    go_to(reset, "reset")
    reset.query_params["token"] = token
    reset.run()
    assert [one.value for one in reset.title] == ["Choose a new password"]
    assert component(reset, "login")["action"] == "/auth/reset"


def test_an_invitation_is_made_listed_and_withdrawn(desk: Desk, root: User) -> None:
    at = desk.page("people", root, part="Invite")
    named(at, "E-mail (optional)").set_value("eve@example.org")
    button(at, "Create an invitation link").click()
    at.run()
    token = at.code[0].value.partition("/join?token=")[2]
    with desk.ledger.read() as con:
        made = invitations.find(con, token)
    assert "eve@example.org" in [one.value for one in at.text]
    join = desk.page("jobs", None)
    go_to(join, "join")
    join.query_params["token"] = token
    join.run()
    assert [one["value"] for one in component(join, "login")["fields"] if one["name"] == "email"] == ["eve@example.org"]
    at.button(key=f"withdraw-{made.id}").click()
    at.run()
    assert "There are no pending invitations" in words(at)
    join.run()
    assert "This link is no longer valid" in words(join)


def test_limits_are_set_and_taken_away(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    at = manage(desk.page("people", root), ada)
    hours, size = at.number_input
    hours.set_value(10.0)
    size.set_value(1.5)
    at.button(key=f"set-limits-{ada.id}").click()
    at.run()
    assert (by_name(desk, "ada").quota_hours, by_name(desk, "ada").quota_bytes) == (10, 1_500_000_000)


def test_somebody_can_be_logged_out_everywhere(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    desk.session(ada)
    at = manage(desk.page("people", root), ada)
    at.button(key=f"end-all-{ada.id}").click()
    at.run()
    with desk.ledger.read() as con:
        assert sessions.list_of(con, ada.id) == []


def test_thousands_of_people_come_in_pages(desk: Desk, root: User) -> None:
    desk.holder.limits = Limits(page_rows=2)
    with desk.ledger.write() as con:
        for number in range(5):
            users.restore(con, user_id=new_id(), name=f"user{number}", role=Role.MEMBER, actor="system:test")
    at = desk.page("people", root)
    assert "user0" in words(at)
    assert "user1" not in words(at)
    button(at, "More").click()
    at.run()
    assert "user1" in words(at)
    at.text_input(key="people_search").set_value("USER4")
    at.run()
    assert "user4" in words(at)
    assert "user1" not in words(at)


def test_any_key_can_be_revoked(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    secret, key = desk.ledger.run(api_keys.create, user_id=ada.id, name="bot", actor="system:test")
    at = desk.page("people", root, part="API keys")
    assert "bot" in [one.value for one in at.text]
    at.button(key=f"revoke-{key.id}").click()
    at.run()
    assert api_keys.lookup(desk.ledger, secret) is None
    assert "There are no keys" in words(at)


def test_who_may_register_is_chosen_here(desk: Desk, root: User) -> None:
    at = desk.page("site", root)
    at.radio[0].set_value(Registration.OPEN)
    at.radio[1].set_value(Role.READER)
    button(at, "Save").click()
    at.run()
    with desk.ledger.read() as con:
        assert registration_policy.of(con) == registration_policy.RegistrationPolicy(
            registration=Registration.OPEN, role=Role.READER
        )
    login = desk.page("jobs", None)
    assert "Create an account" in [one.proto.label for one in login.get("page_link")]


def test_a_role_can_be_changed_but_not_of_the_last_administrator(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    at = manage(desk.page("people", root), ada)
    at.selectbox(key=f"role-{ada.id}").set_value(Role.READER)
    at.run()
    at.button(key=f"set-role-{ada.id}").click()
    at.run()
    assert by_name(desk, "ada").role is Role.READER
    at.button(key="back").click()
    manage(at.run(), root)
    at.selectbox(key=f"role-{root.id}").set_value(Role.MEMBER)
    at.run()
    at.button(key=f"set-role-{root.id}").click()
    at.run()
    assert "last administrator" in words(at)
    assert by_name(desk, "root").role is Role.ADMIN


def test_one_who_is_no_administrator_any_more_adds_nobody(desk: Desk, root: User) -> None:
    desk.user("boss", Role.ADMIN)
    at = desk.page("people", root, part="Invite")
    named(at, "Name").set_value("Grace")
    desk.ledger.run(users.set_role, root.id, role=Role.MEMBER, actor="system:test")
    button(at, "Add").click()
    at.run()
    with desk.ledger.read() as con:
        assert users.by_name(con, "grace") is None


async def test_a_change_of_role_shuts_what_is_open(desk: Desk, root: User) -> None:
    ada = desk.user("ada", Role.ADMIN)
    _, key = desk.ledger.run(api_keys.create, user_id=ada.id, name="bot", actor="system:test")
    doors = desk.holder.doors
    with doors.passed(desk.session(ada)) as page, doors.passed(key.id) as socket, doors.passed("root's") as other:
        at = await asyncio.to_thread(desk.page, "people", root)
        await asyncio.to_thread(manage, at, ada)
        at.selectbox(key=f"role-{ada.id}").set_value(Role.MEMBER)
        await asyncio.to_thread(at.run)
        at.button(key=f"set-role-{ada.id}").click()
        await asyncio.to_thread(at.run)
        assert page.is_shut()
        assert socket.is_shut()
        assert not other.is_shut()


def test_machines_tell_load_and_models(desk: Desk, root: User) -> None:
    assert "No worker that transcribes is running" in words(desk.page("machines", root))
    desk.beat(model=ModelState(name="small", fingerprint="f", state="ready"), busy=1)
    at = desk.page("machines", root)
    assert [one.value for one in at.metric] == ["2", "1", "2 of 4"]
    assert "small" in words(at)


def test_machines_tell_speed_free_memory_and_who_is_leaving(desk: Desk, root: User) -> None:
    measured = {"spans_per_minute": 4.5, "speech_per_s": 12.25, "free_bytes": 3_200_000_000}
    desk.holder.workers.beat(heartbeat("gpu", slots=2, draining=True, **measured))
    said = words(desk.page("machines", root))
    assert "4.5 spans per minute, 12.25 s of speech per second, over the last minutes" in said
    assert "3.2 GB of the device's memory free" in said
    assert desk.holder.workers.slots("gpu") == 0
    badge = next(one for one in desk.page("machines", root).markdown if "finishing, then stopping" in one.value)
    assert "orange" in badge.value


def test_machines_name_the_model_that_is_used_before_those_that_are_only_installed(desk: Desk, root: User) -> None:
    used = ModelState(name="/srv/models/our_base", fingerprint="f", state="ready")
    desk.beat(model=used)
    (beat,) = desk.holder.workers.alive(pool="gpu")
    other = ModelState(name="small", fingerprint="e", state="ready")
    desk.holder.workers.beat(replace(beat, models=(other,)))
    said = words(desk.page("machines", root))
    assert r"Uses model **our\_base**" in said
    assert "Also installed: small" in said
    assert "/srv" not in said


def test_a_failed_model_says_why(desk: Desk, root: User) -> None:
    failed = ModelState(name="small", fingerprint=None, state="failed", warning="the hub did not answer")
    desk.beat(model=failed)
    assert "The hub did not answer" in words(desk.page("machines", root))


def test_the_log_is_filtered_by_who_and_what(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    desk.job(ada)
    at = desk.page("audit", root)
    assert set(at.dataframe[0].value["Who"]) >= {"ada", "the system"}
    at.text_input[0].set_value("Ada")
    at.selectbox[0].set_value("job.accept")
    at.run()
    assert list(at.dataframe[0].value["What"]) == ["job.accept: recording accepted"]
    at.date_input[0].set_value((date(2020, 1, 1), date(2020, 1, 2)))
    at.run()
    assert "No entry matches" in words(at)


def test_the_log_is_filtered_by_what_it_is_about(desk: Desk, root: User) -> None:
    job = desk.job(desk.user("ada"))
    at = desk.page("audit", root)
    at.text_input[1].set_value(job.id)
    at.text_input[0].set_value("worker")
    at.run()
    assert "No entry matches" in words(at)
    at.text_input[0].set_value("")
    at.run()
    assert set(at.dataframe[0].value["To"]) == {job.id}
    (csv, jsonl) = [one.proto.url for one in at.get("link_button")]
    assert csv == f"/audit/export?format=csv&subject={job.id}"
    assert "format=jsonl" in jsonl


def test_older_rows_are_a_page_away(desk: Desk, root: User) -> None:
    desk.holder.limits = Limits(audit_page_rows=2)
    for number in range(3):
        desk.ledger.run(audit.record, actor="system:test", action="user.role", subject=str(number))
    at = desk.page("audit", root)
    newest = list(at.dataframe[0].value["#"])
    button(at, "Older").click()
    at.run()
    assert list(at.dataframe[0].value["#"]) == [newest[0] - 2, newest[0] - 3]


def test_a_sound_chain_is_said_to_be_sound(desk: Desk, root: User) -> None:
    at = desk.page("audit", root)
    button(at, "Verify audit log").click()
    at.run()
    assert "are intact" in words(at)


def test_a_row_changed_by_other_hands_is_found(desk: Desk, root: User) -> None:
    at = desk.page("audit", root)
    with desk.ledger.write() as con:
        con.execute("UPDATE audit SET subject = 'nobody' WHERE seq = 1")
    button(at, "Verify audit log").click()
    at.run()
    assert "Row 1 was changed" in words(at)


def test_a_role_without_a_row_and_a_shortened_chain_are_found(desk: Desk, root: User) -> None:
    at = desk.page("audit", root)
    audit_heads.keep(desk.holder.files, AuditHead(at=utc_now(), rows=99, hash="gone"))
    with desk.ledger.write() as con:
        con.execute("INSERT INTO users SELECT * REPLACE ('x' AS id, 'eve' AS name, 'eve' AS name_key) FROM users")
    button(at, "Verify audit log").click()
    at.run()
    assert "the chain only" in words(at)
    assert "The account eve" in words(at)


def test_worker_tokens_are_created_shown_once_and_revoked(desk: Desk) -> None:
    root = desk.user("root", Role.ADMIN)
    at = desk.page("machines", root)
    at.text_input[0].input("gpu-box")
    button(at, "Create token").click()
    at.run()
    secret = at.code[0].value
    assert worker_tokens.lookup(desk.ledger, secret) == "gpu-box"
    assert "gpu-box" in [each.value for each in at.text]
    button(at, "Revoke permanently").click()
    at.run()
    assert not at.code
    assert worker_tokens.lookup(desk.ledger, secret) is None
