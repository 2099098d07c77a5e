"""Every route, asked by callers whose access has ended, by another member, by another worker."""

import re
from datetime import timedelta
from typing import Any

import pytest

from dashboards.http.access_middleware import COOKIE
from dashboards.runtime import context
from storage.accounts import api_keys, sessions, users, webhooks, worker_tokens
from storage.campaigns import campaign_rows, campaign_states
from storage.campaigns.campaign_states import CampaignOrder
from storage.domain.clock import utc_now
from storage.domain.records import HighlightColour, Job, JobState, Lane, Options, to_json
from storage.files.upload_store import Upload, UrlSource, new_ident
from storage.jobs import batches, manifests, share_links
from storage.jobs.annotations import comments, notes
from storage.jobs.annotations.comments import Passage
from storage.jobs.batches import NewItem
from tests.dashboards.http.test_access_middleware import OPEN, app_routes, filled
from tests.dashboards.site import ORIGIN, Site
from tests.factories import job_in

ACTOR = "system:test"
MARK = "of ada alone"
ENDED = (
    "revoked key",
    "expired key",
    "disabled account's key",
    "disabled account's session",
    "ended session",
    "revoked worker token",
)


def guarded(site: Site) -> list[tuple[str, str]]:
    return [(method, path) for method, path in app_routes(site) if method != "WEBSOCKET" and (method, path) not in OPEN]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def ended(site: Site, kind: str) -> dict[str, str]:
    """Return the headers of a caller whose access has ended."""
    ledger, bob = context.ledger(), site.user("bob")
    if kind == "revoked worker token":
        secret, token = ledger.run(worker_tokens.create, name="old-box", actor=ACTOR)
        ledger.run(worker_tokens.revoke, token.id, actor=ACTOR)
        return bearer(secret)
    secret, key = ledger.run(api_keys.create, user_id=bob.id, name="test", actor=ACTOR)
    cookie, session = ledger.run(sessions.start, bob, client="test", now=utc_now(), max_days=1)
    if kind == "expired key":
        with ledger.write() as con:
            con.execute("UPDATE api_keys SET expires_at = now() - INTERVAL 1 HOUR WHERE id = $id", {"id": key.id})
    if kind == "revoked key":
        ledger.run(api_keys.revoke, key.id, actor=ACTOR)
    if kind == "ended session":
        ledger.run(sessions.end, session.id, actor=ACTOR)
    if kind.startswith("disabled"):
        ledger.run(users.set_disabled, bob.id, disabled=True, actor=ACTOR)
    return ORIGIN | {"Cookie": f"{COOKIE}={cookie}"} if "session" in kind else bearer(secret)


@pytest.mark.parametrize("kind", ENDED)
def test_what_has_ended_opens_nothing(site: Site, kind: str) -> None:
    headers = ended(site, kind)
    for method, path in guarded(site):
        answer = site.client.request(method, filled(path), headers=headers)
        assert answer.status_code == 401, f"{method} {path} answers {answer.status_code}"


@pytest.mark.parametrize("kind", ["revoked", "disabled"])
def test_a_key_that_was_used_a_moment_ago_ends_at_once(site: Site, kind: str) -> None:
    """It is found in memory until anything is committed."""
    bob = site.user("bob")
    secret, key = context.ledger().run(api_keys.create, user_id=bob.id, name="test", actor=ACTOR)
    for _ in range(3):
        assert site.client.get("/api/v1/me", headers=bearer(secret)).status_code == 200
    if kind == "revoked":
        context.ledger().run(api_keys.revoke, key.id, actor=ACTOR)
    else:
        context.ledger().run(users.set_disabled, bob.id, disabled=True, actor=ACTOR)
    assert site.client.get("/api/v1/me", headers=bearer(secret)).status_code == 401


NOT_THINGS = {"fmt", "number", "name", "rest:path", "name:path", "path:path", "build", "token"}
NOT_THINGS |= {"alignment_id", "session_id", "file_id", "file_id:path"}
"""Parameters that name nobody's thing: a format, a version, a file of the app, what workers and Streamlit ask."""


def test_every_parameter_of_a_path_is_walked(site: Site) -> None:
    """A new kind of thing has to be made in `belongings`, or the walk would not try what others get of it."""
    parameters = {one for _, path in guarded(site) for one in re.findall(r"{([^}]+)}", path)}
    assert parameters - NOT_THINGS <= set(belongings(site))


def belongings(site: Site, job: Job | None = None) -> dict[str, str]:
    """Make one of everything that a path may name, all of ada's; return the ids by parameter."""
    ledger, ada = context.ledger(), site.user("ada")
    job = job or job_in(ledger, context.files(), ada, JobState.COMPLETED, name=f"{MARK}.wav")
    _, share = ledger.run(share_links.create, job.id, lasts=timedelta(days=1), actor=ada.actor)
    _, key = ledger.run(api_keys.create, user_id=ada.id, name=MARK, actor=ACTOR)
    hook: dict[str, Any] = {"url": f"https://hooks.example/{MARK}", "events": ["job.completed"], "everybody": False}
    ledger.run(webhooks.create, webhook_id="adas", user_id=ada.id, secret_mark="", actor=ACTOR, **hook)
    passage = Passage(start_s=1, end_s=2, quote=MARK)
    note = ledger.run(notes.add, job.id, text=MARK, at_s=None, actor=ada.actor)
    comment = ledger.run(comments.add, job.id, passage=passage, text=MARK, actor=ada.actor)
    light = ledger.run(comments.highlight, job.id, passage=passage, colour=HighlightColour.BLUE, actor=ada.actor)
    item = NewItem(source=f"https://media.example/{MARK}", name=None, options=to_json(Options()).decode())
    asked: dict[str, Any] = {"name": MARK, "lane": Lane.BATCH, "key": None, "asked_sha256": "", "api_key_id": None}
    batch = ledger.run(batches.create, [item], owner_id=ada.id, actor=ACTOR, **asked)
    order = CampaignOrder(name=MARK, changes={"beam_size": 2})
    campaign = ledger.run(campaign_states.create, order, actor=ACTOR)
    kept: dict[str, Any] = {
        "owner_id": ada.id,
        "length_bytes": 9,
        "name": MARK,
        "options": Options(),
        "lane": Lane.BATCH,
    }
    shelf, source = context.current().shelf, UrlSource(url="https://media.example/x", until_s=0, next_s=1e12)
    upload, download = Upload(id=new_ident(), **kept), Upload(id=new_ident(), source=source, **kept)
    for one in (upload, download):
        shelf.save(one)
        shelf.data(one.id).touch()
    ids = {"job_id": job.id, "share_id": share.id, "key_id": key.id, "webhook_id": "adas", "batch_id": batch.id}
    ids |= {"campaign_id": campaign.id}
    ids |= {"download_id": download.id, "ident": upload.id, "user_id": ada.id}
    ids |= {"note_id": note.id, "comment_id": comment.id, "highlight_id": light.id, "delivery_id": "x"}
    return ids | {"number": "1", "fmt": "srt", "name": "rex"}


@pytest.mark.parametrize(("name", "by"), [("bob", "key"), ("bob", "session"), ("rex", "key")])
def test_others_get_and_change_nothing_of_mine(site: Site, name: str, by: str) -> None:
    ids = belongings(site)
    mine = {key for key in ids if key.endswith("_id") or key == "ident"}
    headers = dict(ORIGIN) if by == "session" else site.key_of(site.user(name))
    if by == "session":
        site.sign_in(name)
    before, asked = _all(ids), 0
    for method, path in guarded(site):
        if not any("{" + key + "}" in path for key in mine) or path.startswith("/internal/"):
            continue
        target = path
        for key, value in ids.items():
            target = target.replace("{" + key + "}", value)
        answer = site.client.request(method, target, headers=headers | {"Tus-Resumable": "1.0.0"}, json={})
        assert answer.status_code >= 400, f"{method} {path} answers {answer.status_code}: {answer.text[:200]}"
        assert MARK not in answer.text, f"{method} {path}"
        asked += 1
    assert asked > 40
    assert _all(ids) == before


def _all(ids: dict[str, str]) -> tuple[Any, ...]:
    shelf = context.current().shelf
    with context.ledger().read() as con:
        return (
            to_json(manifests.of(con, ids["job_id"])),
            comments.list_of(con, ids["job_id"]),
            comments.highlights_of(con, ids["job_id"]),
            notes.list_of(con, ids["job_id"]),
            share_links.list_of(con, ids["job_id"]),
            api_keys.get(con, ids["key_id"]),
            webhooks.get(con, "adas"),
            batches.get(con, ids["batch_id"]).cancelled_at,
            campaign_rows.get(con, ids["campaign_id"]),
            shelf.exists(ids["ident"]) and shelf.exists(ids["download_id"]),
        )


def test_a_worker_with_a_token_of_its_own_may_call_nothing_but_its_own(site: Site) -> None:
    secret, _ = context.ledger().run(worker_tokens.create, name="gpu-box", actor=ACTOR)
    for method, path in guarded(site):
        internal = path.startswith("/internal/") and not path.startswith("/internal/v1/admin/")
        if internal or path in {"/metrics", "/_stcore/metrics"}:
            continue
        answer = site.client.request(method, filled(path), headers=bearer(secret))
        assert answer.status_code == 403, f"{method} {path} answers {answer.status_code}"
