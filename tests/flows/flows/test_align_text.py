"""`align-text` with a real engine: result on storage, reports, refusals, requests to stop."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flows.flows.align_text import TextAlignmentRun
from flows.runs.engine_pool import EnginePool
from flows.runs.process_state import CancelFlag, Resident
from flows.runs.run_outcomes import Stopped
from storage.domain import names
from storage.domain.errors import TextDoesNotMatch
from storage.domain.records import AlignedText, AlignmentState, Options, Transcript, from_json, to_json
from storage.files.file_store import Files
from tasks.asr.engine import Engine
from tasks.audio.ingest import file_sha256
from tasks.pipeline import transcribe_file
from tests.conftest import JFK

SENT, MADE = names.corrected_text_name("job1", "a1"), names.aligned_text_name("job1", "a1")


class Told:
    """The web process's side of the reports."""

    def __init__(self, answer: AlignmentState = AlignmentState.RUNNING) -> None:
        self.states: list[AlignmentState] = []
        self.answer = answer

    def send(self, state: AlignmentState, **_: Any) -> Any:
        self.states.append(state)
        return SimpleNamespace(state=self.answer)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(str(tmp_path / "store"))


@pytest.fixture
def here(files: Files, base_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resident:
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path / "data"))
    resident = Resident(name="gpu-test")
    engines = EnginePool(
        resident.settings,
        device="cpu",
        engine_on=lambda *_: base_engine,
        find=lambda *_, **__: base_engine.resolved,
    )
    resident.__dict__.update(files=files, engines=engines)
    return resident


@pytest.fixture
def heard(files: Files, base_engine: Engine) -> Transcript:
    sha256 = file_sha256(JFK)
    files.put(names.media_name(sha256), JFK, move=False)
    found = transcribe_file(JFK, engine=base_engine, files=files, options=Options(language="en"), job_id="job1")
    files.write(names.transcript_name("job1"), to_json(found))
    return found


def run(here: Resident, text: str, told: Told) -> None:
    here.files.write(SENT, text.encode())
    work = TextAlignmentRun(here, CancelFlag(), cast(Any, told), deaths=0)
    work.run(names.transcript_name("job1"), SENT, MADE)


def test_words_that_were_put_in_get_their_times_from_the_sound(here: Resident, heard: Transcript) -> None:
    right = {word.text.strip(): word.start_s for one in heard.segments for word in one.words}
    wrong = heard.segments[0]
    words = tuple(word for word in wrong.words if word.text.strip() not in {"fellow", "Americans,"})
    spoiled = Transcript(**{
        **{name: getattr(heard, name) for name in heard.__slots__},
        "segments": (
            type(wrong)(start_s=wrong.start_s, end_s=wrong.end_s, text="".join(w.text for w in words), words=words),
            *heard.segments[1:],
        ),
    })  # fmt: skip
    here.files.write(names.transcript_name("job1"), to_json(spoiled))
    told = Told()
    run(here, heard.text, told)
    made = from_json(AlignedText, here.files.read(MADE))
    found = {word.text.strip(): word.start_s for one in made.segments for word in one.words}
    assert found.keys() == right.keys()
    assert all(abs(found[word] - right[word]) < 0.15 for word in ("fellow", "Americans,"))
    assert all(found[word] == right[word] for word in ("And", "my", "country"))
    assert made.timed == 2
    assert told.states[-1] is AlignmentState.DONE


def test_a_text_about_something_else_leaves_nothing(here: Resident, heard: Transcript) -> None:
    assert heard.text
    with pytest.raises(TextDoesNotMatch):
        run(here, "We the people of the United States, in order to form a more perfect union", Told())
    assert not here.files.exists(MADE)


def test_it_stops_when_its_run_is_cancelled(here: Resident, heard: Transcript) -> None:
    here.files.write(SENT, heard.text.replace("fellow", "follow").encode())
    flag = CancelFlag()
    flag.raise_()
    with pytest.raises(Stopped):
        TextAlignmentRun(here, flag, cast(Any, Told()), deaths=0).run(names.transcript_name("job1"), SENT, MADE)
    assert not here.files.exists(MADE)
