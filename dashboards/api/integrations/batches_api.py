"""`/api/v1/batches`: thousands of recordings from addresses and paths, with one state."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Self

from duckdb import DuckDBPyConnection
from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from dashboards.api.integrations.downloads_api import PATH, DownloadError, source_of
from dashboards.http.api_parameters import BeforeId
from dashboards.http.error_responses import bad_request
from dashboards.http.identity import caller_of
from dashboards.http.request_options import OptionsForm, idempotency_key
from dashboards.runtime import db
from dashboards.services import batch_orders, job_access
from storage.domain.errors import BadRequest
from storage.domain.job_messages import text_of
from storage.domain.network.outgoing_targets import MAX_URL_CHARS
from storage.domain.recording_names import MAX_NAME_CHARS
from storage.domain.records import Lane, User, to_json
from storage.domain.scopes import Scope
from storage.domain.tags import split_tags
from storage.jobs import batches
from storage.jobs.annotations.metadata import clean_metadata
from storage.jobs.batches import COUNTED, MOST_ITEMS, Batch, BatchState, Item, NewItem

router = APIRouter(tags=["batches"])
BEFORE = "The `next` of the previous page."


class BatchItemOrder(BaseModel):
    """A recording of a batch: its address or path, and its own options."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(None, max_length=MAX_URL_CHARS, examples=["https://media.example.org/talk.mp3"])
    path: str | None = Field(None, max_length=MAX_URL_CHARS, description=f"{PATH} A folder stands for its files.")
    name: str | None = Field(None, min_length=1, max_length=MAX_NAME_CHARS, description="Default: the source's end.")
    options: dict[str, Any] | None = Field(None, description="Options that differ from the batch's.")
    tags: str = Field("", description="Separated by commas, besides the batch's.")
    metadata: dict[str, str] = Field(default_factory=dict, description="Besides the batch's, or instead.")


class BatchOrder(BaseModel):
    """Recordings to get and transcribe."""

    model_config = ConfigDict(extra="forbid")

    items: list[BatchItemOrder] = Field(min_length=1, max_length=MOST_ITEMS)
    name: str = Field("", max_length=MAX_NAME_CHARS, examples=["Monday"])
    options: OptionsForm = Field(default_factory=OptionsForm)
    lane: Lane = Lane.BATCH
    tags: str = Field("", description="Tags of every recording, separated by commas.", examples=["board/2026"])
    metadata: dict[str, str] = Field(
        default_factory=dict, description="Metadata of every recording.", examples=[{"case": "2026-117"}]
    )
    recursive: bool = Field(False, description="Whether folders stand for the files of their folders, too.")


class BatchBody(BaseModel):
    """A batch, and how many of its recordings are in each state."""

    id: str
    owner_id: str
    name: str
    lane: Lane
    state: BatchState
    total: int
    counts: dict[str, int] = Field(description=f"By state: {', '.join(COUNTED)}.")
    created_at: AwareDatetime
    cancelled_at: AwareDatetime | None


class BatchList(BaseModel):
    """A page of batches, newest first."""

    batches: list[BatchBody]
    next: str | None = Field(description="Use it as `before` for the next page; null on the last.")


class BatchItemBody(BaseModel):
    """A recording of a batch; its state is its job's, once there is one."""

    number: int
    source: str
    name: str | None
    state: str
    job_id: str | None
    tags: list[str]
    metadata: dict[str, str]
    error: DownloadError | None = Field(description="Why it became no job.")

    @classmethod
    def of(cls, item: Item) -> Self:
        """Describe an item."""
        error = DownloadError(code=item.error_code, message=text_of(item.error)) if item.error_code else None
        same = ("number", "source", "name", "state", "job_id", "tags", "metadata")
        return cls(**{field: getattr(item, field) for field in same}, error=error)


class BatchItemList(BaseModel):
    """A page of a batch's recordings, in their order."""

    items: list[BatchItemBody]
    next: int | None = Field(description="Use it as `after` for the next page; null on the last.")


@router.post("/v1/batches", status_code=HTTPStatus.ACCEPTED)
async def create_batch(request: Request, body: BatchOrder, response: Response) -> BatchBody:
    """Get and transcribe up to 10,000 recordings; the response is 202 at once.

    They come from addresses, or from paths that an administrator listed for the caller. A request with the header
    `Idempotency-Key` can be repeated and creates one batch. The lane `batch` needs the scope `batch`.
    """
    caller = caller_of(request)
    caller.require_lane(body.lane)
    wanted = await db.in_thread(_items_of, body)
    place, key = partial(batch_orders.order, recursive=body.recursive), idempotency_key(request)
    made = await db.in_thread(place, caller.the_user(), wanted, body.name, body.lane, key, caller.key_id)
    response.headers["Location"] = f"/api/v1/batches/{made.id}"
    return await db.read(_described, made)


def _items_of(body: BatchOrder) -> list[NewItem]:
    usual = body.options.model_dump(exclude_unset=True)
    common = to_json(body.options.options()).decode()
    return [
        NewItem(
            source=source_of(item.url, item.path),
            name=item.name,
            options=_own_options(number, usual, item.options) if item.options else common,
            **_annotations(number, body, item),
        )
        for number, item in enumerate(body.items)
    ]


def _annotations(number: int, body: BatchOrder, item: BatchItemOrder) -> dict[str, Any]:
    """Return the tags and the metadata of an item, with those of its batch."""
    try:
        return {
            "tags": split_tags(f"{body.tags},{item.tags}"),
            "metadata": clean_metadata(body.metadata | item.metadata),
        }
    except BadRequest as error:
        raise BadRequest(f"items.{number}.{error.field}", error.template, error.values) from error


def _own_options(number: int, usual: dict[str, Any], own: dict[str, Any]) -> str:
    try:
        return to_json(OptionsForm.model_validate(usual | own).options()).decode()
    except ValidationError as error:
        raise bad_request(error, within=f"items.{number}.options") from error


@router.get("/v1/batches")
async def list_batches(
    request: Request,
    before: BeforeId = None,
    limit: Annotated[int, Query(ge=1, le=50)] = 20,
    everybody: Annotated[bool, Query(description="All users' batches; for administrators.")] = False,
) -> BatchList:
    """List batches, newest first."""
    caller = caller_of(request)
    if everybody:
        caller.require(Scope.ADMIN)
    owner = job_access.listed_owner(caller.the_user(), everybody=everybody, doing="looking at everybody's batches")
    found = await db.read(_page, owner, before, limit + 1)
    page = found[:limit]
    return BatchList(batches=page, next=page[-1].id if len(found) > limit else None)


def _page(con: DuckDBPyConnection, owner_id: str | None, before: str | None, limit: int) -> list[BatchBody]:
    return [_described(con, one) for one in batches.page(con, owner_id=owner_id, before=before, limit=limit)]


def _described(con: DuckDBPyConnection, batch: Batch) -> BatchBody:
    counted = batches.counts(con, batch.id)
    same = ("id", "owner_id", "name", "lane", "total", "created_at", "cancelled_at")
    told = {field: getattr(batch, field) for field in same}
    return BatchBody(**told, counts=counted, state=batches.state_of(batch, counted))


@router.get("/v1/batches/{batch_id}")
async def get_batch(request: Request, batch_id: str) -> BatchBody:
    """Return a batch with its state and counts."""
    return await db.read(_visible, caller_of(request).the_user(), batch_id)


def _visible(con: DuckDBPyConnection, user: User, batch_id: str) -> BatchBody:
    return _described(con, batch_orders.visible(con, user, batch_id))


@router.get("/v1/batches/{batch_id}/items")
async def list_items(
    request: Request,
    batch_id: str,
    state: Annotated[list[str] | None, Query(description="Only recordings in these states.")] = None,
    after: Annotated[int, Query(ge=0, le=MOST_ITEMS, description=BEFORE)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> BatchItemList:
    """List the recordings of a batch with their states, in their order."""
    if unknown := sorted(set(state or ()) - set(COUNTED)):
        raise BadRequest("state", f"there is no state {unknown[0][:40]}; there are {', '.join(COUNTED)}")
    await db.read(batch_orders.visible, caller_of(request).the_user(), batch_id)
    found = await db.read(batches.items, batch_id, states=state, after=after, limit=limit + 1)
    page = found[:limit]
    last = page[-1].number if len(found) > limit else None
    return BatchItemList(items=[BatchItemBody.of(one) for one in page], next=last)


@router.post("/v1/batches/{batch_id}/cancel")
async def cancel_batch(request: Request, batch_id: str) -> BatchBody:
    """Cancel a batch: nothing more is begun, and jobs in progress are cancelled. What is completed is kept."""
    batch = await db.in_thread(batch_orders.cancel, caller_of(request).the_user(), batch_id)
    return await db.read(_described, batch)


@router.post("/v1/batches/{batch_id}/retry")
async def retry_batch(request: Request, batch_id: str) -> BatchBody:
    """Try the failed recordings of a batch again. Those are jobs that failed, and what could not be got."""
    batch = await db.in_thread(batch_orders.retry, caller_of(request).the_user(), batch_id)
    return await db.read(_described, batch)
