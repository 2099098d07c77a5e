"""Retention rules and legal holds, as the command line sets them on a running platform."""

from typing import Any

from dashboards.runtime import context
from storage.domain.records import JobState
from storage.ledger import audit
from tests.dashboards.site import Site
from tests.factories import job_in

AT = "/internal/v1/admin/retention"


def test_a_rule_is_set_shown_held_off_and_carried_out(site: Site) -> None:
    ada = site.user("ada")
    job = job_in(context.ledger(), context.files(), ada, JobState.COMPLETED)
    by = {"actor": "cli:anna"}

    def send(method: str, path: str, **order: Any) -> dict[str, Any]:
        answer = site.client.request(method, f"{AT}{path}", json=by | order, headers=site.operator)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    rule = {"kind": "person", "subject": "ada", "part": "recording"}
    told = send("PUT", "/rules", **rule, days=0)
    assert told["rules"] == [rule | {"subject": ada.id, "days": 0.0}]
    assert [(one["job_id"], one["part"]) for one in told["due"]] == [(job.id, "recording")]
    hold = {"kind": "job", "subject": job.id}
    assert send("PUT", "/holds", **hold, reason="case 7")["due"] == []
    refused = site.client.delete(f"/api/v1/jobs/{job.id}", headers=site.key_of(ada))
    assert (refused.status_code, refused.json()["code"]) == (409, "job_held")
    assert "case 7" in refused.text
    assert send("DELETE", "/holds", **hold)["holds"] == []
    ran = site.client.post(f"{AT}/runs", headers=site.operator).json()
    assert ran == {"deleted": 1}
    assert send("DELETE", "/rules", **rule)["rules"] == []
    with context.ledger().read() as con:
        actions = [(row.action, row.actor) for row in audit.page(con, limit=6)]
    assert actions[:2] == [("retention.remove", "cli:anna"), ("job.delete", "system:retention")]


def test_what_is_no_rule_and_who_is_no_operator_are_refused(site: Site) -> None:
    for order in ({"kind": "planet", "part": "source"}, {"kind": "person", "subject": "nobody", "part": "source"}):
        assert site.client.put(f"{AT}/rules", json=order, headers=site.operator).status_code in {400, 404, 422}
    for headers in (site.worker, site.key_of(site.user("root")), {}):
        assert site.client.get(AT, headers=headers).status_code in {401, 403}
