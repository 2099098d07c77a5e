"""`/api/v1/keys`: API keys, the caller's own and for administrators anybody's."""

from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Self

from duckdb import DuckDBPyConnection
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from dashboards.http.api_parameters import BeforeId
from dashboards.http.identity import caller_of
from dashboards.runtime import db
from dashboards.services import job_access, key_management
from storage.accounts import api_key_usage, api_keys
from storage.domain.records import ApiKey, KeyGrant, User
from storage.domain.scopes import Scope

router = APIRouter(tags=["keys"])
LONGEST_OVERLAP_HOURS = api_keys.LONGEST_OVERLAP / timedelta(hours=1)
SCOPES = " ".join(f"`{scope}`: {scope.spec.about}" for scope in Scope)


class KeyBody(BaseModel):
    """An API key without its secret."""

    id: str
    owner_id: str
    name: str
    prefix: str = Field(description="The first characters of the secret.")
    scopes: list[Scope]
    expires_at: AwareDatetime | None
    networks: str = Field(description="Addresses and networks from which it may be used; empty: any.")
    quota_hours: float | None = Field(description="Hours of recordings that it may send in a calendar month (UTC).")
    requests_per_hour: int | None = Field(description="Requests within an hour; null: only the limits for all keys.")
    created_at: AwareDatetime
    last_used_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    previous_secret_until: AwareDatetime | None = Field(description="How long the secret before a rotation works.")

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Describe a key."""
        same = ("id", "name", "prefix", "created_at", "last_used_at", "revoked_at")
        grant = key.grant
        return cls(
            **{field: getattr(key, field) for field in same},
            owner_id=key.user_id,
            scopes=list(grant.scopes),
            expires_at=grant.expires_at,
            networks=grant.networks,
            quota_hours=grant.quota_hours,
            requests_per_hour=grant.requests_per_hour,
            previous_secret_until=key.previous_until,
        )


class KeyList(BaseModel):
    """A page of keys, newest first."""

    keys: list[KeyBody]
    next: str | None = Field(description="Use it as `before` for the next page; null on the last.")


class KeyOrder(BaseModel):
    """A key to create."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        min_length=1, max_length=100, description="The program that will use it.", examples=["Meeting bot"]
    )
    scopes: list[Scope] = Field([Scope.READ, Scope.WRITE, Scope.DELETE, Scope.BATCH], min_length=1, description=SCOPES)
    expires_at: AwareDatetime | None = Field(None, description="Default: it does not expire.")
    networks: str = Field("", max_length=2000, description="Addresses and networks, with commas; empty: any.")
    quota_hours: float | None = Field(None, gt=0, allow_inf_nan=False, description="Default: no limit of its own.")
    requests_per_hour: int | None = Field(
        None, ge=1, le=api_keys.MOST_REQUESTS_PER_HOUR, description="Default: only the limits for all keys."
    )
    owner_id: str | None = Field(None, description="For administrators: whose key it is. Default: the caller's.")

    def grant(self) -> KeyGrant:
        return KeyGrant(
            scopes=tuple(self.scopes),
            expires_at=self.expires_at,
            networks=self.networks,
            quota_hours=self.quota_hours,
            requests_per_hour=self.requests_per_hour,
        )


class NewSecret(BaseModel):
    """A key with its secret, which is shown only once."""

    secret: str
    key: KeyBody


class RotateBody(BaseModel):
    """How long the present secret works beside the new one."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: float = Field(24.0, ge=0, le=LONGEST_OVERLAP_HOURS, allow_inf_nan=False, examples=[1])


class KeyMonthBody(BaseModel):
    """The use of a key in a calendar month (UTC)."""

    month: str
    requests: int = Field(description="Up to a minute behind.")
    recordings: int
    heard_s: float = Field(description="Seconds of completed recordings.")


class KeyAndUse(BaseModel):
    """A key and how it was used."""

    key: KeyBody
    usage: list[KeyMonthBody] = Field(description="The last twelve months with any use, latest first.")


@router.get("/v1/keys")
async def list_keys(
    request: Request,
    before: BeforeId = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    only_valid: Annotated[bool, Query(description="Neither revoked nor expired.")] = False,
    everybody: Annotated[bool, Query(description="All users' keys; for administrators.")] = False,
) -> KeyList:
    """List API keys, newest first."""
    caller = caller_of(request)
    if everybody:
        caller.require(Scope.ADMIN)
    owner = job_access.listed_owner(caller.the_user(), everybody=everybody, doing="listing everybody's keys")
    found = await db.read(api_keys.page, user_id=owner, before=before, only_valid=only_valid, limit=limit + 1)
    page = found[:limit]
    return KeyList(keys=list(map(KeyBody.of, page)), next=page[-1].id if len(found) > limit else None)


@router.post("/v1/keys", status_code=HTTPStatus.CREATED)
async def create_key(request: Request, body: KeyOrder) -> NewSecret:
    """Create an API key. The response alone has its secret.

    A key creates and rotates only keys that may do no more than itself: no scope that it lacks, and each of its own
    limits or a narrower one; else the answer is 403 `scope_missing` or `key_limit_exceeded`, which names the limit.
    """
    caller = caller_of(request)
    create = partial(key_management.create, owner_id=body.owner_id, by=caller.grant)
    secret, key = await db.in_ledger(create, caller.the_user(), body.name, body.grant())
    return NewSecret(secret=secret, key=KeyBody.of(key))


@router.get("/v1/keys/{key_id}")
async def get_key(request: Request, key_id: str) -> KeyAndUse:
    """Return an API key and its use by month."""
    return await db.read(_key_and_use, caller_of(request).the_user(), key_id)


def _key_and_use(con: DuckDBPyConnection, user: User, key_id: str) -> KeyAndUse:
    key = key_management.visible(con, user, key_id)
    months = [
        KeyMonthBody(month=one.month, requests=one.requests, recordings=one.recordings, heard_s=one.heard_s)
        for one in api_key_usage.months_of(con, key.id)
    ]
    return KeyAndUse(key=KeyBody.of(key), usage=months)


@router.post("/v1/keys/{key_id}/rotate")
async def rotate_key(request: Request, key_id: str, body: RotateBody) -> NewSecret:
    """Give a key a new secret; the present one works for some more hours."""
    caller = caller_of(request)
    rotate = partial(key_management.rotate, overlap=timedelta(hours=body.overlap_hours), by=caller.grant)
    secret, key = await db.in_ledger(rotate, caller.the_user(), key_id)
    return NewSecret(secret=secret, key=KeyBody.of(key))


@router.delete("/v1/keys/{key_id}", status_code=HTTPStatus.NO_CONTENT)
async def revoke_key(request: Request, key_id: str) -> None:
    """Revoke a key permanently; programs that use it stop working at once."""
    await db.in_ledger(key_management.revoke, caller_of(request).the_user(), key_id)
