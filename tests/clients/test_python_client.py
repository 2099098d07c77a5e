"""The Python client against the real app: uploads, waits, results, errors."""

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from dashboards.runtime import context
from storage.domain.settings import Settings
from storage.jobs import job_store
from tests.clients.conftest import QUICK
from tests.clients.cut_line import CutLine, cut_line
from tests.dashboards.served import SRT, Served, played_workers, secret_of, serving
from tests.waiting import PATIENCE_S
from transcriber.client import (
    AsyncTranscriber,
    BatchSource,
    InvalidRequest,
    JobFailed,
    NotFoundError,
    State,
    StillWorking,
    Transcriber,
    Unauthorized,
)


def test_a_recording_becomes_a_transcript(
    client: Transcriber, served: Served, key: str, tone: Callable[..., bytes], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[tuple[int, int]] = []
    with played_workers(served):
        job = client.transcribe(
            tone(),
            name="talk.wav",
            options={"language": "de"},
            tags=["monday"],
            metadata={"case": "7"},
            on_progress=lambda *at: told.append(at),
        )
    assert (job.state, job.name, job.tags, job.options["language"]) == (State.COMPLETED, "talk.wav", ("monday",), "de")
    assert job.metadata == {"case": "7"}
    assert told[-1] == (len(tone()), len(tone()))
    transcript = client.transcript(job.id)
    assert transcript.text == "Grüße an alle."
    assert [word.text for word in transcript.segments[0].words] == [" Grüße", " an", " alle."]
    assert client.export(job.id, "srt") == SRT.encode()
    assert key not in f"{client!r} {vars(client)!r} {caplog.text}"


def test_a_file_is_saved_whole_or_not_at_all(
    client: Transcriber, served: Served, tone: Callable[..., bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    target = folder / "talk.srt"
    with played_workers(served):
        job = client.transcribe(tone(), name="talk.wav")
    assert client.save_export(job.id, "srt", target).size_bytes == len(SRT.encode())
    with pytest.raises(FileExistsError, match="overwrite"):
        client.save_export(job.id, "srt", target)
    with pytest.raises(NotFoundError):
        client.save_export("no-such-job", "srt", target, overwrite=True)
    assert client.save_recording(job.id, folder / "talk.wav").path.read_bytes() == tone()
    assert target.read_text() == SRT
    assert sorted(one.name for one in folder.iterdir()) == ["talk.srt", "talk.wav"]


def test_the_asynchronous_client_does_the_same(
    served: Served, key: str, tone: Callable[..., bytes], tmp_path: Path
) -> None:
    recording = tmp_path / "talk.wav"
    recording.write_bytes(tone())

    async def several() -> list[str]:
        async with AsyncTranscriber(served.url, key, retries=QUICK) as client:
            jobs = await asyncio.gather(*(client.upload(recording, name=f"{number}.wav") for number in range(3)))
            ended = {job.name async for job in client.as_completed([job.id for job in jobs], timeout_s=PATIENCE_S)}
            saved = await client.save_export(jobs[0].id, "srt", tmp_path / "talk.srt")
            assert saved.path.read_text() == SRT
            assert {job.name async for job in client.jobs(states=[State.COMPLETED])} == ended
            with pytest.raises(InvalidRequest, match="language code"):
                await client.upload(recording, options={"language": "nothing"})
            return sorted(ended)

    with played_workers(served):
        assert asyncio.run(several()) == ["0.wav", "1.wav", "2.wav"]


def test_an_upload_survives_a_cut_line_and_a_restart_of_the_server(
    settings: Settings, tone: Callable[..., bytes]
) -> None:
    data = tone(600.0)  # 19 MB, three parts
    with cut_line() as line:
        with serving(settings) as served:
            line.port = urlsplit(served.url).port or 0
            key = secret_of("ada")
            line.cut_after = 12 << 20
            restarted = threading.Event()
            client = Transcriber(line.url, key, retries=QUICK)
            has_stopped = threading.Event()

            def stop_in_between(sent: int, _: int) -> None:
                if sent > 8 << 20 and not has_stopped.is_set():  # goes on from within a part that was cut
                    has_stopped.set()
                    line.port = 9  # nobody answers
                    line.cut_now()
                    assert restarted.wait(PATIENCE_S)

            sending = threading.Thread(
                target=lambda: jobs.append(client.upload(data, name="talk.wav", on_progress=stop_in_between))
            )
            jobs: list[object] = []
            sending.start()
            assert has_stopped.wait(PATIENCE_S)
        with serving(settings) as served, client:
            line.port = urlsplit(served.url).port or 0
            restarted.set()
            sending.join(PATIENCE_S)
            with context.ledger().read() as con:
                (job,) = job_store.page(con)
            assert [one.id for one in jobs] == [job.id]  # type: ignore[attr-defined]
            assert (job.media_bytes, line.cuts) == (len(data), 2)


def test_recordings_of_a_batch_have_its_tags_and_metadata_and_their_own(
    settings: Settings, tmp_path: Path, tone: Callable[..., bytes]
) -> None:
    folder = tmp_path / "listed"
    folder.mkdir()
    for number, name in enumerate(("a.wav", "b.wav")):
        (folder / name).write_bytes(tone(0.5, 300.0 + number))
    settings.__dict__["web"] = settings.web.model_copy(update={"batch_sources": f"ada={folder}"})
    with serving(settings) as served, Transcriber(served.url, secret_of("ada"), retries=QUICK) as client:
        own = BatchSource(path=str(folder / "a.wav"), tags=("minutes",), metadata={"case": "118"})
        batch = client.order_batch(
            [own, str(folder / "b.wav")], tags=["board/2026"], metadata={"case": "117", "room": "2"}
        )
        first, second = client.batch_items(batch.id)
        assert (first.tags, dict(first.metadata)) == (("board/2026", "minutes"), {"case": "118", "room": "2"})
        assert (second.tags, dict(second.metadata)) == (("board/2026",), {"case": "117", "room": "2"})
        client.cancel_batch(batch.id)


def test_the_same_key_continues_in_another_process(
    served: Served, key: str, line: CutLine, tone: Callable[..., bytes]
) -> None:
    data = tone(600.0)

    def give_up(sent: int, _: int) -> None:
        if sent:
            raise KeyboardInterrupt

    with Transcriber(served.url, key) as first, pytest.raises(KeyboardInterrupt):
        first.upload(data, name="talk.wav", idempotency_key=first.content_key(data), on_progress=give_up)
    offsets: list[int] = []
    with Transcriber(served.url, key) as second:
        asked = second.content_key(data)
        job = second.upload(data, name="talk.wav", idempotency_key=asked, on_progress=lambda at, _: offsets.append(at))
        assert second.upload(data, name="copy.wav", idempotency_key=asked).id == job.id
    assert offsets[0] == 8 << 20


def test_waits_by_events_that_continue_after_a_cut(
    served: Served, key: str, line: CutLine, tone: Callable[..., bytes]
) -> None:
    with Transcriber(line.url, key, retries=QUICK) as client:
        events = client.events(last_id="of-an-earlier-server")
        seen = next(events)
        assert seen.missed  # the stream is open, and what was before is not known
        with played_workers(served):
            first = client.upload(tone(), name="first.wav")
            seen = next(events)
            assert seen.job_id == first.id
            line.cut_now()
            second = client.upload(tone(2.0), name="second.wav")
            while (seen.job_id, seen.state) != (second.id, State.COMPLETED):
                seen = next(events)
                assert not seen.missed
            assert client.wait(first.id, timeout_s=PATIENCE_S).state is State.COMPLETED
        bad = client.upload(tone(3.0), name="bad.wav")
        with pytest.raises(StillWorking, match="goes on"):
            client.wait(bad.id, timeout_s=0.3)


def test_without_events_jobs_are_looked_at(served: Served, key: str, tone: Callable[..., bytes]) -> None:
    class NoEvents(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/events"):
                return httpx.Response(404, text="a proxy knows no such page")
            return super().handle_request(request)

    with (
        Transcriber(served.url, key, retries=QUICK, transport=NoEvents()) as client,
        played_workers(served),
        pytest.raises(JobFailed, match="could not be read"),
    ):
        client.transcribe(tone(), name="bad.wav", timeout_s=PATIENCE_S)


def test_a_wrong_key_is_named_but_never_shown(served: Served) -> None:
    with Transcriber(served.url, "wt_wrong") as client, pytest.raises(Unauthorized) as refused:
        client.me()
    assert refused.value.request_id
    assert "wt_wrong" not in f"{refused.value!r} {refused.value} {client!r}"
    with pytest.raises(ValueError, match="characters that no key has") as nonsense:
        Transcriber(served.url, "wt_one\r\nX-Other: two")
    assert "wt_one" not in str(nonsense.value)
