"""Duplicate uploads: recognised by size and content, transcribed again without an upload."""

import hashlib
from collections.abc import Callable

import pytest
from httpx2 import Response

from dashboards.runtime import context
from storage.domain.records import Job, Lane
from storage.jobs import job_store
from tests.dashboards.site import ORIGIN, Site


def sent(site: Site, data: bytes, *, name: str = "talk.wav") -> Job:
    answer = site.client.post("/api/v1/jobs", files={"file": (name, data, "audio/wav")}, headers=ORIGIN)
    assert answer.status_code in {200, 201, 202}, answer.text
    with context.ledger().read() as con:
        return job_store.get(con, answer.json()["id"])


def again(site: Site, sha256: str, **more: object) -> Response:
    asked = {"sha256": sha256, "name": "once more.wav", "key": "a-key-of-the-page"} | more
    return site.client.post("/uploads/again", json=asked, headers=ORIGIN)


def test_a_size_that_is_there_is_worth_hashing_for(site: Site, tone: Callable[..., bytes]) -> None:
    site.sign_in("ada")
    data = tone(1)
    assert site.client.get(f"/uploads/known?size={len(data)}").json() == {"known": []}
    job = sent(site, data)
    asked = f"/uploads/known?size={len(data) + 1}&size={len(data)}&size={len(data)}"
    assert site.client.get(asked).json() == {"known": [len(data)]}
    (told,) = site.client.get(f"/uploads/known?sha256={hashlib.sha256(data).hexdigest()}").json()["jobs"]
    assert (told["id"], told["name"]) == (job.id, "talk.wav")


def test_others_do_not_learn_what_somebody_has(site: Site, tone: Callable[..., bytes]) -> None:
    site.sign_in("ada")
    data = tone(1)
    sha256 = sent(site, data).media_sha256
    site.sign_in("bob")
    assert site.client.get(f"/uploads/known?size={len(data)}").json() == {"known": []}
    assert site.client.get(f"/uploads/known?sha256={sha256}").json() == {"jobs": []}
    assert again(site, sha256).status_code == 404


def test_transcribing_again_creates_a_job_with_other_options(site: Site, tone: Callable[..., bytes]) -> None:
    site.sign_in("ada")
    first = sent(site, tone(1))
    answers = [again(site, first.media_sha256, options={"language": "da"}, lane="batch") for _ in range(2)]
    assert {answer.status_code for answer in answers} == {201}
    (job_id,) = {answer.json()["id"] for answer in answers}
    with context.ledger().read() as con:
        job = job_store.get(con, job_id)
    assert (job.media_sha256, job.options.language, job.lane, job.name) == (
        first.media_sha256,
        "da",
        Lane.BATCH,
        "once more.wav",
    )


def test_what_was_cancelled_is_not_offered(site: Site, tone: Callable[..., bytes]) -> None:
    site.sign_in("ada")
    job = sent(site, tone(1))
    context.ledger().run(job_store.cancel, job.id, actor="system:test")
    assert site.client.get(f"/uploads/known?sha256={job.media_sha256}").json() == {"jobs": []}


def test_a_reader_makes_no_jobs(site: Site) -> None:
    site.sign_in("rex")
    assert again(site, "0" * 64).status_code == 403


@pytest.mark.parametrize("query", ["", "size=-1", "size=many", "size=" + "9" * 30, "size=1&size=two", "size=1&" * 101])
def test_nonsense_is_refused(site: Site, query: str) -> None:
    site.sign_in("ada")
    assert site.client.get(f"/uploads/known?{query}").status_code == 400
