"""`/api/v1/s3-events`: objects that a bucket announces become recordings.

Messages are Amazon S3's notifications, as MinIO, Ceph and SeaweedFS send them too, and those of EventBridge:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

import hashlib
import json
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import unquote_plus

from fastapi import APIRouter, Query, Request
from pydantic import AliasChoices, BaseModel, Field, ValidationError

from dashboards.http.error_responses import bad_request
from dashboards.http.identity import caller_of
from dashboards.http.request_options import OptionsForm
from dashboards.runtime import db
from dashboards.services import batch_orders
from storage.domain.batch_sources import BUCKETS
from storage.domain.errors import BadRequest
from storage.domain.network.outgoing_targets import MAX_URL_CHARS
from storage.domain.records import Lane, to_json
from storage.domain.scopes import Scope
from storage.jobs.batches import NewItem

router = APIRouter(tags=["batches"])
MOST_RECORDS = 1000
NAME = "S3 events"
EXAMPLE: dict[str, Any] = {
    "eventName": "s3:ObjectCreated:Put",
    "s3": {
        "bucket": {"name": "recordings"},
        "object": {"key": "2026/talk+1.mp3", "size": 5_242_880, "eTag": "5d41402abc4b2a76b9719d911017c592"},
    },
}
CREATED = "ObjectCreated:"
CREATED_IN_EVENTBRIDGE = "Object Created"


class S3Bucket(BaseModel):
    """The bucket of an event."""

    name: str = Field(max_length=255, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


class S3Object(BaseModel):
    """The object of an event. Its key is URL-encoded in notifications, but not in EventBridge's events."""

    key: str = Field(min_length=1, max_length=MAX_URL_CHARS)
    size: int | None = None
    etag: str | None = Field(None, validation_alias=AliasChoices("eTag", "etag"), max_length=200)
    version_id: str | None = Field(None, alias="versionId", max_length=1024)
    sequencer: str | None = Field(None, max_length=200)


class S3Change(BaseModel):
    """A bucket and an object in it that changed."""

    bucket: S3Bucket
    object: S3Object


class S3Record(BaseModel):
    """A record of a notification."""

    event_name: str = Field(alias="eventName", max_length=200)
    s3: S3Change


class S3Message(BaseModel):
    """A notification with `Records`, or an event of EventBridge with `detail`.

    Other fields are not looked at.
    """

    records: list[S3Record] | None = Field(None, alias="Records", max_length=MOST_RECORDS, examples=[[EXAMPLE]])
    detail_type: str | None = Field(None, alias="detail-type", max_length=200)
    detail: S3Change | None = None
    event: str | None = Field(None, alias="Event", max_length=200, description="`s3:TestEvent` is answered, only.")

    def created(self) -> list[tuple[str, S3Change]]:
        """Return the created objects: the address of each, and what was said of it."""
        changes = [
            (unquote_plus(record.s3.object.key), record.s3)
            for record in self.records or ()
            if CREATED in f"{record.event_name}:"
        ]
        if self.detail and self.detail_type == CREATED_IN_EVENTBRIDGE:
            changes.append((self.detail.object.key, self.detail))
        return [
            (f"{BUCKETS}{change.bucket.name}/{key}", change)
            for key, change in changes
            if not key.endswith("/") and change.object.size != 0  # consoles mark a folder so
        ]

    def is_known(self) -> bool:
        """Return whether we understand this message, if only to leave it aside."""
        return self.records is not None or self.detail is not None or self.event == "s3:TestEvent"


class S3EventOutcome(BaseModel):
    """What became of a message."""

    batch_id: str | None = Field(description="The batch of the announced objects; null if there is nothing to get.")
    objects: int = Field(description="How many objects will be got.")


@router.post("/v1/s3-events", status_code=HTTPStatus.ACCEPTED)
async def take_s3_events(
    request: Request,
    body: S3Message,
    model: Annotated[str, Query(max_length=120)] = "auto",
    language: Annotated[str | None, Query(max_length=40)] = None,
    diarize: Annotated[bool, Query(description="Identify the speakers, if a worker can.")] = False,
) -> S3EventOutcome:
    """Get and transcribe the objects that a bucket announces; the response is 202.

    The buckets are those that an administrator listed for the caller, whose key needs the scope `batch`. A message that
    is sent again makes nothing twice; other events, empty objects and folders are left aside.
    """
    caller = caller_of(request)
    caller.require(Scope.BATCH)
    if not body.is_known():
        raise BadRequest("body", "this is no S3 notification with Records, and no event of EventBridge with detail")
    created = body.created()
    if not created:
        return S3EventOutcome(batch_id=None, objects=0)
    options = _options(model=model, language=language, diarize=diarize)
    wanted = [NewItem(source=source, name=None, options=options) for source, _ in created]
    order = partial(batch_orders.order, recursive=False)
    key = _key_of(created, options)
    made = await db.in_thread(order, caller.the_user(), wanted, NAME, Lane.BATCH, key, caller.key_id)
    return S3EventOutcome(batch_id=made.id, objects=made.total)


def _options(**asked: object) -> str:
    try:
        return to_json(OptionsForm.model_validate(asked).options()).decode()
    except ValidationError as error:
        raise bad_request(error, within="query") from error


def _key_of(created: list[tuple[str, S3Change]], options: str) -> str:
    """Return the idempotency key of a message, by the versions of its objects."""
    versions = [
        (source, change.object.etag, change.object.version_id, change.object.sequencer) for source, change in created
    ]
    return f"s3-events:{hashlib.sha256(json.dumps([versions, options]).encode()).hexdigest()}"
