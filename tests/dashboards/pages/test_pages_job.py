"""The page of one recording, in every state."""

from dataclasses import replace

import pytest
from duckdb import DuckDBPyConnection

from dashboards.runtime import notify
from dashboards.runtime.eta import Paces
from dashboards.services import accept_recording
from storage.domain import names
from storage.domain.errors import NotAllowed
from storage.domain.interruptions import RunEnded
from storage.domain.job_messages import encode
from storage.domain.records import NOT_TIMED, Finding, Job, JobState, Options, Role, Span, Stretch
from storage.domain.transcript_notes import TrackChosen
from storage.jobs import job_rows, job_store, listing, progress
from storage.jobs.listing import JobFilter
from tests.dashboards.desk import Desk, button, component, has, labels, words
from tests.factories import WORKER


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (JobState.QUEUED, "Waiting in the queue"),
        (JobState.INGESTING, "detecting speech"),
        (JobState.TRANSCRIBING, "Transcribed 0:10 of 0:40 of speech"),
        (JobState.EXPORTING, "Transcription is done"),
    ],
)
def test_an_unfinished_recording_says_how_far_it_is(desk: Desk, state: JobState, said: str) -> None:
    ada = desk.user()
    at = desk.page("job", ada, id=desk.job(ada, state).id)
    assert said in at.get("progress")[0].proto.text
    ahead = ["To the front"] if state is JobState.QUEUED else []
    assert labels(at) == ["Rename", "Save", "Pause", *ahead, "Cancel"]
    assert component(at, "live")["job"]


def test_its_owner_renames_a_recording(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada, JobState.COMPLETED)
    at = desk.page("job", ada, id=job.id)
    at.text_input[0].set_value("Board meeting")
    button(at, "Rename").click()
    at.run()
    assert desk.look(job).name == "Board meeting.wav"
    assert "Board meeting.wav" in words(at)
    assert at.text_input[0].value == "Board meeting"


def test_its_owner_changes_a_recordings_tags(desk: Desk) -> None:
    ada = desk.user()
    desk.job(ada, name="b.wav", tags=("minutes",))
    job = desk.job(ada, JobState.COMPLETED, tags=("board",))
    at = desk.page("job", ada, id=job.id)
    assert at.multiselect[0].options == ["board", "minutes"]
    at.multiselect[0].set_value(["minutes", " New TAG "])
    button(at, "Save").click()
    at.run()
    assert desk.look(job).tags == ("minutes", "new tag")
    assert "new tag" in words(at)


def test_time_left_is_told_from_the_attempts_own_start_as_in_the_list(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada, JobState.TRANSCRIBING)  # a quarter is heard
    desk.ledger.run(job_store.requeue, job.id, actor="system:test", reason=RunEnded(state="crashed"))
    desk.ledger.run(begin_a_day_ago, job.id)
    again = desk.ledger.run(start_again, job.id)
    now_s = 1000.0
    desk.holder.paces = Paces(clock=lambda: now_s)
    notify.describe(again)
    assert "left" not in desk.page("job", ada, id=job.id).get("progress")[0].proto.text
    now_s += 10
    notify.describe(desk.ledger.run(hear, job.id, 20.0))
    assert "about 20 s left" in desk.page("job", ada, id=job.id).get("progress")[0].proto.text
    (row,) = component(desk.page("jobs", ada), "job_list")["rows"]
    assert row["left"] == "20 s left"


def begin_a_day_ago(con: DuckDBPyConnection, job_id: str) -> None:
    con.execute("UPDATE jobs SET started_at = started_at - INTERVAL 1 DAY WHERE id = $id", {"id": job_id})


def start_again(con: DuckDBPyConnection, job_id: str) -> Job:
    with job_rows.changing(con, job_store.get(con, job_id), actor=WORKER) as change:
        progress.started(change, flow_run_id="run-2")
    return hear(con, job_id, 0.0)


def hear(con: DuckDBPyConnection, job_id: str, done_s: float) -> Job:
    job = job_store.get(con, job_id)
    span = Span(
        index=0, start_s=0.0, end_s=60.0, samples_sha256=job.media_sha256, speech=(Stretch(start_s=0.0, end_s=40.0),)
    )
    with job_rows.changing(con, job, actor=WORKER) as change:
        progress.cut(change, spans=[span], read_s=60.0, duration_s=60.0)
        progress.advanced(change, index=0, done_s=done_s)
    return change.job


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
    assert "export it again with audio" in words(at)
    assert job.id in words(at)
    assert labels(at) == ["Rename", "Save", "Try again", "Delete"]


def test_a_finished_recording_can_be_played_read_and_downloaded(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada, JobState.COMPLETED, name="my talk.wav")
    at = desk.page("job", ada, id=job.id)
    player = component(at, "player")
    assert player["media"]["source"] == f"/recordings/{job.id}"
    assert player["transcript"] == f"/api/v1/jobs/{job.id}/transcript"
    assert player["may_edit"]
    files = {file["format"]: file for file in component(at, "downloads")["files"]}
    assert list(files) == ["srt", "vtt", "txt", "json", "tsv", "docx", "ass", "ttml", "sbv", "zip", "file"]
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


def test_doubtful_stretches_are_worth_checking(desk: Desk) -> None:
    ada = desk.user()
    found = [
        Finding(kind="repetition", start_s=3.0, end_s=9.0, detail=""),
        Finding(kind="new_kind", start_s=1.0, end_s=2.0, detail="something odd"),
    ]
    job = desk.job(ada, JobState.COMPLETED, findings=found)
    shown = component(desk.page("job", ada, id=job.id), "player")["findings"]
    assert "Repeated words" in shown[0]["words"]
    assert shown[1]["words"] == "Something odd."


def test_a_text_without_times_shows_none_and_offers_no_subtitles(desk: Desk) -> None:
    ada = desk.user()
    untimed = Finding(kind=NOT_TIMED, start_s=0.0, end_s=60.0, detail="")
    at = desk.page("job", ada, id=desk.job(ada, JobState.COMPLETED, findings=[untimed]).id)
    player = component(at, "player")
    assert (player["timed"], "cues" in player["sheets"]) == (False, False)
    assert [one["format"] for one in component(at, "downloads")["files"]] == ["txt", "json", "docx", "zip", "file"]
    assert "The times of these words were not measured" in at.info[0].value


def test_requested_options_are_shown(desk: Desk) -> None:
    ada = desk.user()
    options = replace(Options(), task="translate", hotwords="Nuuk")
    job = desk.job(ada, JobState.COMPLETED, options=options)
    assert "translated into English, vocabulary: Nuuk" in words(desk.page("job", ada, id=job.id))


def test_its_owner_has_another_audio_track_transcribed(desk: Desk) -> None:
    ada = desk.user()
    chosen = encode(TrackChosen(track=1, of=3, silent=(0,), about="deu", about_all=("", "deu", "eng, Floor")))
    job = desk.job(ada, JobState.COMPLETED, given_up=(chosen,), tags=("board",), metadata={"case": "7"})
    desk.holder.files.write(names.media_name(job.media_sha256), b"sound")
    at = desk.page("job", ada, id=job.id)
    track = at.selectbox(key="track")
    assert track.options == ["audio track 1", "audio track 3: eng, Floor"]
    track.set_value(2)
    button(at, "Transcribe this track").click()
    at.run()
    with desk.ledger.read() as con:
        (other,) = [one for one in listing.page(con, JobFilter(owner_id=ada.id)).jobs if one.id != job.id]
    assert (other.state, other.options.audio_track, other.media_sha256) == (JobState.QUEUED, 2, job.media_sha256)
    assert (other.name, other.tags, other.metadata) == (job.name, job.tags, {"case": "7"})


def test_somebody_elses_tracks_are_not_offered(desk: Desk) -> None:
    root, ada = desk.user("root", Role.ADMIN), desk.user("ada")
    job = desk.job(ada, JobState.COMPLETED, given_up=(encode(TrackChosen(track=1, of=2)),))
    assert "Transcribe this track" not in labels(desk.page("job", root, id=job.id))
    with pytest.raises(NotAllowed):
        accept_recording.transcribe_track(root, job.id, 0)


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
    desk.ledger.run(job_store.delete, job.id, actor="system:test")
    assert labels(desk.page("job", reader, id=job.id)) == []


@pytest.mark.parametrize("asked", ["", "no-such-job", "theirs"])
def test_what_is_not_ones_own_is_not_here(desk: Desk, asked: str) -> None:
    ada, bob = desk.user("ada"), desk.user("bob")
    theirs = desk.job(bob, JobState.COMPLETED)
    at = desk.page("job", ada, id=theirs.id if asked == "theirs" else asked)
    assert [one.value for one in at.title] == ["Recording not found"]
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


def test_a_change_that_comes_too_late_is_explained(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada)
    at = desk.page("job", ada, id=job.id)
    desk.ledger.run(job_store.cancel, job.id, actor="system:test")
    desk.ledger.run(job_store.purge, job.id, actor="system:test")
    button(at, "Cancel").click()
    at.run()
    assert [one.value for one in at.title] == ["Recording not found"]
