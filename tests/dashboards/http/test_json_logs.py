"""Logs as JSON lines: what is written while a request is answered has its id."""

import json
import logging

from dashboards.http.json_logs import JsonLines
from storage.ledger import audit_origin


def line(**extra: object) -> dict[str, object]:
    record = logging.LogRecord("dashboards.x", logging.INFO, __file__, 1, "job %s", ("7",), None)
    record.__dict__.update(extra)
    told: dict[str, object] = json.loads(JsonLines().format(record))
    return told


def test_a_line_of_a_request_has_its_id_and_others_have_none() -> None:
    assert "request_id" not in line()
    with audit_origin.of(audit_origin.cleaned(address="10.0.0.1", agent=None, request_id="5f0c")):
        assert line(job="01a2")["request_id"] == "5f0c"
        assert line(request_id="own")["request_id"] == "own"
        assert (line(job="01a2")["job"], line()["message"]) == ("01a2", "job 7")
