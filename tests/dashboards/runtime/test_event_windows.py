"""A loop of equal events becomes two rows a window, and nothing is lost."""

from typing import Any

from dashboards.runtime.event_windows import EventWindows, SecurityEvent
from storage.domain.audit_actions import AuditAction
from storage.ledger.audit_origin import NOWHERE


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def event(*alike: str, **given: Any) -> SecurityEvent:
    told: dict[str, Any] = {"actor": "user:1", "action": AuditAction.REFUSED, "subject": "/metrics", "origin": NOWHERE}
    return SecurityEvent(**(told | given), alike=alike)


def test_repeats_within_a_minute_are_one_row_with_their_number() -> None:
    clock = Clock()
    windows = EventWindows(clock=clock)
    began = [windows.begins(event("user:1", subject=f"/{number}", detail={"n": number})) for number in range(1000)]
    assert began == [True] + [False] * 999
    assert windows.take() == []
    clock.now_s = 60.0
    (repeats,) = windows.take()
    assert (repeats.subject, repeats.detail) == ("/999", {"n": 999, "times": 999})
    assert windows.begins(event("user:1"))
    clock.now_s = 120.0
    assert windows.take() == []  # once is no repeat


def test_different_events_are_bounded_together() -> None:
    clock = Clock()
    windows = EventWindows(clock=clock, most_a_minute=5)
    began = [windows.begins(event(f"203.0.113.{number}", bounded=True)) for number in range(100)]
    assert sum(began) == 6  # the sixth opens the window of all others
    assert windows.begins(event("10.0.0.1", action=AuditAction.LOGIN_FAILED, bounded=True))
    (rest,) = windows.take(everything=True)
    assert rest.detail["times"] == 94
    clock.now_s = 60.0
    assert windows.begins(event("203.0.113.99", bounded=True))


def failed(by: str, address: str, name: str = "") -> SecurityEvent:
    sources = (("addresses", address), *([("names", name)] if name else []))
    told: dict[str, Any] = {"actor": "nobody", "action": AuditAction.LOGIN_FAILED, "subject": name or by}
    return event(by, address, name, detail={"by": by}, bounded=True, kind=by, sources=sources, **told)


def test_a_flood_of_one_kind_hides_no_other() -> None:
    windows = EventWindows(clock=Clock())
    began = [windows.begins(failed("key", f"10.0.{number // 250}.{number % 250}")) for number in range(5000)]
    assert sum(began) == 61
    assert windows.begins(failed("password", "203.0.113.9", "ada"))


def test_a_flood_of_one_address_or_at_one_name_hides_no_other() -> None:
    windows = EventWindows(clock=Clock())
    spray = [windows.begins(failed("password", "203.0.113.9", f"name{number}")) for number in range(500)]
    many = [windows.begins(failed("password", f"10.0.{number // 250}.{number % 250}", "root")) for number in range(500)]
    assert (sum(spray), sum(many)) == (11, 11)  # ten, and one that opens the window of the others
    assert windows.begins(failed("password", "192.0.2.1", "ada"))
    of_address, of_name = windows.take(everything=True)
    assert (of_address.subject, of_address.detail["times"]) == ("password", 489)
    assert 400 < of_address.detail["addresses"]["203.0.113.9"] <= 489
    assert (of_name.subject, of_name.detail["times"]) == ("root", 489)
    assert 400 < of_name.detail["names"]["root"] <= 489


def test_what_is_left_out_names_the_most_frequent_in_bounded_memory() -> None:
    windows = EventWindows(clock=Clock())
    for number in range(20_000):
        windows.begins(failed("password", f"10.{number // 62500}.{number // 250 % 250}.{number % 250}", f"n{number}"))
        if number % 5 == 0:
            windows.begins(failed("password", f"172.16.{number // 250 % 250}.{number % 250}", "ada"))
    (rest,) = (one for one in windows.take(everything=True) if one.subject == "password")
    assert next(iter(rest.detail["names"])) == "ada"
    assert sum(map(len, (rest.detail["names"], rest.detail["addresses"]))) <= 20
    assert not windows._bounded  # nothing is remembered of windows that ended


def test_what_is_not_counted_leaves_one_row_an_hour() -> None:
    clock = Clock()
    windows = EventWindows(clock=clock)
    for clock.now_s in (0.0, 1800.0, 3599.0, 3600.0):
        windows.wait(event("user:1", "job", within_s=3600.0, counted=False))
    assert len(windows.take(everything=True)) == 2


def test_what_could_not_be_written_comes_first_again() -> None:
    windows = EventWindows()
    windows.wait(event("a"))
    taken = windows.take()
    windows.wait(event("b"))
    windows.put_back(taken)
    assert [one.alike for one in windows.take()] == [("a",), ("b",)]
