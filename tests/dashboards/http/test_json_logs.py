"""Logs as JSON lines: what is written while a request is answered has its id."""

import io
import json
import logging
import time

import pytest

from dashboards.http import json_logs
from dashboards.http.json_logs import TOGETHER_S, JsonLines, LinesTogether
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


def test_lines_are_written_together_and_a_warning_at_once() -> None:
    written = io.StringIO()
    handler = LinesTogether(written)
    for level in (logging.INFO, logging.WARNING, logging.INFO):
        handler.handle(logging.LogRecord("dashboards.x", level, __file__, 1, "told", (), None))
    assert written.getvalue() == "told\ntold\n"
    time.sleep(3 * TOGETHER_S)
    assert written.getvalue() == "told\ntold\ntold\n"


def test_a_line_that_is_made_fast_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    logger, written = logging.getLogger("dashboards.fast"), io.StringIO()
    extra: dict[str, str | float | None] = {"who": 'ä "\n', "took_ms": 0.1, "job": None}
    handler = LinesTogether(written)
    handler.setFormatter(JsonLines())
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        json_logs.info(logger, "GET /ü%s\x07 200", extra)
        monkeypatch.setattr(LinesTogether, "of_process", handler)
        json_logs.info(logger, "GET /ü%s\x07 200", extra)
        logger.setLevel(logging.WARNING)
        json_logs.info(logger, "not wanted", {})
    finally:
        logger.removeHandler(handler)
    handler.flush()
    usual, fast = (json.loads(one) for one in written.getvalue().splitlines())
    assert [list(usual), usual | {"at": ""}] == [list(fast), fast | {"at": ""}]
    assert usual["at"][:17] <= fast["at"][:17]
    assert len(usual["at"]) == len(fast["at"])
