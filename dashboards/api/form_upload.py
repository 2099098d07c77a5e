"""A recording that an account sends as a form."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from starlette.requests import Request

from dashboards.http.identity import Caller, caller_of
from dashboards.http.multipart import Form, OnField, received
from dashboards.http.request_options import idempotency_key
from dashboards.runtime import context, db
from dashboards.services import accept_recording
from dashboards.services.accept_recording import NewRecording
from storage.accounts import vocabulary
from storage.domain.clock import utc_now
from storage.domain.records import Job, Lane, Options, User, to_json
from storage.jobs import repeated_calls
from storage.jobs.annotations.metadata import NO_METADATA
from storage.jobs.repeated_calls import Repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class FormUpload:
    """A received form with one recording, and who sent it."""

    caller: Caller
    key: str | None
    form: Form
    repeats: Repeats | None = None

    @property
    def user(self) -> User:
        return self.caller.the_user()

    async def accept(
        self,
        options: Options,
        lane: Lane,
        *,
        asked_model: str | None = None,
        tags: tuple[str, ...] = (),
        metadata: Mapping[str, str] = NO_METADATA,
    ) -> Job:
        """Create the job, or find the one of the same call; raises as `accept_recording.accept_file` does.

        `asked_model` is the client's name for the model; what it means may change before the request is repeated.
        """
        form, user, key = self.form, self.user, self.key
        self.caller.require_lane(lane)
        asked = replace(options, model=asked_model or options.model)
        if self.repeats:
            words = await db.read(vocabulary.words_of, user.id)
            key = repeated_calls.key_of(form.sha256, form.file_name(), asked, words)
        new = NewRecording(
            owner_id=user.id,
            name=form.file_name(),
            options=options,
            lane=lane,
            actor=user.actor,
            key=key,
            api_key_id=self.caller.key_id,
            asked_sha256=hashlib.sha256(to_json(asked)).hexdigest(),
            repeats=self.repeats,
            tags=tags,
            metadata=metadata,
        )
        return await accept_recording.accept_file(new, form.path, sha256=form.sha256, size_bytes=form.size_bytes)


@asynccontextmanager
async def form_upload(
    request: Request, *, on_field: OnField | None = None, once: bool = False
) -> AsyncIterator[FormUpload]:
    """Receive the form, unless the account may not transcribe; its file is deleted afterwards.

    `on_field` may refuse a field before the rest is read. With `once`, the same call sent again finds its job even
    without an idempotency key.
    """
    caller, key, settings = caller_of(request), idempotency_key(request), context.settings()
    kept_for = timedelta(minutes=settings.web.repeat_minutes)
    repeats = Repeats(called_at=utc_now(), kept_for=kept_for) if once and kept_for and key is None else None
    await accept_recording.admit(caller.the_user(), key=key, repeats=repeats, api_key_id=caller.key_id)
    folder, limit_bytes = settings.storage.uploads_dir, settings.web.max_upload_bytes
    async with received(request, folder, limit_bytes=limit_bytes, on_field=on_field) as form:
        yield FormUpload(caller=caller, key=key, form=form, repeats=repeats)
