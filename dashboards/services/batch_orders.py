"""Batches of recordings: order, cancel, retry, and bring them on a step in the background."""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from duckdb import DuckDBPyConnection

from dashboards.runtime import context, db, notify
from dashboards.services import job_access, url_download
from storage.accounts import users
from storage.domain.errors import BadRequest, NotFound, TranscriberError
from storage.domain.records import Job, Lane, Options, User, from_json
from storage.files import listed_sources
from storage.jobs import batches
from storage.jobs.batches import MOST_ITEMS, Batch, Item, ItemOutcome, ItemState, NewItem

logger = logging.getLogger(__name__)

OPEN_EACH = 8
"""Recordings of one batch that are being got at a time; `url_download` decides how many of them at once."""
DOING = "transcribing"


def order(  # noqa: PLR0917 - as a thread is called
    user: User,
    wanted: Sequence[NewItem],
    name: str,
    lane: Lane,
    key: str | None,
    api_key_id: str | None,
    *,
    recursive: bool,
) -> Batch:
    """Create a batch of addresses, paths and the files of folders; blocks.

    Raises:
        NotAllowed: the user is read-only, or a path is not listed for them.
        BadRequest, OutgoingRefused: an address is not accepted, or there are too many recordings, or none.
        KeyReused: the key began another batch.
        StorageUnreachable: a bucket's service does not answer.
    """
    job_access.require_writer(user, DOING)
    asked = json.dumps([name, lane, recursive, list(map(_as_asked, wanted))])
    asked_sha256 = hashlib.sha256(asked.encode()).hexdigest()
    if key and (known := db.look(batches.keyed, user.id, key, asked_sha256)):
        return known
    items: list[NewItem] = []
    for each in wanted:
        items += _each_of(user, each, recursive=recursive)
        if len(items) > MOST_ITEMS:
            raise BadRequest("items", f"a batch has at most {MOST_ITEMS:,} recordings; make several")
    return db.change(
        batches.create,
        items,
        owner_id=user.id,
        name=name,
        lane=lane,
        key=key,
        asked_sha256=asked_sha256,
        api_key_id=api_key_id,
        actor=user.actor,
    )


def _as_asked(item: NewItem) -> list[Any]:
    """Return what makes an item the same when it is sent again.

    Batches of earlier versions have digests of it: what they did not have is left out where it is empty.
    """
    more = [item.tags, dict(item.metadata)] if item.tags or item.metadata else []
    return [item.source, item.name, item.options, *more]


def _each_of(user: User, item: NewItem, *, recursive: bool) -> Iterator[NewItem]:
    """Yield the item with its source checked, or the files of a folder as items."""
    source = url_download.checked_source(user, item.source)
    if not url_download.is_path(source) or not listed_sources.is_folder(source):
        yield replace(item, source=source)
        return
    endpoint = context.settings().storage.storage_endpoint_url
    for file in listed_sources.below(source, endpoint, recursive=recursive, most=MOST_ITEMS):
        yield replace(item, source=file, name=None)


def visible(con: DuckDBPyConnection, user: User, batch_id: str) -> Batch:
    """Return a batch of the user's, or for an administrator anybody's.

    Raises:
        NotFound: there is none, or it is somebody else's, which is not revealed.
    """
    batch = batches.get(con, batch_id)
    if batch.owner_id != user.id and not job_access.may_see_all(user):
        raise NotFound("batch", batch_id)
    return batch


def cancel(user: User, batch_id: str) -> Batch:
    """Cancel a batch; what is in progress ends in the background. Blocks.

    Raises:
        NotAllowed, NotFound: the user may not.
    """
    job_access.require_writer(user, "cancelling")
    db.look(visible, user, batch_id)
    return db.change(batches.cancel, batch_id, actor=user.actor)


def retry(user: User, batch_id: str) -> Batch:
    """Try the failed recordings of a batch again. Blocks.

    Raises:
        NotAllowed, NotFound: the user may not.
        BadRequest: it is cancelled, or nothing in it has failed.
    """
    job_access.require_writer(user, "retrying")
    db.look(visible, user, batch_id)
    return db.change(batches.retry, batch_id, actor=user.actor)


async def advance() -> bool:
    """Bring all batches on a step; return whether there are any to bring on."""
    active = await db.read(batches.active)
    for batch in active:
        try:
            await _advance(batch)
        except TranscriberError as error:
            logger.warning("batch %s could not be looked after, and is later: %s", batch.id, error)
    if active:
        await url_download.resume()
    return bool(active)


async def _advance(batch: Batch) -> None:
    getting = await db.read(batches.next_of, batch.id, ItemState.DOWNLOADING, OPEN_EACH)
    if batch.cancelled_at:
        await _end(batch, getting)
        return
    if batch.retry_at:
        _announce(await db.write(batches.retry_some, batch))
    outcomes = [one for item in getting if (one := await db.in_thread(_outcome_of, item))]
    owner = await db.read(users.get, batch.owner_id)
    room = 0 if owner.disabled else OPEN_EACH - len(getting) + len(outcomes)
    for item in await db.read(batches.next_of, batch.id, ItemState.WAITING, room):
        begun = await _begin(batch, item, owner)
        if begun is None:
            break
        outcomes.append(begun)
    if outcomes:
        late = await db.write(batches.settle, batch.id, outcomes)
        await db.in_thread(_tidy, [one for one in outcomes if one.state is not ItemState.DOWNLOADING])
        for one in late:
            await _drop(one.download_id)


async def _begin(batch: Batch, item: Item, owner: User) -> ItemOutcome | None:
    """Begin an item's download; None if there is no room for it now."""
    try:
        upload = await url_download.order(
            owner,
            item.source,
            name=item.name,
            options=from_json(Options, item.options),
            lane=batch.lane,
            tags=item.tags,
            job_metadata=item.metadata,
            key=f"batch:{batch.id}:{item.number}:{item.tries}",
            api_key_id=batch.api_key_id,
        )
    except url_download.TooManyDownloads:
        return None
    except TranscriberError as error:
        if error.transient:
            raise
        return ItemOutcome(number=item.number, state=ItemState.FAILED, error_code=error.code, error=str(error))
    return ItemOutcome(number=item.number, state=ItemState.DOWNLOADING, download_id=upload.id)


def _outcome_of(item: Item) -> ItemOutcome | None:
    """Return what became of a download, or None while it goes on."""
    shelf = context.current().shelf
    told: dict[str, Any] = {"number": item.number, "download_id": item.download_id}
    try:
        upload = shelf.load(item.download_id or "")
    except NotFound:
        return ItemOutcome(**told, state=ItemState.CANCELLED)  # by hand, since it is no longer there
    if upload.job_id:
        return ItemOutcome(**told, state=ItemState.ACCEPTED, job_id=upload.job_id)
    if refusal := upload.refusal:
        return ItemOutcome(**told, state=ItemState.FAILED, error_code=refusal.code, error=refusal.message)
    return None


def _tidy(outcomes: Sequence[ItemOutcome]) -> None:
    """Delete the notes of ended downloads, whose outcome is in the ledger now."""
    for one in outcomes:
        if one.download_id:
            context.current().shelf.remove(one.download_id)


async def _end(batch: Batch, getting: Sequence[Item]) -> None:
    """End some of what a cancelled batch has in progress."""
    outcomes = []
    for item in getting:
        outcome = await db.in_thread(_outcome_of, item)
        if outcome is None and await _drop(item.download_id):
            outcome = ItemOutcome(number=item.number, state=ItemState.CANCELLED)
        outcomes += [outcome] if outcome else []
    if outcomes:
        await db.write(batches.settle, batch.id, outcomes)
        await db.in_thread(_tidy, outcomes)
    _announce(await db.write(batches.cancel_some, batch))


async def _drop(download_id: str | None) -> bool:
    """Cancel a download; return False if it is becoming a job, which is cancelled then."""
    holder = context.current()
    if download_id is None or not holder.shelf.exists(download_id):
        return True
    if download_id in holder.landings:
        return False
    await url_download.cancel(await db.in_thread(holder.shelf.load, download_id))
    return True


def _announce(changed: Sequence[Job]) -> None:
    for job in changed:
        notify.announce(job)
