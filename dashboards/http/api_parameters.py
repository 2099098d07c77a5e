"""Parameters of the query, and texts of bodies.

Where a page begins, which parameters there are, and that texts are texts.
"""

import json
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Query, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel

from storage.domain.errors import BadRequest

BEFORE = "The `next` of the previous page."
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
BeforeId = Annotated[str | None, Query(description=BEFORE, pattern=f"^{UUID}$")]
"""Where a page of a list begins. With anything else it would be the first page, for ever."""
BeforeDelivery = Annotated[str | None, Query(description=BEFORE, pattern=f"^msg_{UUID}$")]
"""The same, in a list of deliveries of webhooks."""


async def known_parameters(request: Request) -> None:
    """Check that the route has each parameter of the query.

    A route that describes parameters of its own, such as caption settings, checks them itself.

    Raises:
        BadRequest: one is unknown; the message names it.
    """
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute) or not route.include_in_schema:
        return
    if "parameters" in (route.openapi_extra or {}):
        return
    known = {
        name for field in route.dependant.query_params for name in _names(field.field_info.annotation, field.alias)
    }
    for name in request.query_params:
        if name not in known:
            there = f"there are {', '.join(sorted(known))}" if known else "this endpoint has none"
            raise BadRequest(name[:40], f"there is no such parameter; {there}")


async def whole_characters(request: Request) -> None:
    """Check the texts of a JSON body, before its fields are looked at.

    Raises:
        BadRequest: it is not UTF-8, or has half a character.
    """
    route, kind = request.scope.get("route"), request.headers.get("content-type", "").partition(";")[0]
    if isinstance(route, APIRoute) and route.body_field and kind.strip().lower().endswith("json"):
        require_whole_characters(await request.body())


def require_whole_characters(body: bytes) -> None:
    r"""Check that JSON is UTF-8 (RFC 8259) without lone surrogates, such as `"\ud800"`.

    Python reads both, and neither a database nor a file takes the latter. Invalid JSON passes: whoever parses it says
    so.

    Raises:
        BadRequest: it is something else, or has one.
    """
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("body", "it is not UTF-8") from error
    if b"\0" in body:  # UTF-16 and UTF-32, which Python recognizes
        raise BadRequest("body", "it is not UTF-8")
    if b"\\ud" not in body.lower():
        return
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadRequest("body", "a text has half a character (a lone surrogate)") from error
    except (ValueError, RecursionError):
        return


def _names(annotation: Any, alias: str) -> Iterable[str]:
    """Return the names of a parameter, or of all that a model stands for."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (field.alias or name for name, field in annotation.model_fields.items())
    return (alias,)
