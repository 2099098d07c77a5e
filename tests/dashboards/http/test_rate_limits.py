"""Rate limits: which requests count towards which, how they are counted, and what is said."""

import math
import re
from collections.abc import Iterator
from random import Random
from typing import cast

import pytest
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from starlette.testclient import WebSocketDenialResponse
from starlette.types import Receive, Scope, Send

from dashboards.http.identity import NOBODY as NOBODY_KNOWN
from dashboards.http.identity import By, Caller
from dashboards.http.rate_counters import RateCounters, RecentCounters
from dashboards.http.rate_limits import RateLimits
from dashboards.http.traffic import Traffic, rate_class_of, traffic_of
from dashboards.runtime import context
from storage.domain.audit_actions import AuditAction
from storage.domain.errors import BadRequest
from storage.domain.network.trusted_proxies import network_of
from storage.domain.rate_classes import RateClass, RateLimit, parse
from storage.domain.settings import RateLimitSettings, Settings
from storage.ledger import audit
from tests.dashboards.http.test_access_middleware import app_routes, filled
from tests.dashboards.site import ORIGIN, Site, running

pytestmark = pytest.mark.shared_site

PAGES = re.compile(r"/(_stcore/.*|assets/.*|auth/(session|session/stay|logout)|shared/(assets/x|x/.*)|component/.*)")
STREAMLIT = {"/auth/login", "/oauth2callback", "/media/x", "/app/static/x"}
PAGES_TOO = STREAMLIT | {"/manifest.webmanifest", "/sw.js", "/offline", "/shared/x"}
KEY, SESSION, NOBODY, WORKER = By.KEY, By.SESSION, By.NOTHING, By.WORKER


class Clock:
    """A clock that a test sets."""

    now = 1_000_000.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.time", clock)
    return clock


@pytest.fixture
def limited(settings: Settings) -> Iterator[Site]:
    """The app with the limits that people have."""
    settings.__dict__["rates"] = RateLimitSettings(_env_file=None)
    with running(settings) as site:
        yield site


def test_every_route_has_a_class_or_belongs_to_the_pages(site: Site) -> None:
    """A new route is a page's own, and unlimited for sessions, only if this test says so."""
    routes = [(method, filled(path)) for method, path in app_routes(site) if method != "WEBSOCKET"]
    of_pages = {path for method, path in routes if traffic_of(method, path) is Traffic.PAGE}
    assert {path for path in of_pages if not PAGES.fullmatch(path)} - PAGES_TOO == set()
    assert {traffic_of(method, path) for method, path in routes} == set(Traffic)


@pytest.mark.parametrize(
    ("request_line", "by", "is_open", "expected"),
    [
        ("GET /api/v1/jobs", KEY, False, RateClass.API),
        ("GET /v1/models", KEY, False, RateClass.API),
        ("GET /recordings/x", KEY, False, RateClass.API),
        ("GET /api/v1/jobs", SESSION, False, None),
        ("GET /recordings/x", SESSION, False, None),
        ("GET /recordings/x", NOBODY, False, RateClass.GENERAL),
        ("POST /api/v1/jobs", KEY, False, RateClass.UPLOAD),
        ("POST /v1/audio/transcriptions", KEY, False, RateClass.UPLOAD),
        ("POST /uploads", KEY, False, RateClass.UPLOAD),
        ("POST /uploads", SESSION, False, None),
        ("POST /uploads", NOBODY, False, RateClass.GENERAL),
        ("PATCH /uploads/x", KEY, False, None),
        ("POST /api/v1/jobs/x/cancel", KEY, False, RateClass.API),
        ("POST /auth/session", NOBODY, True, RateClass.AUTH),
        ("POST /auth/password", SESSION, False, RateClass.AUTH),
        ("GET /auth/oidc/start", NOBODY, True, RateClass.GENERAL),
        ("GET /auth/session", SESSION, False, None),
        ("POST /auth/session/stay", SESSION, False, None),
        ("POST /shared/x", NOBODY, True, RateClass.AUTH),
        ("GET /shared/x", NOBODY, True, RateClass.GENERAL),
        ("GET /shared/x/files/srt", NOBODY, True, RateClass.GENERAL),
        ("GET /shared/x/recording", NOBODY, True, None),
        ("GET /audit/export", SESSION, False, RateClass.ADMIN),
        ("GET /prefect", SESSION, False, RateClass.ADMIN),
        ("GET /account/export", SESSION, False, RateClass.GENERAL),
        ("POST /api/v1/jobs/x/summary", SESSION, False, RateClass.GENERAL),
        ("POST /api/v1/jobs/x/summary", KEY, False, RateClass.API),
        ("GET /api/v1/jobs/x/summary", SESSION, False, None),
        ("POST /internal/v1/reports", WORKER, False, None),
        ("POST /internal/v1/admin/users", By.OPERATOR, False, None),
        ("POST /internal/v1/reports", KEY, False, RateClass.GENERAL),
        ("GET /metrics", KEY, False, None),
        ("GET /metrics", NOBODY, False, RateClass.GENERAL),
        ("GET /readyz", NOBODY, True, None),
        ("GET /", NOBODY, True, None),
        ("GET /static/js/main.js", NOBODY, True, None),
        ("PUT /_stcore/upload_file/x/y", SESSION, False, None),
        ("POST /no-such-path\n", NOBODY, False, RateClass.GENERAL),
    ],
)
def test_a_request_counts_by_its_route_and_its_caller(
    request_line: str, by: By, is_open: bool, expected: RateClass | None
) -> None:
    method, _, path = request_line.partition(" ")
    assert rate_class_of(traffic_of(method, path), by, is_open=is_open) is expected


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("10 per 15 minutes", (10, 900)),
        ("1000 per hour", (1000, 3600)),
        (" 5  Per 2 Days ", (5, 172_800)),
        ("off", None),
    ],
)
def test_limits_are_written_in_words(text: str, limit: tuple[int, int] | None) -> None:
    assert parse(text) == (limit and RateLimit(amount=limit[0], window_s=limit[1]))


@pytest.mark.parametrize("text", ["", "ten per hour", "0 per hour", "1 per 0 hours", "10/hour", "-1 per hour"])
def test_a_limit_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="no limit"):
        RateLimitSettings(rate_limit_api=text, _env_file=None)


def counters(amount: int = 10, window_s: int = 100, block_s: int = 1, most: int = 100) -> RateCounters:
    return RateCounters({RateClass.API: RateLimit(amount=amount, window_s=window_s)}, block_s=block_s, most=most)


def taken(counted: RateCounters, who: str = "key:1", *, known: bool = True) -> bool:
    return counted.take(RateClass.API, who, known=known).wait_s is None


def test_the_window_slides(clock: Clock) -> None:
    counted = counters()
    clock.now += 50  # in the middle of a window of the clock
    assert [taken(counted) for _ in range(12)] == [True] * 10 + [False] * 2
    clock.now += 51  # a counter of windows by the clock would allow ten more here
    assert sum(taken(counted) for _ in range(10)) <= 1
    clock.now += 200
    assert all(taken(counted) for _ in range(10))


def test_who_waits_as_told_may_go_on(clock: Clock) -> None:
    counted = counters()
    for lead_s in (0, 33, 99.5, 140):
        clock.now += lead_s
        while (standing := counted.take(RateClass.API, "key:1", known=True)).wait_s is None:
            pass
        clock.now += standing.wait_s
        assert taken(counted), lead_s


def test_who_exceeds_a_limit_is_blocked_for_a_stated_time(clock: Clock) -> None:
    counted = counters(amount=2, window_s=1, block_s=60)
    assert [taken(counted) for _ in range(3)] == [True, True, False]
    clock.now += 59
    standing = counted.take(RateClass.API, "key:1", known=True)
    assert (standing.wait_s, standing.remaining) == (1, 0)
    assert taken(counted, "key:2")
    clock.now += 1
    assert taken(counted)


def test_counters_count_as_the_librarys_do(clock: Clock) -> None:
    random = Random(7)  # noqa: S311
    limit, item = RateLimit(amount=9, window_s=60), RateLimitItemPerSecond(9, 60, "x")
    ours, theirs = RecentCounters(), SlidingWindowCounterRateLimiter(MemoryStorage())
    for _ in range(400):
        clock.now += random.choice((0.1, 3.0, 11.0, 47.0))
        counted, left, until_s = ours.take(item.key_for("ada"), limit.amount, limit.window_s)
        assert theirs.hit(item, "ada") is counted
        stats = theirs.get_window_stats(item, "ada")
        assert left == stats.remaining
        assert until_s == pytest.approx(stats.reset_time - clock.now, abs=1e-5)


def test_what_is_given_back_was_not_counted(clock: Clock) -> None:
    counted = counters(amount=2)
    for _ in range(5):
        assert taken(counted)
        counted.give_back(RateClass.API, "key:1", known=True)


def test_a_flood_of_addresses_neither_grows_nor_displaces_known_callers(clock: Clock) -> None:
    counted = counters(amount=1, most=100)
    assert taken(counted)
    for number in range(5000):
        assert taken(counted, f"10.0.{number // 256}.{number % 256}", known=False)
    assert not taken(counted)
    sizes = [len(each) for name in ("storage", "expirations", "locks") for each in held(counted, name)]
    assert max(sizes) <= 100


def held(counted: RateCounters, name: str) -> list[dict[str, object]]:
    return [getattr(storage, name) for storage in counted.storages]


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not:an:address", "not:an:address"),
        ("testclient", "testclient"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, counted: str) -> None:
    assert network_of(address) == counted


def test_an_answer_says_how_many_requests_are_left(limited: Site) -> None:
    key = limited.key_of(limited.user())
    for left in (999, 998):
        answer = limited.client.get("/api/v1/me", headers=key)
        assert answer.headers["ratelimit-policy"] == '"api";q=1000;w=3600'
        assert (found := re.fullmatch(r'"api";r=(\d+);t=(\d+)', answer.headers["ratelimit"]))
        assert int(found[1]) == left
        assert 0 <= int(found[2]) <= 3600
    assert "ratelimit" not in limited.client.get("/livez").headers


def test_too_many_requests_are_refused_with_the_time_to_wait(settings: Settings) -> None:
    settings.__dict__["rates"] = RateLimitSettings(rate_limit_api="2 per hour", rate_limit_upload="off", _env_file=None)
    with running(settings) as site:
        key, other = site.key_of(site.user("ada")), site.key_of(site.user("bob"))
        paths = ("/api/v1/me", "/v1/models", "/v1/models")
        assert [site.client.get(path, headers=key).status_code for path in paths] == [200, 200, 429]
        answer = site.client.get("/api/v1/me", headers=key)
        assert site.client.get("/api/v1/me", headers=other).status_code == 200
        assert "ratelimit" not in site.client.post("/uploads", headers=key).headers  # this class is off
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("rate_limit_exceeded", None)
    assert f"wait {answer.headers['retry-after']} seconds" in error["message"]
    assert re.fullmatch(r'"api";r=0;t=\d+', answer.headers["ratelimit"])
    assert answer.headers["x-request-id"]


def test_a_key_can_have_a_rate_of_its_own(settings: Settings) -> None:
    settings.__dict__["rates"] = RateLimitSettings(rate_limit_api="5 per hour", rate_limit_upload="off", _env_file=None)
    with running(settings) as site:
        ada = site.user("ada")
        slow, usual = site.key_of(ada, requests_per_hour=2), site.key_of(ada)
        assert site.client.post("/uploads", headers=slow).status_code == 412  # its class has no limit; it counts here
        answer = site.client.get("/api/v1/me", headers=slow)
        assert answer.headers["ratelimit-policy"] == '"api";q=5;w=3600, "key";q=2;w=3600'
        assert re.fullmatch(r'"api";r=4;t=\d+, "key";r=0;t=\d+', answer.headers["ratelimit"])
        for _ in range(6):
            answer = site.client.get("/api/v1/me", headers=slow)
            assert (answer.status_code, answer.json()["code"]) == (429, "rate_limit_exceeded")
        assert "class key" in answer.json()["detail"]
        assert int(answer.headers["retry-after"]) >= 60
        assert site.client.get("/api/v1/me", headers=usual).status_code == 200
        metrics = site.client.get("/metrics", headers=site.worker).text
    assert 'transcriber_rate_limited_total{class="key"} 6.0' in metrics


def opened(site: Site, headers: dict[str, str]) -> int:
    """Open a websocket, close it, and return the status of the handshake."""
    try:
        with site.client.websocket_connect("/events", headers=headers):
            return 101
    except WebSocketDenialResponse as denied:
        return denied.status_code


def test_websockets_are_limited_by_login_before_they_are_accepted(settings: Settings) -> None:
    settings.__dict__["rates"] = RateLimitSettings(rate_limit_websocket="3 per hour", _env_file=None)
    with running(settings) as site:
        key = site.key_of(site.user("bob"), requests_per_hour=2)
        site.sign_in("ada")
        assert [opened(site, ORIGIN) for _ in range(5)] == [101] * 3 + [429] * 2
        site.sign_in("ada")
        assert opened(site, ORIGIN) == 101  # another login of the same address
        site.client.cookies.clear()
        assert [opened(site, key) for _ in range(2)] == [101, 101]
        with pytest.raises(WebSocketDenialResponse) as refused, site.client.websocket_connect("/events", headers=key):
            pass
        answer = refused.value
    assert answer.headers["ratelimit-policy"] == '"websocket";q=3;w=3600, "key";q=2;w=3600'
    assert (answer.status_code, int(answer.headers["retry-after"]) >= 60) == (429, True)
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"


async def test_a_hundred_pages_behind_one_address_connect_again_after_a_restart() -> None:
    passed: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["path"])

    limits = RateLimits(app, RateLimitSettings(_env_file=None))
    for caller in (NOBODY_KNOWN, Caller(by=KEY, key_id="of a page")):
        passed.clear()
        for _ in range(3):  # a flaky restart, and two tries before it
            for path in ("/_stcore/stream", "/events") * 100:
                scope: Scope = {
                    "type": "websocket",
                    "path": path,
                    "caller": caller,
                    "client": ("192.0.2.1", 1),
                    "headers": [],
                }
                await limits(scope, cast(Receive, None), cast(Send, None))
        assert len(passed) == 600


def test_a_folder_from_the_page_is_not_limited_and_a_program_is(limited: Site) -> None:
    """Sent are uploads without a version of tus: they count, too, and write nothing to the disk."""
    key = limited.key_of(limited.user("bob"))
    limited.sign_in()
    assert {limited.client.post("/uploads", headers=ORIGIN).status_code for _ in range(120)} == {412}
    limited.client.cookies.clear()
    assert [limited.client.post("/uploads", headers=key).status_code for _ in range(101)] == [412] * 100 + [429]
    assert limited.client.get("/api/v1/me", headers=key).status_code == 200


def test_strangers_are_counted_by_address(limited: Site) -> None:
    statuses = [limited.client.get("/api/v1/me").status_code for _ in range(101)]
    assert statuses == [401] * 100 + [429]
    for path in ("/", "/livez", "/manifest.webmanifest"):
        assert limited.client.get(path).status_code == 200, path
    limited.sign_in()
    assert limited.client.get("/api/v1/me").status_code == 200
    assert limited.client.get("/internal/v1/admin/audit", headers=limited.operator).status_code == 200


def test_failed_log_ins_are_counted_and_others_are_not(limited: Site) -> None:
    for _ in range(12):
        assert limited.log_in("ada").status_code == 200
    limited.client.cookies.clear()
    assert {limited.log_in(f"nobody{number}", "wrong").status_code for number in range(10)} == {401}
    answer = limited.log_in("ada")
    assert answer.status_code == 429
    assert answer.headers["ratelimit-policy"] == '"auth";q=10;w=900'
    assert 60 <= int(answer.headers["retry-after"]) <= math.ceil(900 + 1)
    with context.ledger().read() as con:
        (row,) = audit.page(con, action=AuditAction.LOGIN_LOCKED)
    assert (row.actor, row.detail, row.address) == ("nobody", {"by": "rate limit"}, "testclient")
