"""CORS: off unless origins are listed, for keys alone, never with cookies."""

import pytest
from pydantic import ValidationError

from storage.domain.errors import BadRequest
from storage.domain.settings import Settings, WebSettings
from tests.dashboards.site import Site, running

THERE = "https://app.example.org"


def preflight(site: Site, origin: str, path: str = "/api/v1/jobs") -> dict[str, str]:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization",
    }
    return dict(site.client.options(path, headers=headers).headers)


def test_no_origin_is_allowed_by_default(site: Site) -> None:
    key = site.key_of(site.user("ada"))
    assert "access-control-allow-origin" not in preflight(site, THERE)
    assert "access-control-allow-origin" not in site.client.get("/api/v1/me", headers=key | {"Origin": THERE}).headers


@pytest.mark.parametrize("origins", [THERE, "*"])
def test_listed_origins_may_call_the_apis_with_a_key(settings: Settings, origins: str) -> None:
    settings.__dict__["web"] = settings.web.model_copy(update={"cors_origins": origins})
    with running(settings) as site:
        key = site.key_of(site.user("ada"))
        for path in ("/api/v1/jobs", "/v1/models", "/uploads"):
            allowed = preflight(site, THERE, path)
            assert allowed["access-control-allow-origin"] in {THERE, "*"}, path
            assert "access-control-allow-credentials" not in allowed
        answer = site.client.get("/api/v1/me", headers=key | {"Origin": THERE})
        assert answer.headers["access-control-allow-origin"] in {THERE, "*"}
        exposed = answer.headers["access-control-expose-headers"].lower().split(", ")
        assert {"etag", "ratelimit", "ratelimit-policy", "retry-after"} <= set(exposed)
        refused = site.client.get("/api/v1/me", headers={"Origin": THERE})
        assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (401, True)
        assert "access-control-allow-origin" not in preflight(site, THERE, "/auth/session")
        if origins != "*":
            assert "access-control-allow-origin" not in preflight(site, "https://evil.example")
        site.sign_in("ada")
        with_cookie = site.client.get("/api/v1/me", headers={"Origin": THERE})
        assert "access-control-allow-credentials" not in with_cookie.headers
        assert site.client.post("/api/v1/keys", headers={"Origin": THERE}, json={"name": "x"}).status_code == 403


@pytest.mark.parametrize("origins", ["app.example.org", "https://app.example.org/", "https://", "null"])
def test_what_is_no_origin_is_refused(origins: str) -> None:
    with pytest.raises((BadRequest, ValidationError), match="no origin"):
        WebSettings(cors_origins=origins, _env_file=None)
