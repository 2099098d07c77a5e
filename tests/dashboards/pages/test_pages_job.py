"""One recording's page, in every state."""

from dataclasses import replace

import pytest

from storage import jobs
from storage.records import Finding, JobState, Options, Role
from tests.dashboards.desk import Desk, button, component, has, labels, words


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (JobState.QUEUED, "Waiting in line"),
        (JobState.INGESTING, "looking for speech"),
        (JobState.TRANSCRIBING, "Heard 0:10 of 0:40 of speech"),
        (JobState.EXPORTING, "Everything is heard"),
    ],
)
def test_an_unfinished_recording_says_how_far_it_is(desk: Desk, state: JobState, said: str) -> None:
    ada = desk.user()
    at = desk.page("job", ada, id=desk.job(ada, state).id)
    assert said in at.get("progress")[0].proto.text
    assert labels(at) == ["Cancel"]
    assert component(at, "live")["job"]


def test_a_recording_can_be_cancelled_and_tried_again(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada, JobState.TRANSCRIBING)
    at = desk.page("job", ada, id=job.id)
    button(at, "Cancel").click()
    at.run()
    assert desk.look(job).state is JobState.CANCELLED
    assert "was cancelled" in words(at)
    button(at, "Try again").click()
    at.run()
    assert (desk.look(job).state, desk.look(job).attempt) == (JobState.QUEUED, 2)
    assert "Attempt 2" in words(at)


def test_a_failure_says_what_happened_and_what_to_do(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada, JobState.FAILED)
    at = desk.page("job", ada, id=job.id)
    assert "export it again with sound" in words(at)
    assert job.id in words(at)
    assert labels(at) == ["Try again", "Delete"]


def test_a_finished_recording_can_be_played_read_and_downloaded(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada, JobState.COMPLETED, name="my talk.wav")
    at = desk.page("job", ada, id=job.id)
    player = component(at, "player")
    assert player["media"] == f"/recordings/{job.id}"
    assert player["transcript"] == f"/api/v1/jobs/{job.id}/transcript"
    assert player["may_edit"]
    files = {file["format"]: file for file in component(at, "downloads")["files"]}
    assert list(files) == ["srt", "vtt", "txt", "json", "tsv", "docx", "zip", "file"]
    assert component(at, "downloads")["captions"]["max_line_width"] == 42
    assert files["srt"]["name"] == "my talk.srt"
    said = words(at)
    assert "<dd>small</dd>" in said
    assert "English (90% sure)" in said
    assert "gpu-here" in said
    assert "2.5 s, 24.0× real time" in said
    assert f"<dd>{job.media_sha256}</dd>" in said
    assert "<dt>Uploaded by</dt><dd>ada</dd>" in said
    assert "<td>0:00–1:00</td>" in said
    assert "demo" not in said


def test_it_is_said_plainly_when_the_demo_model_listened(desk: Desk) -> None:
    ada = desk.user()
    at = desk.page("job", ada, id=desk.job(ada, JobState.COMPLETED, model="demo").id)
    assert "Heard by the demo model" in words(at)


def test_doubtful_stretches_are_worth_checking(desk: Desk) -> None:
    ada = desk.user()
    found = [
        Finding(kind="repetition", start_s=3.0, end_s=9.0, detail=""),
        Finding(kind="new_kind", start_s=1.0, end_s=2.0, detail="something odd"),
    ]
    job = desk.job(ada, JobState.COMPLETED, findings=found)
    shown = component(desk.page("job", ada, id=job.id), "player")["findings"]
    assert "again and again" in shown[0]["words"]
    assert shown[1]["words"] == "Something odd."


def test_what_was_asked_for_is_told(desk: Desk) -> None:
    ada = desk.user()
    options = replace(Options(), task="translate", hotwords="Nuuk")
    job = desk.job(ada, JobState.COMPLETED, options=options)
    assert "translated into English, vocabulary: Nuuk" in words(desk.page("job", ada, id=job.id))


def test_deleting_asks_first_and_can_be_undone(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada, JobState.COMPLETED)
    at = desk.page("job", ada, id=job.id)
    assert "You can restore them for 14 days" in words(at)
    assert desk.look(job).deleted_at is None
    button(at, "Delete").click()
    at.run()
    assert desk.look(job).deleted_at
    assert "It can be restored until" in words(at)
    assert not has(at, "player")
    assert labels(at) == ["Restore"]
    button(at, "Restore").click()
    at.run()
    assert desk.look(job).deleted_at is None
    assert has(at, "player")


def test_a_reader_cannot_restore(desk: Desk) -> None:
    reader = desk.user(role=Role.READER)
    job = desk.job(reader, JobState.COMPLETED)
    desk.ledger.run(jobs.delete, job.id, actor="system:test")
    assert labels(desk.page("job", reader, id=job.id)) == []


@pytest.mark.parametrize("asked", ["", "no-such-job", "theirs"])
def test_what_is_not_ones_own_is_not_here(desk: Desk, asked: str) -> None:
    ada, bob = desk.user("ada"), desk.user("bob")
    theirs = desk.job(bob, JobState.COMPLETED)
    at = desk.page("job", ada, id=theirs.id if asked == "theirs" else asked)
    assert [one.value for one in at.title] == ["This recording is not here"]
    assert not has(at, "player")


def test_an_admin_may_look_at_anybodys(desk: Desk) -> None:
    root, ada = desk.user("root", Role.ADMIN), desk.user("ada")
    at = desk.page("job", root, id=desk.job(ada, JobState.COMPLETED).id)
    assert has(at, "player")
    assert "ada · " in words(at)


def test_a_reader_changes_nothing(desk: Desk) -> None:
    reader = desk.user(role=Role.READER)
    for state in (JobState.QUEUED, JobState.FAILED, JobState.COMPLETED):
        assert labels(desk.page("job", reader, id=desk.job(reader, state, name=state).id)) == []


def test_a_change_that_comes_too_late_is_told_in_words(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada)
    at = desk.page("job", ada, id=job.id)
    desk.ledger.run(jobs.cancel, job.id, actor="system:test")
    desk.ledger.run(jobs.purge, job.id, actor="system:test")
    button(at, "Cancel").click()
    at.run()
    assert [one.value for one in at.title] == ["This recording is not here"]
