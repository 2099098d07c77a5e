"""The administrators' page about retention rules, legal holds, and what is due."""

from datetime import timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.strings import upkeep_texts
from storage.domain.clock import utc_now
from storage.domain.records import JobState, Role, User
from storage.domain.translation import speaking
from storage.jobs import legal_holds
from storage.jobs.kept_parts import KeptPart
from storage.maintenance import retention
from storage.maintenance.retention import Rule, RuleKind
from tests.dashboards.desk import Desk, button, words


@pytest.fixture
def root(desk: Desk) -> User:
    return desk.user("root", Role.ADMIN)


def rules(desk: Desk) -> list[Rule]:
    with desk.ledger.read() as con:
        return retention.rules(con)


def field(at: AppTest, form: str, label: str) -> Any:
    fields = [*at.text_input, *at.number_input, *at.selectbox, *at.checkbox]
    return next(one for one in fields if one.label == label and one.form_id == form)


def test_a_rule_is_added_applied_and_removed(desk: Desk, root: User) -> None:
    ada = desk.user("ada")
    job = desk.job(ada, JobState.COMPLETED, name="Old interview.wav")
    at = desk.page("retention", root)
    assert "everything is kept" in words(at)
    field(at, "rule", "For").set_value(RuleKind.PERSON)
    field(at, "rule", "Name").set_value("ada")
    field(at, "rule", "Days to keep").set_value(0)
    button(at, "Add rule").click()
    at.run()
    assert rules(desk) == [Rule(kind=RuleKind.PERSON, subject=ada.id, part=KeptPart.RECORDING, days=0)]
    assert "A person \\(ada\\)" in words(at)
    assert "1 deletion is due" in words(at)
    at.button(key="delete").click()
    at.run()
    assert desk.look(job).deleted_at is not None
    assert "Nothing is due" in words(at)
    button(at, "Remove").click()
    at.run()
    assert rules(desk) == []


def test_what_a_rule_is_for_is_in_the_readers_language() -> None:
    with speaking("de"):
        assert upkeep_texts.rule_subject(RuleKind.TAG, "x") == "Ein Schlagwort (x)"


def test_a_hold_keeps_what_a_rule_would_delete_until_it_is_released(desk: Desk, root: User) -> None:
    job = desk.job(desk.user("ada"), JobState.COMPLETED)
    rule = Rule(kind=RuleKind.EVERYBODY, subject=retention.EVERYBODY, part=KeptPart.RECORDING, days=0)
    desk.ledger.run(retention.put, rule, actor="system:test")
    at = desk.page("retention", root)
    field(at, "hold", "Name").set_value(job.id)
    field(at, "hold", "Reason, which users read").set_value("court order")
    button(at, "Place hold").click()
    at.run()
    assert "court order" in words(at)
    assert "Nothing is due" in words(at)
    button(at, "Release").click()
    at.run()
    with desk.ledger.read() as con:
        assert legal_holds.all_of(con) == []
        assert [due.job_id for due in retention.due(con, now=utc_now() + timedelta(seconds=1))] == [job.id]
    desk.ledger.run(legal_holds.put, legal_holds.HoldKind.TAG, "x", reason="audit", actor="cli:root")
    assert "console \\(root\\)" in words(desk.page("retention", root))


def test_a_name_that_nobody_has_is_refused_in_words(desk: Desk, root: User) -> None:
    at = desk.page("retention", root)
    field(at, "rule", "For").set_value(RuleKind.PERSON)
    field(at, "rule", "Name").set_value("nobodyhere")
    button(at, "Add rule").click()
    at.run()
    assert "nobodyhere" in words(at)
    assert rules(desk) == []
