"""The recipe for a route: a handler and its `Route` among the app's."""

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dashboards import app
from dashboards.http.identity import caller_of
from storage.domain.settings import Settings
from tests.dashboards.site import ORIGIN, running


async def toy(request: Request) -> Response:
    return JSONResponse({"caller": caller_of(request).the_user().name})


def test_a_route_is_a_handler_and_requires_an_account(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = app.routes()
    monkeypatch.setattr(app, "routes", lambda: [Route("/toy", toy, methods=["GET"]), *ours])
    with running(settings) as site:
        assert site.client.get("/toy", headers=ORIGIN).status_code == 401
        site.sign_in()
        assert site.client.get("/toy", headers=ORIGIN).json() == {"caller": "ada"}
