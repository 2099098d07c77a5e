"""The audit log for administrators' programs."""

import csv
import io

from dashboards.runtime import context
from storage.ledger import audit, audit_origin
from tests.dashboards.site import Site

ORIGIN = audit_origin.cleaned(address="203.0.113.7", agent="=cmd", request_id="r", key_id="k")


def test_an_administrators_key_reads_counts_and_exports(site: Site) -> None:
    for times in (1, 4):
        context.ledger().run(
            audit.record, actor="nobody", action="login.fail", subject="x", detail={"times": times}, origin=ORIGIN
        )
    root = site.key_of(site.user("root"))
    for member in ("ada", "rex"):
        for path in ("", "/counts", "/export"):
            refused = site.client.get(f"/api/v1/admin/audit{path}", headers=site.key_of(site.user(member)))
            assert refused.status_code == 403, path

    asked = {"kind": "sign-in", "address": "203.0.113.7", "limit": "1"}
    first = site.client.get("/api/v1/admin/audit", params=asked, headers=root).json()
    (row,) = first["rows"]
    assert (row["detail"], row["address"], row["agent"], row["key_id"]) == ({"times": 4}, "203.0.113.7", "=cmd", "k")
    second = site.client.get("/api/v1/admin/audit", params=asked | {"before": first["next"]}, headers=root).json()
    assert [row["detail"]["times"] for row in second["rows"]] == [1]
    assert second["next"] is None

    counted = {one["action"]: one for one in site.client.get("/api/v1/admin/audit/counts", headers=root).json()}
    assert counted["login.fail"] == {"action": "login.fail", "kind": "sign-in", "day": 5, "week": 5, "month": 5}
    assert counted["access.refuse"]["day"] == 2  # a row each; repeats are counted later
    assert "job.accept" not in counted

    sent = site.client.get("/api/v1/admin/audit/export", params={"kind": "security", "format": "csv"}, headers=root)
    rows = list(csv.DictReader(io.StringIO(sent.text)))
    assert rows[0]["action"] == "audit.export"
    assert {row["agent"] for row in rows if row["action"] == "login.fail"} == {"'=cmd"}
    for wrong in ({"kind": "none"}, {"limit": "0"}, {"before": "x"}, {"nonsense": "1"}):
        assert site.client.get("/api/v1/admin/audit", params=wrong, headers=root).status_code == 400, wrong
