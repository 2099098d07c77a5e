"""Scopes of API keys: every route names one, and a key without it is refused."""

import pytest
from starlette.websockets import WebSocketDisconnect

from dashboards.http.access_middleware import LET_IN
from dashboards.http.identity import By
from dashboards.http.route_scopes import ROUTE_SCOPES
from dashboards.runtime import context
from storage.domain.scopes import Scope
from tests.dashboards.http.test_access_middleware import OPEN, app_routes, filled
from tests.dashboards.site import Site

pytestmark = pytest.mark.shared_site

ELSE = {"/v1/{rest:path}", "/api/{rest:path}"}
"""What answers 404 to everything else."""
ENDLESS = "/api/v1/events"


NEEDED = [(method, path, scope) for path, scopes in ROUTE_SCOPES.items() for method, scope in scopes.items()]


def for_keys(site: Site) -> set[tuple[str, str]]:
    """Return all routes that API keys may call."""
    return {
        (method, path)
        for method, path in app_routes(site)
        if (method, path) not in OPEN and path not in ELSE
        if By.KEY in next(kinds for prefix, kinds in LET_IN if path.startswith(prefix) or path + "/" == prefix)
    }


def test_every_route_names_the_scope_that_it_needs(site: Site) -> None:
    named = {(method, path) for method, path, _ in NEEDED if method != "HEAD"}
    assert for_keys(site) - {("GET", "/api/anything")} == named


def test_a_key_without_the_scope_is_told_which_one_it_needs(site: Site) -> None:
    ada = site.user("ada")
    only = {scope: site.key_of(ada, scopes=(scope,)) for scope in Scope}
    but = {scope: site.key_of(ada, scopes=tuple(set(Scope) - {scope})) for scope in Scope}
    for method, path, scope in NEEDED:
        route = f"{method} {path}"
        if scope is None or method == "WEBSOCKET":
            continue
        refused = site.client.request(method, filled(path), headers=but[scope])
        assert refused.status_code == 403, route
        assert refused.headers["www-authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"', route
        if method != "HEAD":
            assert f"the scope `{scope}`" in refused.text, route
        if path == ENDLESS:
            continue
        allowed = site.client.request(method, filled(path), headers=only[scope])
        assert "insufficient_scope" not in allowed.headers.get("www-authenticate", ""), route


def test_a_socket_needs_a_scope_too(site: Site) -> None:
    writer, reader = (site.key_of(site.user("ada"), scopes=(scope,)) for scope in (Scope.WRITE, Scope.READ))
    with site.client.websocket_connect("/events", headers=reader):
        pass
    with pytest.raises(WebSocketDisconnect) as refused, site.client.websocket_connect("/events", headers=writer):
        pass
    assert (refused.value.code, "the scope `read`" in refused.value.reason) == (4403, True)


def test_an_administrators_key_without_the_scope_sees_its_own_alone(site: Site) -> None:
    root = site.user("root")
    for headers, status in ((site.key_of(root, scopes=(Scope.READ,)), 403), (site.key_of(root), 200)):
        for path in ("/api/v1/jobs?everybody=true", "/api/v1/keys?everybody=true", "/api/v1/search?q=a&everybody=true"):
            answer = site.client.get(path, headers=headers)
            assert answer.status_code == status, path
            assert status == 200 or "the scope `admin`" in answer.text, path
    assert site.client.get("/api/v1/me", headers=site.key_of(root, scopes=(Scope.READ,))).json()["role"] == "member"


def test_a_key_works_in_its_networks_alone(site: Site) -> None:
    ada = site.user("ada")
    here = site.key_of(ada, networks="10.0.0.0/8")
    answer = site.client.get("/api/v1/me", headers=here)
    assert answer.status_code == 403  # the test client has no address
    assert "may not be used from" in answer.text
    assert site.client.get("/api/v1/me", headers=site.key_of(ada)).status_code == 200


async def test_requests_are_counted_by_key(site: Site) -> None:
    key = site.key_of(site.user("ada"))
    context.current().key_requests.taken()
    for _ in range(3):
        site.client.get("/api/v1/me", headers=key)
    assert list(context.current().key_requests.taken().values()) == [3]
