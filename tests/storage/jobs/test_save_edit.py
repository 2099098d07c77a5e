"""Saving edits: versions on storage and in the ledger, conflicts, restoring."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from storage.domain import names
from storage.domain.errors import BadRequest, JobMoved, NotFound, StorageFull, TranscriptMoved
from storage.domain.records import Job, PinnedCue, Transcript, Word, from_json
from storage.files.file_store import Files
from storage.jobs import job_store, save_edit
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.maintenance.rebuild import rebuild
from storage.transcripts import transcript_store, versions
from storage.transcripts.edits import Draft, Piece, changes

ACTOR = "user:ann"


@pytest.fixture
def job(make_job: Any, run_of: Any) -> Job:
    done: Job = run_of(make_job()).whole_way()
    return done


@pytest.fixture
def edit(ledger: Ledger, files: Files, job: Job) -> Callable[..., Any]:
    def do(*segments: int | Piece, base: int = 1, note: str = "") -> Any:
        return save_edit.edit(ledger, files, job.id, Draft(base=base, segments=segments, note=note), actor=ACTOR)

    return do


def now(ledger: Ledger, job: Job) -> Transcript:
    with ledger.read() as con:
        found = transcript_store.get(con, job.id)
    assert found
    return found


def test_an_edit_is_a_new_version_and_the_old_one_stays(
    ledger: Ledger, files: Files, job: Job, edit: Callable[..., Any], transcript_of: Any
) -> None:
    version = edit(Piece(start_s=1, end_s=2.5, text="Grüße, Anne", speaker="B", origin=(0,)), 1, note="a name")
    assert (version.number, version.stored_as, version.changed) == (2, f"transcripts/{job.id[-2:]}/{job.id}.v2.json", 1)
    after = now(ledger, job)
    assert [segment.text for segment in after.segments] == [" Grüße, Anne", " Ende."]
    assert after.segments[0].speaker == "B"
    assert after.segments[0].words[0] == transcript_of(job).segments[0].words[0]
    assert from_json(Transcript, files.read(version.stored_as)) == after
    assert from_json(Transcript, files.read(names.transcript_name(job.id))) == transcript_of(job)
    with ledger.read() as con:
        assert [(one.number, one.made_by) for one in versions.list_of(con, job.id)] == [(2, ACTOR), (1, "engine")]
        row = audit.page(con, subject=job.id)[0]
        assert (row.action, row.actor, row.detail["to"], row.detail["note"]) == ("transcript.edit", ACTOR, 2, "a name")
        assert job_store.exports_of(con, job.id) == {}
        assert job_store.get(con, job.id).version > job.version


def test_an_edit_that_changes_nothing_makes_no_version(edit: Callable[..., Any]) -> None:
    assert edit(0, 1).number == 1


def test_an_edit_of_an_old_version_is_refused_and_writes_nothing(
    ledger: Ledger, files: Files, job: Job, edit: Callable[..., Any]
) -> None:
    edit(0)
    with pytest.raises(TranscriptMoved, match="version 2") as refused:
        edit(1)
    assert refused.value.status == 409
    assert len(now(ledger, job).segments) == 1
    assert not files.exists(names.version_name(job.id, 3))


def test_of_two_simultaneous_edits_one_is_saved_and_one_refused(
    ledger: Ledger, job: Job, edit: Callable[..., Any]
) -> None:
    told: list[str] = []

    def save(place: int) -> None:
        try:
            told.append(f"saved {edit(place).number}")
        except TranscriptMoved:
            told.append("moved")

    threads = [threading.Thread(target=save, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["moved", "saved 2"]
    assert len(now(ledger, job).segments) == 1


def test_an_earlier_version_can_be_restored(ledger: Ledger, files: Files, job: Job, edit: Callable[..., Any]) -> None:
    edit(1)
    back = save_edit.restore(ledger, files, job.id, 1, base=2, actor=ACTOR)
    assert (back.number, back.note) == (3, "Version 1 restored")
    assert len(now(ledger, job).segments) == 2
    assert now(ledger, job).version == 3
    with pytest.raises(TranscriptMoved):
        save_edit.restore(ledger, files, job.id, 2, base=2, actor=ACTOR)
    with pytest.raises(NotFound):
        save_edit.restore(ledger, files, job.id, 9, base=3, actor=ACTOR)


def test_a_split_gives_each_half_its_own_words(ledger: Ledger, job: Job, edit: Callable[..., Any]) -> None:
    edit(
        Piece(start_s=1, end_s=1.5, text="Grüße,", origin=(0,)),
        Piece(start_s=1.5, end_s=2.5, text='"Anna" 😀', origin=(0,)),
        1,
    )
    first, second, _ = now(ledger, job).segments
    assert [(word.text, word.start_s, word.end_s) for word in first.words] == [(" Grüße,", 1, 1.5)]
    assert (second.words[0].start_s, second.words[-1].end_s) == (1.5, 2.5)


def test_a_merge_keeps_the_words_of_both(ledger: Ledger, job: Job, edit: Callable[..., Any]) -> None:
    edit(Piece(start_s=1, end_s=4, text='Grüße, "Anna" 😀 Ende.', origin=(0, 1)))
    (one,) = now(ledger, job).segments
    assert one.words[0].probability == 0.123456789
    assert one.words[-1].end_s <= 4


def test_times_can_be_nudged(ledger: Ledger, job: Job, edit: Callable[..., Any]) -> None:
    edit(Piece(start_s=0.8, end_s=2.2, text='Grüße, "Anna" 😀', speaker="A", origin=(0,)), 1)
    segment = now(ledger, job).segments[0]
    assert (segment.start_s, segment.words[0].start_s, segment.words[-1].end_s) == (0.8, 0.8, 2.2)


def test_words_set_by_hand_are_taken_if_they_spell_the_text(ledger: Ledger, job: Job, edit: Callable[..., Any]) -> None:
    words = (Word(start_s=3.1, end_s=3.6, text=" Ende.", probability=1.0),)
    edit(0, Piece(start_s=3, end_s=4, text="Ende.", origin=(1,), words=words))
    assert now(ledger, job).segments[1].words == words
    with pytest.raises(BadRequest, match="do not spell"):
        edit(0, Piece(start_s=3, end_s=4, text="Anfang.", origin=(1,), words=words), base=2)


@pytest.mark.parametrize(
    ("segments", "why"),
    [
        ((7,), "no segment 7"),
        ((1, 0), "in order of time"),
        ((Piece(start_s=5, end_s=4, text="x"),), "not before the start"),
        ((Piece(start_s=float("nan"), end_s=4, text="x"),), "seconds"),
        ((Piece(start_s=1, end_s=99, text="x"),), "after the recording"),
        ((Piece(start_s=1, end_s=2, text="x", origin=(9,)),), "no such segments"),
        ((Piece(start_s=1, end_s=2, text="x" * 30_000),), "characters"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused(edit: Callable[..., Any], segments: Any, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        edit(*segments)


def test_only_what_is_finished_and_there_can_be_edited(
    ledger: Ledger, files: Files, make_job: Any, job: Job, edit: Callable[..., Any]
) -> None:
    with pytest.raises(JobMoved, match="queued"):
        save_edit.edit(ledger, files, make_job().id, Draft(base=1, segments=()), actor=ACTOR)
    ledger.run(job_store.delete, job.id, actor=ACTOR)
    with pytest.raises(JobMoved, match="deleted"):
        edit(0)


def test_a_full_disk_leaves_the_version_before(
    ledger: Ledger, files: Files, job: Job, edit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(name: str, data: bytes) -> None:
        raise StorageFull(name, "no space left")

    with monkeypatch.context() as patch:
        patch.setattr(files, "create", full)
        with pytest.raises(StorageFull):
            edit(0)
    assert now(ledger, job).version == 1
    assert edit(0).number == 2


def test_differences_between_versions_have_a_place(
    ledger: Ledger, files: Files, job: Job, edit: Callable[..., Any]
) -> None:
    edit(0, Piece(start_s=3, end_s=4, text="Schluss.", speaker="B", origin=(1,)))
    with ledger.read() as con:
        first, second = (versions.read(files, versions.one_of(con, job.id, number)) for number in (1, 2))
    (change,) = changes(first, second)
    assert (change.start_s, change.end_s, change.before, change.after) == (3, 4, ("Ende.",), ("B: Schluss.",))


def test_a_rebuild_brings_back_the_current_version_and_those_before(
    files: Files, job: Job, edit: Callable[..., Any], lost: Callable[[], Ledger]
) -> None:
    edit(0, Piece(start_s=3, end_s=4, text="Schluss.", origin=(1,)), note="better")
    with lost() as new:
        rebuild(new, files)
        assert now(new, job).segments[1].text == " Schluss."
        with new.read() as con:
            rows = [(one.number, one.note) for one in versions.list_of(con, job.id)]
            assert job_store.exports_of(con, job.id) == {}
        assert rows == [(2, "better"), (1, "")]
        assert save_edit.restore(new, files, job.id, 1, base=2, actor=ACTOR).number == 3


def test_an_edit_that_the_description_does_not_know_of_yet_comes_back_too(
    files: Files, job: Job, edit: Callable[..., Any], lost: Callable[[], Ledger]
) -> None:
    before = files.read(names.job_manifest_name(job.id))
    edit(1)
    new = lost()
    files.write(names.job_manifest_name(job.id), before)
    with new:
        rebuild(new, files)
        assert len(now(new, job).segments) == 1
        with new.read() as con:
            assert versions.current(con, job.id).number == 2


def test_purging_takes_every_version_with_it(ledger: Ledger, files: Files, job: Job, edit: Callable[..., Any]) -> None:
    edit(0)
    files.write(names.version_name(job.id, 3), b"{}")  # an edit that was cut off before its commit
    for name in ledger.run(job_store.purge, job.id, actor=ACTOR):
        files.delete(name)
    assert list(files.list("transcripts")) == []


def test_pinned_cues_are_saved_with_a_version_kept_by_edits_and_restored(
    ledger: Ledger, files: Files, job: Job, edit: Callable[..., Any]
) -> None:
    pin = PinnedCue(start_s=1.1, end_s=2.4, from_s=1, until_s=1.5, speaker="A")
    draft = Draft(base=1, segments=(0, 1), cues=(pin,))
    version = save_edit.edit(ledger, files, job.id, draft, actor=ACTOR)
    assert (version.number, version.changed) == (2, 1)
    after = now(ledger, job)
    assert after.pinned_cues == (pin,)
    assert [(one.before, one.after) for one in changes(after, after)] == []
    edit(Piece(start_s=1, end_s=2.5, text="Grüße, Anne", speaker="B", origin=(0,)), 1, base=2)
    assert [one.speaker for one in now(ledger, job).pinned_cues] == ["B"]
    same = save_edit.edit(ledger, files, job.id, Draft(base=3, segments=(0, 1)), actor=ACTOR)
    assert same.number == 3
    save_edit.edit(ledger, files, job.id, Draft(base=3, segments=(0, 1), cues=()), actor=ACTOR)
    (change,) = changes(versions_of(ledger, files, job, 3), now(ledger, job))
    assert (change.before, change.after) == (("[1.100 – 2.400]",), ())
    save_edit.restore(ledger, files, job.id, 2, base=4, actor=ACTOR)
    assert now(ledger, job).pinned_cues == (pin,)
    with pytest.raises(BadRequest, match="cues"):
        save_edit.edit(ledger, files, job.id, Draft(base=5, segments=(0, 1), cues=(pin, pin)), actor=ACTOR)


def versions_of(ledger: Ledger, files: Files, job: Job, number: int) -> Transcript:
    with ledger.read() as con:
        return versions.read(files, versions.one_of(con, job.id, number))
