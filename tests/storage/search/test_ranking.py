"""Search results in order, and the moments that they show."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.accounts import users
from storage.domain.clock import new_id
from storage.domain.errors import LedgerClosed, NotReady
from storage.domain.records import Job, JobState, Role, Segment, Transcript, User
from storage.jobs import job_store
from storage.ledger.database import Ledger
from storage.search import documents
from storage.search.folding import phrase
from storage.search.ranking import Hits, find
from storage.search.search_file import SearchFile
from storage.search.search_index import SearchIndex
from storage.search.search_query import parse
from storage.search.snippets import marks, moments
from storage.transcripts import transcript_store
from tests.factories import accept, transcript_of
from tests.storage.conftest import MakeJob

Said = str | tuple[str, str]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SearchIndex]:
    made = SearchIndex(tmp_path / "search.sqlite3")
    yield made
    made.close()


class Room:
    """A ledger with transcripts in it, and an index of them."""

    def __init__(
        self, ledger: Ledger, index: SearchIndex, make_job: MakeJob, base: Callable[[Job], Transcript]
    ) -> None:
        self.ledger, self.index, self.make_job, self.base = ledger, index, make_job, base
        self.names: dict[str, str] = {}

    def hears(self, name: str, *said: Said, owner: User | None = None, language: str = "en") -> Job:
        """Make a job whose transcript says this, a segment each; a pair names the speaker first."""
        job = self.make_job(owner, content=name, name=f"{name}.wav")
        self.says(job, said, language=language)
        self.names[job.id] = name
        return job

    def says(
        self, job: Job, said: Sequence[str | tuple[str | None, str]], *, stored_as: str = "t.json", language: str = "en"
    ) -> None:
        parts = [(None, one) if isinstance(one, str) else one for one in said]
        segments = tuple(
            Segment(start_s=5.0 * place, end_s=5.0 * place + 4, text=text, speaker=speaker)
            for place, (speaker, text) in enumerate(parts)
        )
        transcript = replace(self.base(job), segments=segments, language=language)
        self.ledger.run(transcript_store.keep, job.id, transcript, stored_as=stored_as)

    def hits(self, query: str, owner: User | None = None, **more: Any) -> Hits:
        self.index.sync(self.ledger)
        with self.index.read() as con:
            return find(con, parse(query, UTC), owner_id=owner.id if owner else None, **more)

    def found(self, query: str, owner: User | None = None) -> list[str]:
        return [self.names[job_id] for job_id in self.hits(query, owner).job_ids]


@pytest.fixture
def room(ledger: Ledger, index: SearchIndex, make_job: MakeJob) -> Room:
    return Room(ledger, index, make_job, transcript_of)


@pytest.fixture
def talks(room: Room) -> Room:
    return with_talks(room)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory, empty_ledger: Path) -> Iterator[Room]:
    """The same talks, for all tests that only search: each would make them again."""
    folder = tmp_path_factory.mktemp("asked")
    shutil.copyfile(empty_ledger, folder / "ledger.duckdb")
    made = SearchIndex(folder / "search.sqlite3")
    with Ledger.open(folder / "ledger.duckdb") as ledger:
        ann = ledger.run(users.restore, user_id=new_id(), name="Ann", role=Role.MEMBER, actor="system:test")

        def make_job(owner: User | None = None, **more: Any) -> Job:
            return accept(ledger, owner or ann, **more)

        yield with_talks(Room(ledger, made, make_job, transcript_of))
    made.close()


def with_talks(room: Room) -> Room:
    room.hears("budget", ("Anna", " We talk about the budget."), ("Bob", " No invoices, please."))
    room.hears("summer", ("Bob", " The summer party needs a budget."), ("Anna", " And next steps."))
    room.hears("cafe", " Im Café Ångström, naïve Grüße.", " COVID-19 steps next.", language="de")
    room.hears("tokyo", "今日は東京に行きます。", "天気がいいですね。", language="ja")
    return room


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("budget", {"budget", "summer"}),
        ("BUDGET party", {"summer"}),
        ("budget -party", {"budget"}),
        ("party OR invoices", {"budget", "summer"}),
        ("(party OR invoices) -anna", {"budget", "summer"}),
        ("invo*", {"budget"}),
        ('"next steps"', {"summer"}),
        ("next steps", {"summer", "cafe"}),
        ('-"next steps" steps', {"cafe"}),
        ('"the budget no"', set()),
        ("cafe angstrom NAIVE grüsse", {"cafe"}),
        ("covid-19", {"cafe"}),
        ("speaker:anna budget", {"budget"}),
        ("speaker:bob budget", {"summer"}),
        ("speaker:ann steps", {"summer"}),
        ("speaker:carl budget", set()),
        ("language:de", {"cafe"}),
        ("-language:en", {"cafe", "tokyo"}),
        ("after:2020 before:2099-01-01 steps", {"summer", "cafe"}),
        ("after:2099", set()),
        ("name:summ", {"summer"}),
        ("summer.wav", {"summer"}),
        ("東京", {"tokyo"}),
        ("東", {"tokyo"}),
        ("京に行", {"tokyo"}),
        ('"東京 に"', set()),
        ('"ます 天気"', {"tokyo"}),
        ("東行", set()),
        ("天気 東京", {"tokyo"}),
        ("i*", {"cafe", "budget"}),
        ("NOT budget", {"cafe", "tokyo"}),
        ("zebra", set()),
        ("…", {"budget", "summer", "cafe", "tokyo"}),
    ],
)
def test_it_finds_what_is_meant(asked: Room, query: str, names: set[str]) -> None:
    assert set(asked.found(query)) == names


@pytest.mark.parametrize(
    "query",
    ["don't", "DON’T", "don*", "อากาศ", "อ", "ดี*", '"นี้อากาศ"', "lodz", "L\u0301o\u0301dz\u0301", "strasse", "d*"],
)
def test_spelling_makes_no_difference(room: Room, query: str) -> None:
    room.hears("other", "東京 and nothing else")
    room.hears("bangkok", "วันนี้อากาศดี", "They don't go to Łódź, nor to the Straße.", language="th")
    assert room.found(query) == ["bangkok"]


@pytest.mark.parametrize(
    ("said", "another"),
    [("दिन", "दान"), ("দিন", "দান"), ("மீன்", "மான்"), ("กิน", "กัน"), ("かぎ", "かき"), ("မာ", "မိ"), ("လု့", "လူ")],
)
def test_marks_that_make_another_word_are_not_accents(room: Room, said: str, another: str) -> None:
    """Such as a day and a gift in Hindi, a fish and a deer in Tamil, a key and an oyster in Japanese."""
    room.hears("said", f"{said} {said}")
    room.hears("another", another)
    assert (room.found(said), room.found(another)) == (["said"], ["another"])


@pytest.mark.parametrize(
    ("text", "asked"),
    [("مُحَمَّد", "محمد"), ("שָׁלוֹם", "שלום"), ("ज़रूर", "जरूर"), ("ශ්\u200dරී", "ශ්රී"), ("1\ufe0f\u20e3", "1"), ("Ѐ", "Е")],
)
def test_marks_that_can_be_left_out_are_left_out(room: Room, text: str, asked: str) -> None:
    room.hears("said", text)
    assert room.found(asked) == ["said"]


def test_nobody_finds_what_others_said(room: Room, make_user: Callable[[str], User]) -> None:
    ben, eve = make_user("Ben"), make_user("Eve")
    room.hears("his", "a secret", owner=ben)
    assert room.found("secret", ben) == ["his"]
    assert room.found("secret", eve) == []
    assert room.found("-nothing", eve) == []
    assert room.found("secret") == ["his"]


def test_who_says_it_more_and_in_fewer_words_comes_first(room: Room) -> None:
    room.hears("once", "budget and much else that nobody has asked for at all")
    room.hears("often", "budget budget budget")
    room.hears("long", "budget " + "and so on " * 50)
    assert room.found("budget") == ["often", "once", "long"]


def test_pages_follow_each_other(room: Room) -> None:
    for number in range(7):
        room.hears(f"r{number}", f"budget {number} " * (number + 1), "the end")
    first, second = room.hits("budget", limit=4), room.hits("budget", limit=4, offset=4)
    assert (first.total, len(first.job_ids), len(second.job_ids)) == (7, 4, 3)
    assert not set(first.job_ids) & set(second.job_ids)
    phrase = room.hits('"the end"', limit=4, offset=4)
    assert (len(phrase.job_ids), phrase.total) == (3, 7)


WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "東京", "京", "mat"]), max_size=5).map(" ".join)
TURNS = st.lists(st.tuples(st.sampled_from(["Anna", "Bob", None]), WORDS), min_size=1, max_size=5)


def stands_there(phrase: str, turns: list[tuple[str | None, str]]) -> bool:
    """Say whether one speaker says the phrase without another between, as slowly as one can."""
    joined: list[tuple[str | None, str]] = []
    for speaker, text in turns:
        if joined and joined[-1][0] == speaker:
            joined[-1] = (speaker, f"{joined[-1][1]} {text}")
        else:
            joined.append((speaker, text))
    pattern = re.sub(r"^ (?=[東京])|(?<=[東京]) $", "", f" {phrase} ")
    return any(pattern in f" {' '.join(text.split())} " for _, text in joined)


@pytest.mark.parametrize("merge", ["never", "before", "after"])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(heard=st.lists(TURNS, min_size=1, max_size=3), phrases=st.lists(WORDS.filter(bool), min_size=5, max_size=5))
def test_a_phrase_is_found_where_it_stands_and_nowhere_else(
    room: Room,
    monkeypatch: pytest.MonkeyPatch,
    merge: str,
    heard: list[list[tuple[str | None, str]]],
    phrases: list[str],
) -> None:
    for job_id in room.names:
        room.says(room.ledger.run(job_store.get, job_id), [], stored_as=f"{new_id()}.json")
    made = [room.hears(f"talk {new_id()}", "mat", "the cat the sat 東京 on the cat " * 20) for _ in (0, *heard)]
    if merge == "before":  # the first one stays as it was; the others are edited after the merge
        merges(room)
    for job, turns in zip(made[1:], heard, strict=True):
        room.says(job, turns, stored_as=f"{new_id()}.json")
    if merge == "after":
        merges(room)
    first: list[tuple[str | None, str]] = [(None, "mat " + "the cat the sat 東京 on the cat " * 20)]
    for asked in phrases:
        wanted = {job.id for job, turns in zip(made, [first, *heard], strict=True) if stands_there(asked, turns)}
        assert set(room.hits(f'"{asked}"').job_ids) == wanted, asked


def merges(room: Room) -> None:
    """Let the index make one piece of all that it has."""
    room.index.merge_changed = 0
    room.index.sync(room.ledger)
    with room.index.read() as con:
        assert con.execute("SELECT changed FROM state").fetchall() == [(0,)]


def test_a_phrase_counts_as_often_as_it_stands_there(room: Room) -> None:
    room.hears("words", "steps next steps", ("Anna", "next"), "steps next", ("Anna", "next"), "steps")
    room.hears("phrase", "next steps", "and then other next steps", "for us all")
    assert room.found('"next steps"') == ["phrase", "words"]
    room.hears("bob", ("Bob", "next steps next steps"), ("Anna", "next steps and that is that"))
    room.hears("anna", ("Anna", "next steps next steps"), ("Bob", "next steps and that is that"))
    assert room.found('speaker:bob "next steps"') == ["bob", "anna"]
    assert room.found('speaker:anna "next steps"') == ["anna", "bob"]


def test_a_phrase_ends_with_its_speakers_turn_and_before_the_name(room: Room) -> None:
    room.hears("plan", ("Anna", "we go"), ("Bob", "home now"), ("Bob", "and rest"), ("Anna", "home again"))
    assert room.found('"go home"') == []
    assert room.found('"now and rest"') == ["plan"]
    assert room.found('"again plan"') == []
    assert room.found('speaker:bob "home now"') == ["plan"]
    assert room.found('speaker:anna "home now"') == []


def test_a_phrase_is_found_again_after_an_edit_and_a_merge(room: Room) -> None:
    job = room.hears("talk", "one two", "three")
    other = room.hears("other", "one two three")
    assert set(room.hits('"one two three"').job_ids) == {job.id, other.id}
    room.index.merge_changed = 1
    room.says(job, ["one three two"], stored_as="t.v2.json")
    assert room.found('"one two three"') == ["other"]
    assert room.found('"three two"') == ["talk"]
    room.says(job, ["zero", "one two three"], stored_as="t.v3.json")
    assert set(room.hits('"one two three"').job_ids) == {job.id, other.id}
    assert room.found('"zero one"') == ["talk"]


def test_an_index_of_another_version_is_deleted(talks: Room, tmp_path: Path) -> None:
    for name in ("search-v1.duckdb", "search-v1.duckdb.wal"):
        (tmp_path / name).write_bytes(b"what people said")
    (tmp_path / "search-v1.duckdb.tmp").mkdir()
    assert talks.found("budget")
    assert not list(tmp_path.glob("search-v1*"))


def test_an_edited_transcript_is_found_by_its_new_words_alone(room: Room) -> None:
    job = room.hears("talk", "a tipo here")
    assert room.found("tipo") == ["talk"]
    room.says(job, ["a typo here"], stored_as="t.v2.json")
    assert room.found("tipo") == []
    assert room.found("typo") == ["talk"]


def test_a_deleted_recording_is_not_found_until_it_is_restored(room: Room, ledger: Ledger) -> None:
    job = room.hears("talk", "words")
    ledger.run(job_store.cancel, job.id, actor="system:test")
    assert room.found("words") == ["talk"]
    ledger.run(job_store.delete, job.id, actor="system:test")
    assert room.found("words") == []
    with room.index.read() as con:
        con.execute("CREATE VIRTUAL TABLE temp.terms USING fts5vocab (main, words, row)")
        for statement in ("FROM docs", "FROM said", "FROM voices", "FROM words", "FROM spoken", "FROM terms"):
            assert con.execute(f"SELECT * {statement}").fetchall() == []
    ledger.run(job_store.restore, job.id, actor="system:test")
    assert room.found("words") == ["talk"]


def test_nothing_new_is_nothing_to_do(talks: Room, ledger: Ledger) -> None:
    assert talks.index.sync(ledger) == 4
    assert talks.index.sync(ledger) == 0
    assert (talks.index.status.indexed, talks.index.status.behind) == (4, 0)


def test_an_index_that_is_gone_is_built_again(talks: Room, ledger: Ledger, tmp_path: Path) -> None:
    assert talks.found("budget")
    talks.index.close()
    talks.index.path.unlink()
    again = SearchIndex(tmp_path / "search.sqlite3")
    assert again.sync(ledger) == 4
    again.close()


@pytest.mark.parametrize("at", [0, 4096, 20_000])
def test_a_damaged_index_is_built_again(talks: Room, ledger: Ledger, tmp_path: Path, at: int) -> None:
    assert talks.found("budget")
    talks.index.close()
    with talks.index.path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xff" * 300_000)
    talks.index = SearchIndex(tmp_path / "search.sqlite3")
    assert set(talks.found("budget")) == {"budget", "summer"}
    talks.index.close()


def test_an_index_that_is_damaged_while_it_is_open_is_built_again(talks: Room) -> None:
    assert talks.found("budget")
    with talks.index.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 300_000)
    with pytest.raises(NotReady), talks.index.read() as con:
        find(con, parse("budget", UTC), owner_id=None)
    assert set(talks.found("budget")) == {"budget", "summer"}


def test_the_file_is_its_owners_alone(talks: Room, tmp_path: Path) -> None:
    assert talks.found("budget")
    with talks.index.read():
        files = list(tmp_path.glob("search-v*"))
        assert {path.name.rpartition("sqlite3")[2] for path in files} == {"", "-wal", "-shm"}
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_a_search_sees_one_moment_while_the_index_goes_on(talks: Room) -> None:
    assert talks.found("budget")
    with talks.index.read() as con:
        before = find(con, parse("budget", UTC), owner_id=None)
        talks.hears("late", "a late budget")
        assert set(talks.found("budget")) == {"budget", "summer", "late"}
        assert con.execute("SELECT count(*) FROM docs").fetchall() == [(4,)]
    assert before.total == 2


def test_closing_breaks_off_what_takes_long(tmp_path: Path) -> None:
    file = SearchFile.open(tmp_path / "search.sqlite3", schema="CREATE TABLE things (id)", version=1)
    began = threading.Event()
    endless = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(began()) FROM n"

    def write() -> None:
        with file.write() as con:
            con.create_function("began", 0, began.set)
            con.execute(endless)

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        began.wait()
        file.close()
        with pytest.raises(LedgerClosed):
            writing.result()


def test_an_index_that_was_cut_off_in_the_middle_goes_on(
    talks: Room, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    talks.index.batch_transcripts = 1
    taken: list[str] = []

    def crash(con: Any, heads: Any, said: Any, job_ids: list[str]) -> None:
        if len(taken) == 2:
            raise RuntimeError("the power went")
        taken.extend(job_ids)
        real(con, heads, said, job_ids)

    real = documents.take_in
    monkeypatch.setattr(documents, "take_in", crash)
    with pytest.raises(RuntimeError):
        talks.index.sync(ledger)
    assert (talks.index.status.indexed, talks.index.status.behind) == (2, 2)
    monkeypatch.setattr(documents, "take_in", real)
    assert talks.index.sync(ledger) == 2


def test_what_is_merged_is_found_as_before(talks: Room) -> None:
    talks.index.merge_changed = 1
    assert set(talks.found("budget")) == {"budget", "summer"}
    with talks.index.read() as con:
        assert con.execute("SELECT changed FROM state").fetchall() == [(0,)]
    talks.hears("late", "a late budget")
    assert set(talks.found("budget")) == {"budget", "summer", "late"}


def test_moments_lead_to_what_was_said(asked: Room) -> None:
    hits = asked.hits('"next steps" OR party')
    with asked.index.read() as con:
        (job_id,) = [one for one in hits.job_ids if asked.names[one] == "summer"]
        shown = moments(con, [job_id], hits.phrases)[job_id]
    assert [(one.start_s, one.speaker) for one in shown.shown] == [(0.0, "Bob"), (5.0, "Anna")]
    assert [one.text[a:b] for one in shown.shown for a, b in one.marks] == ["party", "next steps"]
    assert shown.total == 2


def test_a_phrase_over_two_segments_shows_its_words(room: Room) -> None:
    job = room.hears("talk", "we take the next", "steps tomorrow")
    hits = room.hits('"next steps"')
    assert hits.job_ids == (job.id,)
    with room.index.read() as con:
        assert [one.start_s for one in moments(con, hits.job_ids, hits.phrases)[job.id].shown] == [0.0, 5.0]


def test_only_that_speakers_moments_are_shown(asked: Room) -> None:
    hits = asked.hits("speaker:anna budget OR steps")
    with asked.index.read() as con:
        found = moments(con, hits.job_ids, hits.phrases, speakers=["anna"])
    assert {one.speaker for each in found.values() for one in each.shown} == {"Anna"}


@pytest.mark.parametrize(
    ("text", "asked", "prefix", "marked"),
    [
        ("Das Café, das CAFÉ-Haus", "cafe", False, ["Café", "CAFÉ"]),
        ("to be or not to be", "to be", False, ["to be", "to be"]),
        ("Notes, nothing, knot", "no", True, ["Notes", "nothing"]),
        ("<b>budget</b>", "budget", False, ["budget"]),
        ("Straße, strasse", "STRASSE", False, ["Straße", "strasse"]),
        ("今日は東京に", "東京", False, ["東京"]),
        ("今日は東京に", "東", False, ["東"]),
        ("今日 東京に", "日 東", False, ["日 東"]),
        ("วันนี้อากาศดี", "อากาศ", False, ["อากาศ"]),
        ("दान का दिन", "दिन", False, ["दिन"]),
        ("ज़रूर, जरूर", "जरूर", False, ["ज़रूर", "जरूर"]),
    ],
)
def test_marks_cover_the_words(text: str, asked: str, prefix: bool, marked: list[str]) -> None:
    looked_for = phrase(asked, prefix=prefix)
    assert looked_for
    assert [text[a:b] for a, b in marks(text, [looked_for])] == marked


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(alphabet=st.sampled_from('ab"()*-: |&東京ñ%_\\\x00\ud7ffORANDNOTspeaker:name:language:after:1')))
def test_no_query_breaks_it(asked: Room, query: str) -> None:
    asked.index.sync(asked.ledger)
    with asked.index.read() as con:
        hits = find(con, parse(query, UTC), owner_id=None)
        moments(con, hits.job_ids, hits.phrases)


def test_a_job_without_transcript_is_not_in_it(room: Room, make_job: MakeJob, ledger: Ledger) -> None:
    assert make_job().state is JobState.QUEUED
    assert room.index.sync(ledger) == 0
