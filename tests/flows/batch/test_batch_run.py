"""A batch's run: known files, rejected ones, and results, from folders, a bucket and an index page."""

import functools
import gc
import json
import stat
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import typer
from moto.server import ThreadedMotoServer

from flows.batch import batch_run, batch_upload
from flows.batch.batch_parameters import ordered
from flows.batch.batch_run import LONGEST_POLL_S, POLL_S, BatchRun, next_pause_s
from flows.cli import batch_command
from flows.flows.ingest_batch import LOG_EVERY_S, ProgressLog
from flows.platform.api_upload import SentFile
from storage.domain import names
from storage.domain.batch_outcomes import BatchOutcome, KnownRecording, KnownState, Outcome
from storage.domain.errors import BadRequest, HostUnreachable, NotAllowed, OutgoingRefused
from storage.domain.records import JobState, to_json
from storage.domain.settings import Settings
from storage.files import s3_transfers
from storage.files.batch_table import BatchRow
from storage.files.file_store import Files
from storage.files.s3_bucket import Bucket
from tests.flows.batch.test_settled_files import old
from tests.golden.transcripts import MEETING
from tests.http_server import http_server
from tests.waiting import PATIENCE_S

STORED_AS = names.transcript_name(MEETING.job_id)


class PlayedPlatform:
    """Takes recordings and transcribes them at once; `came` are those that were read and sent."""

    def __init__(self) -> None:
        self.came: list[tuple[str, dict[str, Any]]] = []
        self.jobs: dict[str, str] = {}
        self.state = JobState.COMPLETED
        self._lock = threading.Lock()

    def send_file(self, _: Settings, path: Path, *, key: str, **told: Any) -> Any:
        with self._lock:
            self.came.append((told["name"] or path.name, told["options"]))
            job: Any = SimpleNamespace(id=self.jobs.setdefault(key, f"job-{len(self.jobs) + 1}"))
            return SentFile(job=job, is_new=True)

    def known(self, _: Settings, *, key: str, **__: Any) -> KnownRecording:
        if key not in self.jobs:
            return KnownRecording()
        job: Any = SimpleNamespace(id=self.jobs[key], state=self.state, error=None)
        return KnownRecording(outcome=BatchOutcome.KNOWN, job=job)

    def states(self, _: Settings, *, keys: list[str], **__: Any) -> list[KnownState]:
        return [self._state(key) for key in keys]

    def _state(self, key: str) -> KnownState:
        if key not in self.jobs:
            return KnownState()
        job_id, stored = self.jobs[key], STORED_AS if self.state is JobState.COMPLETED else None
        return KnownState(
            outcome=BatchOutcome.KNOWN, job_id=job_id, state=self.state, stored_as=stored, language="en", model="base"
        )


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PlayedPlatform:
    played = PlayedPlatform()
    monkeypatch.setattr(batch_upload, "send_file", played.send_file)
    monkeypatch.setattr(batch_upload, "known_recording", played.known)
    monkeypatch.setattr(batch_upload, "known_states", played.states)
    monkeypatch.setattr(batch_run, "known_states", played.states)
    monkeypatch.setenv("TRANSCRIBER_DATA_DIR", str(tmp_path / "data"))
    Files.from_settings(Settings().storage).write(STORED_AS, to_json(MEETING))
    return played


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for name in ("a.wav", "b.wav", "sub/c.wav"):
        old(tmp_path / "in" / name, name.encode())
    return tmp_path / "in"


def run(source: object, **chosen: Any) -> tuple[str, dict[str, str]]:
    """Run a batch; return its summary and the reasons of rejected files by their names."""
    plan, options = ordered(str(source), "admin", actor="test", **({"formats": ["srt", "txt"]} | chosen))
    with BatchRun(Settings(), plan, options) as running:
        running.run()
        reasons = {row.name: row.reason for rows in running.table.rejected() for row in rows}
        return running.summary, reasons


@pytest.mark.parametrize(("umask", "mode"), [(None, 0o600), (0o027, 0o640)])
def test_results_have_the_modes_that_a_umask_leaves_and_are_private_without(
    platform: PlayedPlatform, folder: Path, tmp_path: Path, umask: int | None, mode: int
) -> None:
    plan, options = ordered(str(folder), "admin", actor="test", formats=["srt"], dest=str(tmp_path / "all/of/it"))
    with BatchRun(Settings(), replace(plan, umask=umask), options) as running:
        running.run()
    made = [tmp_path / "all", *(tmp_path / "all").rglob("*")]
    modes = {each.is_file(): stat.S_IMODE(each.stat().st_mode) for each in made}
    assert modes[True] == mode
    assert umask is None or modes[False] == mode | 0o110


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_known_files_are_neither_read_nor_sent_again(
    platform: PlayedPlatform, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(folder, recursive=True) == ("3 of 3 accepted", {})
    read: list[str] = []
    content_of = batch_upload.content_of

    def counted(path: Path) -> str:
        read.append(path.name)
        return content_of(path)

    monkeypatch.setattr(batch_upload, "content_of", counted)
    assert run(folder, recursive=True) == ("0 of 3 accepted, 3 known already", {})
    assert read == []
    old(folder / "b.wav", b"other content")
    assert run(folder, recursive=True)[0] == "1 of 3 accepted, 2 known already"
    assert read == ["b.wav"]


def test_results_are_written_below_the_target_once_and_never_over_others(
    platform: PlayedPlatform, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    (out / "sub" / "c.txt").write_text("somebody's own")
    summary, reasons = run(folder, recursive=True, dest=str(out), rejects=f"{tmp_path}/rejects.jsonl")
    assert summary == "2 of 3 accepted, 1 transcribed, results not written"
    assert list(reasons) == [f"{folder}/sub/c.wav"]
    assert "is there already" in reasons[f"{folder}/sub/c.wav"]
    (row,) = map(json.loads, (tmp_path / "rejects.jsonl").read_text().splitlines())
    assert (row["source"], row["outcome"]) == (f"{folder}/sub/c.wav", "not_written")
    assert below(out) == {"a.srt", "a.txt", "b.srt", "b.txt", "sub/c.srt", "sub/c.txt"}
    assert "Good morning" in (out / "a.srt").read_text()
    assert (out / "sub" / "c.txt").read_text() == "somebody's own"

    with pytest.raises(BadRequest, match=r"rejects.jsonl is there already"):
        run(folder, rejects=f"{tmp_path}/rejects.jsonl")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("a.*")}
    assert run(folder, recursive=True, dest=str(out), overwrite=True)[1] == {}
    assert "Good morning" in (out / "sub" / "c.txt").read_text()
    assert {path: path.stat().st_mtime_ns for path in out.rglob("a.*")} == before


def test_results_beside_the_sources_are_no_sources_of_the_next_run(platform: PlayedPlatform, folder: Path) -> None:
    assert run(folder, dest="beside")[0] == "2 of 2 accepted"
    assert {"a.srt", "a.txt", "b.srt", "b.txt"} <= below(folder)
    assert run(folder, dest="beside")[0] == "0 of 2 accepted, 2 known already"


def test_a_target_that_is_a_source_or_another_files_is_refused(platform: PlayedPlatform, folder: Path) -> None:
    old(folder / "a.mp3", b"another sound")
    _, reasons = run(folder, dest="beside", template="{stem}.wav", formats=["txt"], overwrite=True)
    assert set(reasons) == {f"{folder}/a.mp3", f"{folder}/a.wav", f"{folder}/b.wav"}
    assert all("never written over" in reason for reason in reasons.values())
    _, reasons = run(folder, dest=f"{folder}/../out")
    assert len(reasons) == 1
    assert "is the place of the result of" in next(iter(reasons.values()))
    assert (folder / "a.wav").read_bytes() == b"a.wav"


def test_a_folder_that_is_empty_now_is_watched_on(platform: PlayedPlatform, tmp_path: Path) -> None:
    looked: list[int] = []

    def look() -> int:
        looked.append(len(platform.came))
        if len(looked) == 3:
            raise KeyboardInterrupt
        if len(looked) == 2:
            old(tmp_path / "a.wav", b"sound")
        run(tmp_path)
        return 0

    with pytest.raises(typer.Exit) as ended:
        batch_command.watch_source(look, 0.01)
    assert (ended.value.exit_code, looked) == (0, [0, 0, 1])


def test_a_watched_folder_may_go_and_come_again_but_has_to_be_there_at_first(
    platform: PlayedPlatform, folder: Path
) -> None:
    away = folder.with_name("away")
    looked: list[int] = []

    def look() -> int:
        looked.append(len(platform.came))
        if len(looked) == 3:
            away.rename(folder)
        if len(looked) == 4:
            raise KeyboardInterrupt
        run(folder)
        if len(looked) == 1:
            folder.rename(away)
        return 0

    with pytest.raises(typer.Exit):
        batch_command.watch_source(look, 0.01)
    assert looked == [0, 2, 2, 2]
    with pytest.raises(BadRequest, match="does not exist"):
        batch_command.watch_source(lambda: bool(run(away)), 0.01)


def test_the_list_of_rejected_files_never_replaces_a_manifest_or_a_recording(
    platform: PlayedPlatform, folder: Path
) -> None:
    (folder / "list.jsonl").write_text('{"source": "a.wav"}\n')
    (folder / "link.jsonl").symlink_to(folder / "list.jsonl")
    for rejects in ("list.jsonl", "link.jsonl", "a.wav"):
        with pytest.raises(BadRequest, match=r"ends with \.jsonl"):
            run(folder / "list.jsonl", rejects=f"{folder}/{rejects}", overwrite=True)
    assert (folder / "list.jsonl").read_text() == '{"source": "a.wav"}\n'
    assert not platform.came


def test_a_target_that_cannot_be_written_is_named_rather_than_the_storage(
    platform: PlayedPlatform, folder: Path
) -> None:
    _, reasons = run(folder, dest=f"{folder}/a.wav")
    assert all("check that its folder is there" in reason for reason in reasons.values())
    assert len(reasons) == 2


def test_a_run_that_does_not_wait_leaves_the_rest_to_the_next_one(
    platform: PlayedPlatform, folder: Path, tmp_path: Path
) -> None:
    platform.state = JobState.QUEUED
    assert run(folder, dest=str(tmp_path / "out"), wait=False)[0] == "2 of 2 accepted; 2 not transcribed yet"
    platform.state = JobState.COMPLETED
    assert run(folder, dest=str(tmp_path / "out"), wait=False)[0] == "0 of 2 accepted, 2 known already"
    assert len(below(tmp_path / "out")) == 4


def test_two_names_of_one_content_have_one_job_and_a_result_each(
    platform: PlayedPlatform, folder: Path, tmp_path: Path
) -> None:
    old(folder / "same.wav", b"a.wav")
    summary, reasons = run(folder, dest=str(tmp_path / "out"), formats=["txt"])
    assert summary == "2 of 3 accepted, 1 known already"
    assert "same content as" in next(iter(reasons.values()))
    assert below(tmp_path / "out") == {"a.txt", "b.txt", "same.txt"}


def test_a_manifests_rows_have_options_and_its_wrong_rows_are_rejected(platform: PlayedPlatform, folder: Path) -> None:
    rows = ["source,language,name", "in/a.wav,de,First", "in/b.wav", "in/gone.wav,,", "in/a.wav,en,"]
    (folder.parent / "list.csv").write_text("\n".join(rows))
    summary, reasons = run(folder.parent / "list.csv")
    assert summary == "1 of 4 accepted, 3 refused"
    assert platform.came == [("First", {"model": "auto", "language": "de"})]
    wrong = "\n".join(reasons.values())
    assert "row 3: it has 1 columns, and the first row has 3" in wrong
    assert "it cannot be read (No such file or directory)" in wrong
    again = f"{folder}/a.wav (row 5)"  # the row that a spreadsheet shows, as for other wrong rows
    assert "an earlier row names the same source" in reasons[again]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "access")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        server = ThreadedMotoServer(port=0)
        server.start()
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        httpx.put(f"{url}/store", timeout=PATIENCE_S).raise_for_status()
        yield url
        server.stop()


def test_odd_keys_are_read_or_rejected_and_results_go_into_the_bucket(
    platform: PlayedPlatform, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSCRIBER_STORAGE_ENDPOINT_URL", s3)
    for key in ("in/a.wav", "in//b.wav", "in/folder/", "in/é?#%.wav"):
        httpx.put(f"{s3}/store/{quote(key)}", content=key.encode(), timeout=PATIENCE_S).raise_for_status()
    summary, reasons = run("s3://store/in", recursive=True, dest="s3://store/out", formats=["txt"])
    assert summary == "3 of 4 accepted, 1 refused"
    assert list(reasons) == ["s3://store/in/folder/"]
    assert "ends with a slash" in reasons["s3://store/in/folder/"]
    assert "Good morning" in Bucket("s3://store/out", s3).read("a.txt").decode()
    came = len(platform.came)
    assert run("s3://store/in", recursive=True)[0] == "0 of 4 accepted, 3 known already, 1 refused"
    assert len(platform.came) == came


class Denied(BaseHTTPRequestHandler):
    """Answers each request as a bucket does that permits nothing."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


def test_a_bucket_that_denies_listing_or_reading_is_said_to_deny_it(
    platform: PlayedPlatform, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpx.put(f"{s3}/locked", timeout=PATIENCE_S).raise_for_status()
    httpx.put(f"{s3}/locked/in/a.wav", content=b"a", timeout=PATIENCE_S).raise_for_status()
    of_all = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::locked/*"}
    policy = {"Version": "2012-10-17", "Statement": [of_all]}
    httpx.put(f"{s3}/locked?policy", json=policy, timeout=PATIENCE_S).raise_for_status()
    monkeypatch.setenv("TRANSCRIBER_STORAGE_ENDPOINT_URL", s3)
    summary, reasons = run("s3://locked/in")
    assert summary == "0 of 1 accepted, 1 refused"
    assert reasons["s3://locked/in/a.wav"].startswith("it may not be read with these credentials")
    with http_server(Denied) as url:
        monkeypatch.setenv("TRANSCRIBER_STORAGE_ENDPOINT_URL", url)
        with pytest.raises(BadRequest, match="may not be listed with these credentials"):
            run("s3://locked/in")


def test_a_bucket_that_denies_writing_is_said_to_deny_it_for_each_result(
    platform: PlayedPlatform, folder: Path, s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    httpx.put(f"{s3}/sealed", timeout=PATIENCE_S).raise_for_status()
    below_out = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::sealed/out/*"}
    policy = {"Version": "2012-10-17", "Statement": [below_out]}
    httpx.put(f"{s3}/sealed?policy", json=policy, timeout=PATIENCE_S).raise_for_status()
    monkeypatch.setenv("TRANSCRIBER_STORAGE_ENDPOINT_URL", s3)
    rejects = tmp_path / "rejects.jsonl"
    _, reasons = run(folder, dest="s3://sealed/out", formats=["txt"], rejects=str(rejects))
    assert [reason.partition(" (")[0] for reason in reasons.values()] == [
        "target: s3://sealed/out/a.txt could not be written",
        "target: s3://sealed/out/b.txt could not be written",
    ]
    assert all("PermissionError" in reason for reason in reasons.values())
    assert [json.loads(line)["outcome"] for line in rejects.read_text().splitlines()] == ["not_written"] * 2


def test_an_object_that_changes_while_it_is_read_is_not_sent_in_parts(
    platform: PlayedPlatform, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSCRIBER_STORAGE_ENDPOINT_URL", s3)
    bucket = Bucket("s3://store/moving", s3)
    bucket.write("a.wav", [b"first"])
    content_of = batch_upload.content_of

    def changed(path: Path) -> str:
        bucket.write("a.wav", [path.read_bytes() + b"+"])
        return content_of(path)

    monkeypatch.setattr(batch_upload, "content_of", changed)
    summary, reasons = run("s3://store/moving")
    assert summary == "0 of 1 accepted, 1 still being written"
    assert reasons == {"s3://store/moving/a.wav": batch_upload.CHANGED}
    assert platform.came == []


def test_a_large_object_that_becomes_shorter_while_it_is_read_is_not_said_to_be_out_of_reach(
    platform: PlayedPlatform, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSCRIBER_STORAGE_ENDPOINT_URL", s3)
    bucket, sizes = Bucket("s3://store/shrinking", s3), iter((40 << 20, 30 << 20, 20 << 20))
    bucket.write("a.wav", [bytes(next(sizes))])
    read = s3_transfers.read_in_ranges

    def shrinking(*of: Any, **how: Any) -> None:
        bucket.write("a.wav", [bytes(next(sizes))])
        read(*of, **how)

    monkeypatch.setattr(s3_transfers, "read_in_ranges", shrinking)
    _, reasons = run("s3://store/shrinking")
    assert reasons == {"s3://store/shrinking/a.wav": batch_upload.CHANGED}
    assert platform.came == []


class Pages(SimpleHTTPRequestHandler):
    """Serves a folder with index pages, and leads `/away` to another address of this machine."""

    def do_GET(self) -> None:
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.2:{self.connection.getsockname()[1]}/a.wav")
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def pages(folder: Path) -> Iterator[str]:
    (folder / "with space.wav").write_bytes(b"spaced")
    with http_server(functools.partial(Pages, directory=str(folder))) as url:
        yield url


def test_an_index_page_is_a_source_if_its_host_is_allowed(
    platform: PlayedPlatform, pages: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises((OutgoingRefused, HostUnreachable)):
        run(f"{pages}/", recursive=True)
    monkeypatch.setenv("TRANSCRIBER_OUTGOING_ALLOWED", "127.0.0.1")
    assert run(f"{pages}/")[0] == "3 of 3 accepted"
    assert run(f"{pages}/", recursive=True)[0] == "1 of 4 accepted, 3 known already"
    assert sorted(name for name, _ in platform.came) == ["a.wav", "b.wav", "c.wav", "with space.wav"]
    summary, reasons = run(f"{pages}/away.wav")
    assert summary == "0 of 1 accepted, 1 refused"
    assert len(reasons) == 1
    summary, reasons = run(f"{pages}/gone.wav")
    assert "status 404" in reasons[f"{pages}/gone.wav"]


def test_a_worker_reads_and_writes_only_what_is_listed(platform: PlayedPlatform, folder: Path, tmp_path: Path) -> None:
    def refuse(place: str) -> str:
        if not place.startswith(str(folder)):
            raise NotAllowed(f"reading {place}", "an entry")
        return str(folder)

    (folder / "list.csv").write_text(f"source\n{tmp_path}/secret.wav\na.wav\n")
    plan, options = ordered(
        str(folder / "list.csv"), "admin", actor="test", dest=str(tmp_path / "out"), formats=["txt"]
    )
    with BatchRun(Settings(), plan, options, may_read=refuse, may_write=refuse) as running:
        with pytest.raises(NotAllowed):
            running.run()
        assert platform.came == []
    plan, options = ordered(str(folder / "list.csv"), "admin", actor="test")
    with BatchRun(Settings(), plan, options, may_read=refuse) as running:
        running.run()
        assert running.summary == "1 of 2 accepted, 1 refused"


def test_the_next_look_comes_when_half_of_the_rest_should_be_done() -> None:
    assert next_pause_s(2.0, done=10, left=60, within_s=2.0) == 6.0
    assert next_pause_s(2.0, done=10, left=1, within_s=2.0) == POLL_S
    assert next_pause_s(2.0, done=1, left=2000, within_s=2.0) == LONGEST_POLL_S
    assert next_pause_s(2.0, done=0, left=5, within_s=2.0) == 3.0


class ForgetfulPlatform(PlayedPlatform):
    """Takes recordings and keeps nothing, so that a test can weigh what a run keeps."""

    def send_file(self, _: Settings, path: Path, *, key: str, **__: Any) -> Any:  # noqa: ARG002 - as it is called
        return SentFile(job=SimpleNamespace(id=key), is_new=True)  # type: ignore[arg-type]


def test_what_a_run_keeps_in_memory_does_not_grow_with_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played = ForgetfulPlatform()
    for name, stands_for in (("send_file", played.send_file), ("known_recording", played.known)):
        monkeypatch.setattr(batch_upload, name, stands_for)
    (tmp_path / "in").mkdir()

    def kept_bytes(count: int) -> int:
        """Return what a run of new files, files that are not there and wrong values keeps at its last rows."""
        manifest = tmp_path / "in" / f"{count}.csv"
        rows = [f"{count}-{number}.wav,{'many' if number % 3 == 1 else 2}" for number in range(count)]
        manifest.write_text("\n".join(["source,beam_size", *rows]))
        for number in range(0, count, 3):
            old(tmp_path / "in" / f"{count}-{number}.wav", f"{count} {number}".encode())
        plan, options = ordered(str(manifest), "admin", actor="test", rejects=str(tmp_path / f"{count}.jsonl"))
        with BatchRun(Settings(), plan, options, together=20) as running:
            tracemalloc.start()
            kept: list[int] = []

            def weigh(_: Outcome) -> None:
                if sum(running.counts.values()) > count - 10:
                    gc.collect()  # exceptions and their frames hold each other
                    kept.append(tracemalloc.get_traced_memory()[0])

            running.run(weigh)
            tracemalloc.stop()
            assert running.counts == {"accepted": count // 3, "refused": count - count // 3}
        assert len((tmp_path / f"{count}.jsonl").read_text().splitlines()) == count - count // 3
        return min(kept)  # threads have buffers now and then

    kept_bytes(60)  # imports
    assert kept_bytes(1200) - kept_bytes(120) < 100 * 1080  # bytes a row; one that is kept takes five times as much


def test_the_terminal_names_some_rejected_files_and_counts_the_others(platform: PlayedPlatform, tmp_path: Path) -> None:
    rows = [BatchRow(name=f"{number}.wav", relative="", became="refused", reason="why") for number in range(250)]
    *named, last = batch_command.lines_of([rows[:100], rows[100:]])
    assert (len(named), named[0]) == (200, "0.wav: refused: why")
    assert last.startswith("… and 50 more")
    assert list(batch_command.lines_of([rows[:200]]))[-1].startswith("199.wav")


def test_progress_is_logged_once_a_minute_with_what_is_expected(platform: PlayedPlatform, folder: Path) -> None:
    plan, options = ordered(str(folder), "admin", actor="test")
    lines, now = [], SimpleNamespace(s=0.0)
    with BatchRun(Settings(), plan, options) as running:
        log = ProgressLog(running, lambda line, *told: lines.append(line % told), clock=lambda: now.s)

        def sent(outcome: Outcome) -> None:
            now.s += 40
            log.sent(outcome)

        running.run(sent)
        log.followed(1, 4)
        now.s += LOG_EVERY_S
        log.followed(2, 3)
    assert lines == ["2 files of about 2", "2 of 5 jobs are at their end"]


def test_the_rows_of_a_manifest_tell_how_many_to_expect(platform: PlayedPlatform, folder: Path) -> None:
    rows = [f"{number:04}.wav,en" for number in range(1000)]
    (folder / "list.csv").write_text("\n".join(["source,language", *rows]))
    plan, options = ordered(str(folder / "list.csv"), "admin", actor="test")
    expected: list[int | None] = []
    with BatchRun(Settings(), plan, options) as running:
        assert running.expected_total is None
        running.run(lambda _: expected.append(running.expected_total))
    assert 950 < (expected[0] or 0) < 1050
    assert expected[-1] == 1000
