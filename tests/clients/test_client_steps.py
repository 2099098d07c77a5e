"""What the client decides without any input or output: retries, errors, the parser of events."""

import pickle
from datetime import UTC, datetime

import httpx
import pytest

from transcriber.client.errors import ConnectionFailed, RateLimited, ServerUnavailable, problem_of, retry_after_s
from transcriber.client.following import EventParser
from transcriber.client.retries import Retries, answer_of
from transcriber.client.steps import Answer, Call, Pause, Walk

READ = Call(method="GET", path="api/v1/jobs")
ORDER = Call(method="POST", path="api/v1/jobs/1/cancel", repeatable=False)


def walk_of(call: Call, **asked: float) -> Walk[Answer]:
    return Walk(answer_of(call, Retries(**asked), "http://server/"))  # type: ignore[arg-type]


def test_the_server_says_when_to_ask_again() -> None:
    walk = walk_of(READ)
    walk.give(Answer(status=429, headers={"retry-after": "7"}))
    assert walk.step == Pause(seconds=7.0)
    walk.give(None)
    walk.give(Answer(status=200, headers={}, body=b"{}"))
    assert walk.result.body == b"{}"
    with pytest.raises(RateLimited) as refused:
        walk_of(READ).give(Answer(status=429, headers={"retry-after": "3600"}))
    assert refused.value.retry_after_s == 3600


def test_pauses_grow_and_attempts_end() -> None:
    walk, busy = walk_of(READ, attempts=4, first_s=1.0), Answer(status=503, headers={})
    for number in range(3):
        walk.give(busy)
        assert isinstance(walk.step, Pause)
        assert 0.5 <= walk.step.seconds / 2**number <= 1.0
        walk.give(None)
    with pytest.raises(ServerUnavailable):
        walk.give(busy)


def test_what_may_have_been_done_is_not_sent_twice() -> None:
    with pytest.raises(ConnectionFailed):
        walk_of(ORDER).fail(httpx.ReadError("reset"))
    with pytest.raises(ServerUnavailable):
        walk_of(ORDER).give(Answer(status=503, headers={}))
    never_sent = walk_of(ORDER)
    never_sent.fail(httpx.ConnectError("refused"))
    assert isinstance(never_sent.step, Pause)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5.0), ("Sun, 29 Nov 2026 12:00:30 GMT", 30.0), ("Sun, 29 Nov 2026 11:00:00 GMT", 0.0), ("soon", None)],
)
def test_retry_after_is_a_number_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after_s(text, datetime(2026, 11, 29, 12, tzinfo=UTC)) == seconds


@pytest.mark.parametrize("body", [b"<html>502</html>", b"[]", b"", b'{"error": "text"}', b'{"code": 5, "param": {}}'])
def test_answers_of_proxies_are_errors_too(body: bytes) -> None:
    problem = problem_of(502, {}, body)
    assert (problem.status, problem.param, problem.transient) == (502, None, True)
    assert str(pickle.loads(pickle.dumps(problem))) == str(problem)  # noqa: S301


def test_events_are_read_line_by_line() -> None:
    parser = EventParser()
    lines = [
        "retry: 2000",
        "id: a-1",
        "",
        ": still here",
        "",
        "id: a-2",
        'data: {"job_id": "1",',
        'data: "state": "failed"}',
    ]
    assert [parser.take(line) for line in lines] == [None] * len(lines)
    assert parser.last_id == "a-1"
    event = parser.take("")
    assert event is not None
    assert (event.job_id, event.state, parser.last_id) == ("1", "failed", "a-2")
    for line in ("id: b-1", "event: missed", 'data: {"missed": true}'):
        parser.take(line)
    missed = parser.take("")
    assert missed is not None
    assert (missed.missed, parser.last_id) == (True, "b-1")
    parser.take('data: {"state": "of a later server"}')
    assert parser.take("") is None
