"""`/api/v1/users`, usage and share links for administrators; one's own usage and colleagues."""

import secrets
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Self

from duckdb import DuckDBPyConnection
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from dashboards.http.api_parameters import BeforeId
from dashboards.http.identity import caller_of
from dashboards.runtime import db
from dashboards.services import account_management, sharing
from dashboards.services.account_management import AccountChange
from storage.accounts import quotas, users
from storage.domain.records import Role, User
from storage.jobs.collaborators import Collaborator
from storage.jobs.share_links import SharedRecording

router = APIRouter()
ID = "The `next` of the previous page."


class UserBody(BaseModel):
    """An account."""

    id: str
    name: str
    display_name: str | None
    email: str | None
    role: Role
    disabled: bool
    created_at: datetime
    quota_hours: float | None = Field(description="Hours a calendar month (UTC); null: no limit.")
    quota_bytes: int | None = Field(description="Bytes stored; null: no limit.")

    @classmethod
    def of(cls, user: User) -> Self:
        """Describe an account."""
        return cls(**{field: getattr(user, field) for field in cls.model_fields})


class UserList(BaseModel):
    """A page of accounts by name."""

    users: list[UserBody]
    next: str | None = Field(description="Use it as `after` for the next page; null on the last.")


class UserOrder(BaseModel):
    """An account to create, with a generated first password."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=64, examples=["grace"])
    role: Role = Role.MEMBER
    email: str | None = Field(None, max_length=320)


class CreatedUser(BaseModel):
    """A new account and its first password, which is shown only once."""

    user: UserBody
    password: str


class UserChange(BaseModel):
    """What to change of an account; fields that are left out stay as they are."""

    model_config = ConfigDict(extra="forbid")

    role: Role = Role.MEMBER
    disabled: bool = False
    quota_hours: float | None = Field(None, ge=0, allow_inf_nan=False, examples=[20])
    quota_bytes: int | None = Field(None, ge=0, lt=2**63)


class UsageBody(BaseModel):
    """The use of an account, and its limits."""

    heard_s: float = Field(description="Seconds completed this calendar month (UTC).")
    coming_s: float = Field(description="Seconds in progress.")
    stored_bytes: int
    quota_hours: float | None
    quota_bytes: int | None


class ShareBody(BaseModel):
    """A working share link; its token is not stored."""

    id: str
    job_id: str
    owner_id: str
    name: str
    has_password: bool
    made_by: str
    made_at: datetime
    expires_at: datetime
    opened: int
    last_opened_at: datetime | None

    @classmethod
    def of(cls, shared: SharedRecording) -> Self:
        """Describe a link."""
        share = shared.share
        same = ("id", "job_id", "made_by", "made_at", "expires_at", "opened", "last_opened_at")
        told = {field: getattr(share, field) for field in same}
        return cls(**told, owner_id=shared.owner_id, name=shared.name, has_password=share.password_hash is not None)


class ShareList(BaseModel):
    """A page of share links, newest first."""

    shares: list[ShareBody]
    next: str | None = Field(description="Use it as `before` for the next page; null on the last.")


class ColleagueRight(BaseModel):
    """What a colleague may do with a recording beside reading it."""

    model_config = ConfigDict(extra="forbid")

    may_edit: bool = Field(
        False, examples=[True], description="Also correct its transcript, name its speakers and write notes."
    )


class ColleagueBody(ColleagueRight):
    """An account with a right to a recording of somebody else's."""

    user_id: str
    name: str
    made_at: datetime

    @classmethod
    def of(cls, colleague: Collaborator) -> Self:
        """Describe a colleague."""
        return cls(**{field: getattr(colleague, field) for field in cls.model_fields})


@router.get("/v1/usage", tags=["account"])
async def own_usage(request: Request) -> UsageBody:
    """Return the caller's use and limits."""
    return await db.read(_usage, caller_of(request).the_user().id)


def _usage(con: DuckDBPyConnection, user_id: str) -> UsageBody:
    user, used = users.get(con, user_id), quotas.usage(con, user_id)
    limits = {"quota_hours": user.quota_hours, "quota_bytes": user.quota_bytes}
    return UsageBody(heard_s=used.heard_s, coming_s=used.coming_s, stored_bytes=used.stored_bytes, **limits)


@router.get("/v1/users", tags=["administration"])
async def list_users(
    request: Request,
    after: Annotated[str | None, Query(description=ID)] = None,
    search: Annotated[str, Query(max_length=200, description="A part of the name or address.")] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> UserList:
    """List accounts by name."""
    _admin(request, "listing accounts")
    found = await db.read(users.page, after=after, search=search, limit=limit + 1)
    page = found[:limit]
    return UserList(users=list(map(UserBody.of, page)), next=page[-1].name if len(found) > limit else None)


@router.post("/v1/users", tags=["administration"], status_code=HTTPStatus.CREATED)
async def create_user(request: Request, body: UserOrder) -> CreatedUser:
    """Create an account. The response alone has its first password."""
    password = secrets.token_urlsafe(12)
    create = partial(account_management.create, name=body.name, role=body.role, password=password, email=body.email)
    user = await db.in_ledger(create, caller_of(request).the_user())
    return CreatedUser(user=UserBody.of(user), password=password)


@router.get("/v1/users/{user_id}", tags=["administration"])
async def get_user(request: Request, user_id: str) -> UserBody:
    """Return an account."""
    _admin(request, "looking at accounts")
    return UserBody.of(await db.read(users.get, user_id))


@router.get("/v1/users/{user_id}/usage", tags=["administration"])
async def usage_of_user(request: Request, user_id: str) -> UsageBody:
    """Return an account's use and limits."""
    _admin(request, "looking at accounts")
    return await db.read(_usage, user_id)


@router.patch("/v1/users/{user_id}", tags=["administration"])
async def change_user(request: Request, user_id: str, body: UserChange) -> UserBody:
    """Change an account's role or limits, or disable it, at once."""
    given = body.model_fields_set
    limits = None
    if given & {"quota_hours", "quota_bytes"}:
        _admin(request, "changing accounts")
        now = await db.read(users.get, user_id)
        limits = (
            body.quota_hours if "quota_hours" in given else now.quota_hours,
            body.quota_bytes if "quota_bytes" in given else now.quota_bytes,
        )
    wanted = AccountChange(
        role=body.role if "role" in given else None,
        disabled=body.disabled if "disabled" in given else None,
        limits=limits,
    )
    user = await db.in_ledger(account_management.change, caller_of(request).the_user(), user_id, wanted)
    return UserBody.of(user)


@router.get("/v1/shares", tags=["administration"])
async def list_shares(
    request: Request,
    before: BeforeId = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ShareList:
    """List everybody's working share links, newest first."""
    everybodys = partial(sharing.everybodys, before=before, limit=limit + 1)
    found = await db.in_ledger(everybodys, caller_of(request).the_user())
    page = found[:limit]
    return ShareList(shares=list(map(ShareBody.of, page)), next=page[-1].share.id if len(found) > limit else None)


@router.delete("/v1/jobs/{job_id}/shares/{share_id}", tags=["administration"], status_code=HTTPStatus.NO_CONTENT)
async def end_share(request: Request, job_id: str, share_id: str) -> None:
    """End anybody's share link."""
    await db.in_ledger(sharing.end, caller_of(request).the_user(), job_id, share_id)


@router.get("/v1/jobs/{job_id}/collaborators", tags=["jobs"])
async def list_colleagues(request: Request, job_id: str) -> list[ColleagueBody]:
    """List the colleagues whom the owner lets read or edit a recording, by name."""
    found = await db.in_ledger(sharing.colleagues, caller_of(request).the_user(), job_id)
    return list(map(ColleagueBody.of, found))


@router.put("/v1/jobs/{job_id}/collaborators/{name}", tags=["jobs"])
async def let_colleague(request: Request, job_id: str, name: str, body: ColleagueRight) -> ColleagueBody:
    """Let a colleague read a recording, or edit it as well.

    Only its owner may. It appears in the colleague's list, search and events. Deleting, retrying, cancelling, renaming,
    tags and sharing stay the owner's.
    """
    let = partial(sharing.let, may_edit=body.may_edit)
    return ColleagueBody.of(await db.in_ledger(let, caller_of(request).the_user(), job_id, name))


@router.delete("/v1/jobs/{job_id}/collaborators/{name}", tags=["jobs"], status_code=HTTPStatus.NO_CONTENT)
async def end_colleague(request: Request, job_id: str, name: str) -> None:
    """End a colleague's right to a recording, at once."""
    await db.in_ledger(sharing.end_for, caller_of(request).the_user(), job_id, name)


def _admin(request: Request, doing: str) -> None:
    account_management.require_admin(caller_of(request).the_user(), doing)
