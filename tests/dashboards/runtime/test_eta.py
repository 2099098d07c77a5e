"""The estimated remaining time of a job."""

from dataclasses import replace

from dashboards.presenters import job_row
from dashboards.runtime.eta import Paces
from storage.domain.records import JobState
from tests.dashboards.desk import Desk


def test_time_left_is_estimated_from_measured_speed(desk: Desk) -> None:
    job = desk.job(desk.user(), JobState.TRANSCRIBING)  # 40 s of speech, 10 of them heard
    paces = Paces()
    paces.note(job, now=100.0)
    assert paces.left_s(job, now=100.0) is None
    further = replace(job, done_s=20.0)
    paces.note(further, now=110.0)
    assert paces.left_s(further, now=110.0) == 20.0
    assert paces.left_s(further, now=115.0) == 15.0
    assert paces.left_s(further, now=999.0) is None  # it gives way, or stands: nobody knows for how long


def test_another_attempt_is_measured_anew(desk: Desk) -> None:
    job = desk.job(desk.user(), JobState.TRANSCRIBING)
    paces = Paces()
    paces.note(job, now=0.0)
    paces.note(replace(job, done_s=20.0), now=10.0)
    again = replace(job, attempt=2, done_s=20.0)
    paces.note(again, now=20.0)
    assert paces.left_s(again, now=20.0) is None


def test_the_pace_is_that_of_the_last_minutes(desk: Desk) -> None:
    job = replace(desk.job(desk.user(), JobState.TRANSCRIBING), speech_s=10_000.0, done_s=0.0)
    paces = Paces()
    for second in range(0, 201, 10):
        paces.note(replace(job, done_s=float(second)), now=float(second))
    for second in range(210, 501, 10):
        job = replace(job, done_s=200.0 + 10 * (second - 200))
        paces.note(job, now=float(second))
    left = paces.left_s(job, now=500.0)
    assert left is not None
    assert abs(left - (10_000 - job.done_s) / 10) < 1


def test_what_is_over_is_forgotten(desk: Desk) -> None:
    job = desk.job(desk.user(), JobState.TRANSCRIBING)
    paces = Paces()
    paces.note(job, now=0.0)
    paces.note(replace(job, done_s=20.0), now=10.0)
    paces.note(replace(job, state=JobState.COMPLETED), now=11.0)
    assert paces.left_s(job, now=11.0) is None


def test_while_the_rest_is_read_its_speech_counts_as_if_it_had_been_found(desk: Desk) -> None:
    whole = desk.job(desk.user(), JobState.TRANSCRIBING)  # 40 s of speech in 60 s
    job = replace(whole, speech_s=20.0, read_s=30.0, done_s=0.0)  # of the first half alone
    paces = Paces()
    paces.note(job, now=0.0)
    job = replace(job, done_s=10.0)
    paces.note(job, now=10.0)
    assert paces.left_s(job, now=10.0) == 30.0
    assert job_row.label(job) == "Transcribing 25%"
    assert paces.left_s(replace(job, speech_s=40.0, read_s=None), now=10.0) == 30.0


def test_nothing_is_guessed_where_the_length_is_not_known(desk: Desk) -> None:
    job = replace(desk.job(desk.user(), JobState.TRANSCRIBING), duration_s=None, read_s=30.0, done_s=0.0)
    paces = Paces()
    paces.note(job, now=0.0)
    paces.note(replace(job, done_s=10.0), now=10.0)
    assert paces.left_s(job, now=10.0) is None
    assert job_row.label(job) == "Transcribing"
