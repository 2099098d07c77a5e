"""The list of recordings and the upload page."""

import json
from dataclasses import replace

import pytest

from dashboards.pages import bulk_actions
from dashboards.pages.recording_list import PAGE_ROWS
from dashboards.strings import recordings
from storage.accounts import preferences, profiles
from storage.accounts.preferences import Preferences
from storage.domain.errors import BadRequest, NoModel
from storage.domain.job_actions import JobAction
from storage.domain.records import CueLimits, ExportFormat, JobState, Lane, Options, Role, from_json
from storage.jobs import job_store
from storage.remote.worker_registry import SPEAKERS, ModelState
from tests.dashboards.desk import Desk, button, component, has, words


def test_an_empty_list_says_what_to_do(desk: Desk) -> None:
    at = desk.page("jobs", desk.user())
    assert "Nothing here yet" in words(at)
    button(at, "Upload a recording").click()
    at.run()
    assert has(at, "uploader")


def test_a_list_shows_own_recordings_newest_first(desk: Desk) -> None:
    ada, bob = desk.user("ada"), desk.user("bob")
    desk.job(ada, name="one.wav")
    desk.job(bob, name="other.wav")
    desk.job(ada, JobState.TRANSCRIBING, name="two.wav")
    rows = component(desk.page("jobs", ada), "job_list")["rows"]
    assert [row["name"] for row in rows] == ["two.wav", "one.wav"]
    assert rows[0]["label"] == "Transcribing 25%"
    assert rows[0]["progress"] == 0.25
    assert rows[0]["active"]


def test_a_failed_row_says_why(desk: Desk) -> None:
    ada = desk.user()
    desk.job(ada, JobState.FAILED)
    assert "has no audio track" in component(desk.page("jobs", ada), "job_list")["rows"][0]["error"]


def test_an_admin_sees_everybodys_with_their_names(desk: Desk) -> None:
    root, ada = desk.user("root", Role.ADMIN), desk.user("ada")
    desk.job(ada, JobState.COMPLETED, name="hers.wav")
    assert "Nothing here yet" in words(desk.page("jobs", root))
    rows = component(desk.page("all_jobs", root), "job_list")["rows"]
    assert (rows[0]["owner"], rows[0]["about"].split(" · ")[0]) == ("ada", "English")


@pytest.mark.parametrize(
    ("shown", "names"),
    [("going", ["b"]), ("ready", ["a"]), ("failed", ["c"]), ("cancelled", ["d"]), ("all", ["d", "c", "b", "a"])],
)
def test_the_filter_keeps_what_fits(desk: Desk, shown: str, names: list[str]) -> None:
    ada = desk.user()
    states = (JobState.COMPLETED, JobState.INGESTING, JobState.FAILED, JobState.CANCELLED)
    for name, state in zip("abcd", states, strict=True):
        desk.job(ada, state, name=name)
    at = desk.page("jobs", ada, show=shown)
    assert [row["name"] for row in component(at, "job_list")["rows"]] == names


def test_a_filter_that_nothing_fits_says_so(desk: Desk) -> None:
    ada = desk.user()
    desk.job(ada)
    at = desk.page("jobs", ada, show="ready")
    given = component(at, "job_list")
    assert given["rows"] == []
    assert "No transcript is ready yet" in given["nothing"]
    assert [one["key"] for one in given["filters"]] == ["all", "going", "ready", "deleted"]


def test_a_list_of_which_all_was_deleted_says_where_it_is(desk: Desk) -> None:
    ada = desk.user()
    desk.ledger.run(job_store.delete, desk.job(ada, JobState.COMPLETED).id, actor=ada.actor)
    assert "restored under “Deleted”" in component(desk.page("jobs", ada), "job_list")["nothing"]


def test_older_recordings_are_a_page_away(desk: Desk) -> None:
    ada = desk.user()
    made = [desk.job(ada, name=f"{number}.wav").id for number in range(PAGE_ROWS + 2)]
    first = component(desk.page("jobs", ada), "job_list")
    assert first["first"] is False
    second = component(desk.page("jobs", ada, after=first["after"]), "job_list")
    assert [row["id"] for row in first["rows"] + second["rows"]] == made[::-1]
    assert (second["first"], second["after"]) == (True, None)


def test_the_address_narrows_the_list(desk: Desk) -> None:
    ada = desk.user()
    desk.job(ada, JobState.COMPLETED, name="Årsmøde.wav", model="small")
    desk.job(ada, JobState.COMPLETED, name="other.wav", model="/srv/models/tiny/")
    desk.job(ada, JobState.FAILED, name="b.wav", tags=("board",))

    def names(**query: str) -> list[str]:
        return [row["name"] for row in component(desk.page("jobs", ada, **query), "job_list")["rows"]]

    assert names(name="ARSM") == ["Årsmøde.wav"]
    assert names(model="tiny") == ["other.wav"]
    assert names(tag="board") == ["b.wav"]
    assert names(language="en", sort="name") == ["Årsmøde.wav", "other.wav"]
    assert names(sort="oldest") == ["Årsmøde.wav", "other.wav", "b.wav"]
    assert names(**{"from": "2099-01-01"}) == []
    assert names(to="2020-01-01") == []
    assert len(names(**{"from": "rubbish", "to": "9999-12-31", "sort": "rubbish", "after": "rubbish"})) == 3
    given = component(desk.page("jobs", ada, name="nothing like it"), "job_list")
    assert "matches these filters" in given["nothing"]
    assert given["languages"] == [["en", "English"]]
    assert given["models"] == ["small", "tiny"]
    assert given["tags"] == ["board"]


def test_an_owner_in_the_address_is_for_administrators(desk: Desk) -> None:
    root, ada, bob = desk.user("root", Role.ADMIN), desk.user("ada"), desk.user("bob")
    desk.job(ada, name="hers.wav")
    desk.job(bob, name="his.wav")
    shown = component(desk.page("all_jobs", root, owner=ada.id), "job_list")
    assert [row["name"] for row in shown["rows"]] == ["hers.wav"]
    assert [name for _, name in shown["owners"]] == ["ada", "bob", "root"]
    assert [row["name"] for row in component(desk.page("jobs", bob, owner=ada.id), "job_list")["rows"]] == ["his.wav"]


def test_the_statistics_are_the_ledgers(desk: Desk) -> None:
    ada = desk.user()
    for state in (JobState.COMPLETED, JobState.COMPLETED, JobState.COMPLETED, JobState.FAILED, JobState.QUEUED):
        desk.job(ada, state)
    desk.job(desk.user("bob"), JobState.COMPLETED)
    facts = dict(component(desk.page("jobs", ada), "job_list")["facts"])
    assert facts == {
        "Recordings": "5",
        "Ready": "3",
        "In progress": "1",
        "Failed": "1",
        "This month": "5",
        "Transcribed": "3 min",
        "Success rate": "75%",
    }


def test_a_quota_is_shown_with_what_is_used_of_it(desk: Desk) -> None:
    ada = desk.user()
    desk.job(ada, JobState.COMPLETED)
    desk.ledger.run(profiles.set_quota, ada.id, hours=10, size_bytes=5_000_000, actor="system:test")
    facts = dict(component(desk.page("jobs", ada), "job_list")["facts"])
    assert facts["Hours used this month"] == "0.0 of 10"
    assert facts["Space used"] == "1.2 MB of 5.0 MB"


def test_who_waits_sees_the_place_in_line(desk: Desk) -> None:
    ada, bob = desk.user("ada"), desk.user("bob")
    desk.job(bob)
    desk.job(ada)
    desk.job(ada)
    rows = component(desk.page("jobs", ada), "job_list")["rows"]
    assert [row["left"] for row in rows] == ["2 ahead of it", "1 ahead of it"]


def test_deleted_recordings_have_a_list_of_their_own(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada, JobState.COMPLETED, name="gone.wav")
    desk.ledger.run(job_store.delete, job.id, actor="system:test")
    shown = component(desk.page("jobs", ada), "job_list")
    assert shown["rows"] == []
    shown = component(desk.page("jobs", ada, show="deleted"), "job_list")
    assert [row["name"] for row in shown["rows"]] == ["gone.wav"]
    assert shown["deleted"]


def test_it_is_said_when_no_worker_is_there(desk: Desk) -> None:
    assert "recordings wait until one starts" in words(desk.page("jobs", desk.user("ada")))
    assert "transcriber up" in words(desk.page("jobs", desk.user("root", Role.ADMIN)))


def test_it_is_said_when_no_model_could_be_had_and_what_to_do(desk: Desk) -> None:
    lacking = str(NoModel("/srv/models", "the hub did not answer"))
    desk.beat(model=ModelState(name="auto", fingerprint=None, state="failed", warning=lacking))
    said = words(desk.page("jobs", desk.user()))
    assert "There is no model on this machine" in said
    assert "transcriber models fetch base" in said


def test_it_is_said_how_far_the_model_has_come(desk: Desk) -> None:
    desk.beat(model=ModelState(name="small", fingerprint=None, state="downloading", progress=0.43))
    assert "(43%)" in words(desk.page("upload", desk.user()))


def test_names_are_shown_as_they_are(desk: Desk) -> None:
    ada = desk.user()
    job = desk.job(ada, JobState.COMPLETED, name="<b>*bold*</b> $x$ :red[no].wav")
    assert component(desk.page("jobs", ada), "job_list")["rows"][0]["name"] == job.name
    assert "&lt;b&gt;*bold*&lt;/b&gt;" in words(desk.page("job", ada, id=job.id))


def test_the_choices_go_with_the_upload(desk: Desk) -> None:
    desk.beat(model=ModelState(name="small", fingerprint="f", state="ready"))
    at = desk.page("upload", desk.user())
    at.selectbox(key="language").set_value("da")
    at.selectbox(key="model").set_value("small")
    at.selectbox(key="task").set_value("translate")
    at.multiselect(key="tags").set_value(["Board", "q3"])
    at.text_input(key="hotwords").set_value(" Nuuk, qPCR ")
    at.number_input(key="width").set_value(32)
    at.run()
    settings = component(at, "uploader")["settings"]
    options = from_json(Options, settings["options"])
    assert (options.language, options.model, options.task) == ("da", "small", "translate")
    assert (options.hotwords, options.cues.max_line_width) == ("Nuuk, qPCR", 32)
    assert (settings["lane"], settings["tags"]) == ("interactive", "board,q3")


def test_the_usual_choices_are_the_usual_options(desk: Desk) -> None:
    settings = component(desk.page("upload", desk.user()), "uploader")["settings"]
    assert from_json(Options, settings["options"]) == Options()
    assert settings["max_bytes"] == desk.holder.settings.web.max_upload_bytes
    assert json.loads(settings["options"])["model"] == "auto"


def test_an_upload_starts_from_what_its_reader_prefers(desk: Desk) -> None:
    ada = desk.user("ada")
    cues = CueLimits(max_line_width=36, max_line_count=1)
    wanted = Preferences(model="medium", language="da", formats=(ExportFormat.DOCX,), lane=Lane.BATCH, cues=cues)
    desk.ledger.run(preferences.set_, ada.id, wanted, actor="system:test")
    settings = component(desk.page("upload", ada), "uploader")["settings"]
    options = from_json(Options, settings["options"])
    assert (options.model, options.language, options.formats) == ("medium", "da", (ExportFormat.DOCX,))
    assert (options.cues, settings["lane"]) == (cues, "batch")


def test_sound_and_words_can_be_chosen_for_a_batch(desk: Desk) -> None:
    at = desk.page("upload", desk.user())
    assert "speakers" not in [one.key for one in at.selectbox]  # no worker can tell them apart
    at.selectbox(key="channels").set_value("split")
    at.number_input(key="track").set_value(2)
    at.checkbox(key="language-per-span").check()
    at.text_area(key="prompt").set_value(" A board meeting. ")
    at.run()
    options = from_json(Options, component(at, "uploader")["settings"]["options"])
    assert (options.channels, options.audio_track, options.language_per_span) == ("split", 1, True)
    assert (options.prompt, options.diarize) == ("A board meeting.", False)


def test_speakers_are_offered_where_a_worker_tells_them_apart(desk: Desk) -> None:
    desk.beat()
    beat = desk.holder.workers.alive()[0]
    desk.holder.workers.beat(replace(beat, versions={SPEAKERS: "1"}))
    at = desk.page("upload", desk.user())
    at.selectbox(key="speakers").set_value("3")
    at.run()
    options = from_json(Options, component(at, "uploader")["settings"]["options"])
    assert (options.diarize, options.speakers) == (True, 3)


def test_a_model_that_cannot_translate_is_said_beforehand(desk: Desk) -> None:
    desk.beat(model=ModelState(name="turbo", fingerprint="f", state="ready"))
    at = desk.page("upload", desk.user())
    assert not [one for one in at.warning if "cannot translate" in one.value]
    at.selectbox(key="task").set_value("translate")
    at.run()
    assert [one for one in at.warning if "cannot translate" in one.value]


def test_quotas_are_shown(desk: Desk) -> None:
    ada = desk.user("ada")
    desk.ledger.run(profiles.set_quota, ada.id, hours=5, size_bytes=3_000_000, actor="system:test")
    desk.job(ada, JobState.COMPLETED)
    shown = component(desk.page("upload", ada), "uploader")
    assert shown["settings"]["free_bytes"] == 3_000_000 - 1_234_567
    assert "1.8 MB of space are free" in shown["text"]["limit"]
    assert "You have used 0.0 of your 5 hours this month" in shown["text"]["limit"]


def test_uploads_show_how_their_jobs_are_doing(desk: Desk) -> None:
    ada, bob = desk.user("ada"), desk.user("bob")
    hers, his = desk.job(ada, JobState.TRANSCRIBING), desk.job(bob)
    at = desk.page("upload", ada)
    at.session_state["sent_jobs"] = [hers.id, his.id, "no-such-job"]
    at.run()
    shown = component(at, "uploader")["jobs"]
    assert list(shown) == [hers.id]
    assert shown[hers.id]["label"] == "Transcribing 25%"


def test_an_act_that_changed_nothing_says_why_alone() -> None:
    refusal = BadRequest("tags", "a tag has 1 to {max_tag_chars} characters", {"max_tag_chars": 40})
    refused = recordings.done(JobAction.TAG, 0, [bulk_actions.reason(refusal)])
    assert refused == "Nothing was changed: a tag has 1 to 40 characters."
    assert recordings.done(JobAction.TAG, 2, ["it is deleted"]).startswith("2 recordings were tagged; 1 could not be")
