"""The page of security events: counts, filters, files."""

from datetime import date

from dashboards.runtime.limits import Limits
from storage.domain.records import Role
from storage.ledger import audit, audit_origin
from tests.dashboards.desk import Desk, button, words


def test_events_are_counted_and_filtered(desk: Desk) -> None:
    ada, root = desk.user("ada"), desk.user("root", Role.ADMIN)
    desk.job(ada)
    origin = audit_origin.cleaned(address="203.0.113.7", agent="curl/8", key_id="key-of-ada")
    for detail in ({"by": "password"}, {"by": "password", "times": 41}):
        desk.ledger.run(audit.record, actor="nobody", action="login.fail", subject="ada", detail=detail)
    desk.ledger.run(audit.record, actor=ada.actor, action="access.refuse", subject="/metrics", origin=origin)
    at = desk.page("security", root)
    assert [(one.label, one.value) for one in at.metric] == [
        ("Failed log-ins", "42"),
        ("Lock-outs", "0"),
        ("Refusals", "1"),
    ]
    counted = at.table[0].value
    assert list(counted.columns) == ["Kind", "24 hours", "7 days", "30 days"]
    assert dict(zip(counted["Kind"], counted["30 days"], strict=True))["Refusals"] == "1"
    assert "job.accept: recording accepted" not in set(at.dataframe[0].value["What"])
    at.selectbox[0].set_value("refusal")
    at.text_input[1].set_value("203.0.113.7")
    at.run()
    (row,) = at.dataframe[0].value.to_dict("records")
    assert (row["Who"], row["From"], row["Program"], row["Key"]) == ("ada", "203.0.113.7", "curl/8", "key-of-ada")
    (csv, _) = [one.proto.url for one in at.get("link_button")]
    assert csv == "/audit/export?format=csv&kind=refusal&address=203.0.113.7"
    at.date_input[0].set_value((date(2020, 1, 1), date(2020, 1, 2)))
    at.run()
    assert "No entry matches" in words(at)


def test_a_page_without_events_says_so_and_older_ones_are_a_page_away(desk: Desk) -> None:
    root = desk.user("root", Role.ADMIN)
    desk.holder.limits = Limits(audit_page_rows=1)
    at = desk.page("security", root)
    newest = list(at.dataframe[0].value["#"])
    button(at, "Older").click()
    at.run()
    assert max(at.dataframe[0].value["#"]) < min(newest)
    with desk.ledger.write() as con:
        con.execute("UPDATE audit SET happened_at = happened_at - INTERVAL 60 DAY")
    at.run()
    assert "Nothing has happened in the last 30 days" in words(at)
