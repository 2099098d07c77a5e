"""`/prefect`: sends an administrator's browser to the Prefect UI, signed in."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboards.http.identity import caller_of
from dashboards.services import prefect_console


async def open_ui(request: Request) -> Response:
    """Redirect to the Prefect UI; each request gets a ticket of its own."""
    address = await prefect_console.address_for(caller_of(request).the_user())
    return RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})


ROUTES = [Route("/prefect", open_ui, methods=["GET"])]
