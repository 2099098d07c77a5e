"""Campaigns for the command line: the routes of `/api/v1/campaigns`, with the operator as an administrator."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from re import fullmatch
from urllib.parse import urlencode

from starlette.datastructures import QueryParams
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from dashboards.api import jobs_api
from dashboards.http.error_responses import refuse
from dashboards.http.identity import Caller
from storage.domain.errors import BadRequest
from storage.domain.records import Role, User

HERE, THERE = "/internal/v1/admin/campaigns", "/api/v1/campaigns"
ACTOR = r"cli:\S{1,100}"
API = Mount("/api", jobs_api.api)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator(User):
    """Whoever runs the command line; the name is "cli:" and the operating system's user name."""

    @property
    def actor(self) -> str:
        """The operator's name in the audit log."""
        return self.name

    @classmethod
    def named(cls, name: str) -> "Operator":
        """Return the operator with all rights of an administrator."""
        since = datetime.fromtimestamp(0, UTC)
        return cls(id=name, name=name, role=Role.ADMIN, disabled=False, must_change_password=False, created_at=since)


class ByOperator:
    """Passes a request to the API, as the operator that its parameter `actor` names."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = QueryParams(scope["query_string"]).multi_items()
        actor = dict(asked).get("actor", "cli:unknown")
        if not fullmatch(ACTOR, actor):
            await refuse(BadRequest("actor", "it is cli: and the name of the operator"), scope, receive, send)
            return
        caller: Caller = scope["caller"]
        path = THERE + scope["path"].removeprefix(HERE)
        rest = urlencode([(name, value) for name, value in asked if name != "actor"])
        told = {"path": path, "raw_path": path.encode(), "query_string": rest.encode()}
        told |= {"caller": replace(caller, user=Operator.named(actor)), "root_path": ""}
        await API({**scope, **told}, receive, send)


ROUTES = [
    Route(HERE, ByOperator(), methods=["GET", "POST"]),
    Route(HERE + "/{rest:path}", ByOperator(), methods=["GET", "POST", "PUT"]),
]
