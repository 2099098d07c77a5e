"""Several recordings' files as one ZIP."""

import io
import zipfile

import pytest

from dashboards.runtime import context
from storage.domain.export_formats import USUAL_FORMATS
from storage.domain.records import Job, JobState
from storage.jobs import job_store
from tests.dashboards.site import Site
from tests.factories import job_in

pytestmark = pytest.mark.shared_site


def ready(site: Site, owner: str, name: str) -> Job:
    """Make a job that is completed, with its usual files on storage."""
    exports = {fmt.value: f"{name} {fmt}".encode() for fmt in USUAL_FORMATS}
    return job_in(context.ledger(), context.files(), site.user(owner), JobState.COMPLETED, name=name, exports=exports)


def packed(site: Site, *ids: str, **more: str) -> dict[str, bytes]:
    answer = site.client.get("/downloads", params={"id": list(ids), **more})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_each_recordings_files_have_a_name_of_their_own(site: Site) -> None:
    site.sign_in("ada")
    made = [ready(site, "ada", name) for name in ("talk.wav", "Talk.mp3", "../../etc/pass:wd.wav")]
    files = packed(site, *(job.id for job in made))
    assert {name for name in files if name.endswith(".srt")} == {"talk.srt", "Talk (2).srt", "pass_wd.srt"}
    assert len(files) == 3 * len(USUAL_FORMATS)
    assert files["talk.vtt"] == b"talk.wav vtt"


def test_one_format_can_be_asked_for(site: Site) -> None:
    site.sign_in("ada")
    job = ready(site, "ada", "talk.wav")
    assert packed(site, job.id, format="txt") == {"talk.txt": b"talk.wav txt"}
    assert site.client.get("/downloads", params={"id": job.id, "format": "exe"}).status_code == 400


def test_what_cannot_be_made_is_named(site: Site) -> None:
    site.sign_in("ada")
    job = ready(site, "ada", "talk.wav")
    files = packed(site, job.id, format="docx")
    assert b"talk.docx" in files["NOT INCLUDED.txt"]


def test_a_recording_of_that_name_does_not_hide_what_is_named(site: Site) -> None:
    site.sign_in("ada")
    made = [ready(site, "ada", name) for name in ("not included.wav", "nul.wav")]
    jobs = [job.id for job in made]
    files = packed(site, *jobs, format="txt")
    assert files.keys() == {"not included (2).txt", "_nul.txt"}
    assert packed(site, *jobs, format="docx").keys() == {"NOT INCLUDED.txt"}


def test_nobody_gets_what_others_have_or_what_is_deleted(site: Site) -> None:
    his, hers = ready(site, "bob", "his.wav"), ready(site, "ada", "hers.wav")
    gone = ready(site, "ada", "gone.wav")
    context.ledger().run(job_store.delete, gone.id, actor="system:test")
    site.sign_in("ada")
    assert all(name.startswith("hers") for name in packed(site, his.id, hers.id, gone.id))
    assert site.client.get("/downloads", params={"id": his.id}).status_code == 404
    assert site.client.get("/downloads").status_code == 400
    site.client.cookies.clear()
    assert site.client.get("/downloads", params={"id": hers.id}).status_code == 401
