"""Summaries by a server that speaks chat completions: what is sent, what is made of answers, and what goes wrong."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dashboards.runtime import context
from dashboards.services import summarizing
from storage.domain.errors import BadRequest, SummaryFailed
from storage.domain.records import Job
from storage.domain.settings import SummarySettings
from storage.jobs import collaborators
from storage.ledger import audit
from tests.dashboards.heard import LINES, hear
from tests.dashboards.receiver import Receiver, receiving
from tests.dashboards.site import Site, make_settings, running, seed
from tests.waiting import PATIENCE_S

KEY = "sk-of-the-server"


def settings_for(url: str, **more: Any) -> SummarySettings:
    told = {"summary_url": url, "summary_model": "tiny", "summary_allowed": "127.0.0.1"} | more
    return SummarySettings(**told, _env_file=None)


def completion(said: Any) -> tuple[int, dict[str, str], bytes]:
    """Return an answer as a server of chat completions has it."""
    text = said if isinstance(said, str) else json.dumps(said)
    return 200, {}, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


CHAPTERS = [{"line": 1, "title": "Welcome"}, {"line": "[3]", "title": "Keys & folder"}]
ANSWER = {"summary": "About a <ferry>.", "chapters": CHAPTERS}


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def at(tmp_path: Path, server: Receiver) -> Iterator[Callable[..., tuple[Site, Job, str]]]:
    """Return `at(**settings)`: the app with a server for summaries, a recording of ada's, and the summary's address."""
    stack: list[Any] = []

    def start(**more: Any) -> tuple[Site, Job, str]:
        made = make_settings(tmp_path)
        made.storage.data_dir.mkdir()
        seed(made.storage.ledger_path)
        made.__dict__["summary"] = settings_for(f"{server.url}/v1", **more)
        stack.append(running(made))
        site = stack[-1].__enter__()
        job = hear(site.user("ada"), speakers=("Anna", "Ben"))
        return site, job, f"/api/v1/jobs/{job.id}/summary"

    yield start
    for one in stack:
        one.__exit__(None, None, None)


def ended(site: Site, url: str, who: dict[str, str], within_s: float = PATIENCE_S) -> dict[str, Any]:
    until = time.monotonic() + within_s
    while (told := site.client.get(url, headers=who).json())["running"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    return dict(told)


def test_a_summary_is_offered_sent_by_a_click_kept_and_exported(
    at: Callable[..., tuple[Site, Job, str]], server: Receiver
) -> None:
    site, job, url = at(summary_key=SecretStr(KEY))
    ada, bob = site.key_of(site.user("ada")), site.key_of(site.user("bob"))
    context.ledger().run(collaborators.put, job.id, "bob", may_edit=False, actor="system:test")
    server.usual = completion(f"<think>Hm {{}}.</think>Here it is:\n```json\n{json.dumps(ANSWER)}\n```")
    offer = site.client.get(url, headers=ada).json()["offer"]
    assert (offer["host"], offer["model"], offer["parts"], offer["version"]) == ("127.0.0.1", "tiny", 1, 1)
    assert offer["url"] == f"{server.url}/v1/chat/completions"
    assert server.got == []
    assert site.client.get(url, headers=bob).json()["offer"] is None
    assert site.client.post(url, headers=bob, json={"version": 1}).status_code == 403
    assert site.client.post(url, headers=ada, json={"version": 2}).status_code == 409
    assert site.client.post(url, headers=ada, json={"version": 1}).status_code == 202
    told = ended(site, url, ada)
    assert told["problem"] is None
    assert told["summary"]["text"] == "About a <ferry>."
    assert [(one["start_s"], one["title"]) for one in told["summary"]["chapters"]] == [
        (0.2, "Welcome"),
        (8.2, "Keys & folder"),
    ]
    (sent,) = server.got
    body = json.loads(sent.body)
    assert (sent.path, sent.headers["authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert body["messages"][1]["content"].splitlines()[1] == f"[2] 0:00:04 Ben: {LINES[1]}"
    assert len(body["messages"][1]["content"]) == offer["chars"]
    assert job.name not in sent.body.decode()
    assert site.client.get(url, headers=bob).json()["summary"]["text"] == "About a <ferry>."
    chapters = site.client.get(f"{url}/export?format=vtt", headers=bob).text
    assert "00:00:08.200 --> 00:00:21.000\nKeys &amp; folder" in chapters
    assert "- **00:00:08** Keys & folder" in site.client.get(f"{url}/export", headers=bob).text
    with context.ledger().read() as con:
        actions = [row.action for row in audit.page(con, subject=job.id) if row.action.startswith("summary.")]
        detail = next(row.detail for row in audit.page(con, subject=job.id) if row.action == "summary.send")
    assert actions == ["summary.store", "summary.send"]
    assert (detail["host"], detail["chars"]) == ("127.0.0.1", offer["chars"])


def test_a_long_transcript_goes_in_parts_that_are_joined(
    at: Callable[..., tuple[Site, Job, str]], server: Receiver
) -> None:
    site, _, _ = at(summary_max_chars=2000)
    ada = site.key_of(site.user("ada"))
    job = hear(site.user("ada"), name="long.flac", lines=LINES * 20)
    url = f"/api/v1/jobs/{job.id}/summary"
    parts = site.client.get(url, headers=ada).json()["offer"]["parts"]
    assert parts == 3
    chapters = [[{"line": n * 40 + 1, "title": f"C{n}"}] for n in range(3)]
    server.answers = [completion({"summary": f"Part {n}.", "chapters": some}) for n, some in enumerate(chapters)]
    server.answers.append(completion({"summary": "All of it."}))
    site.client.post(url, headers=ada, json={"version": 1})
    told = ended(site, url, ada)
    assert told["summary"]["text"] == "All of it.", told
    assert [one["title"] for one in told["summary"]["chapters"]] == ["C0", "C1", "C2"]
    assert len(server.got) == 4
    texts = [json.loads(one.body)["messages"][1]["content"] for one in server.got[:3]]
    assert all(len(text) <= 2000 for text in texts)
    assert "".join(texts).count("\n") == 100
    assert json.loads(server.got[3].body)["messages"][1]["content"] == "Part 0.\n\nPart 1.\n\nPart 2."
    with context.ledger().read() as con:
        sent = [row for row in audit.page(con, subject=job.id) if row.action == "summary.send"]
    assert len(sent) == 4


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((500, {}, b"oh no, the secret is x"), "an error of its own (HTTP 500)"),
        ((401, {}, b"{}"), "TRANSCRIBER_SUMMARY_KEY"),
        ((404, {}, b"{}"), "TRANSCRIBER_SUMMARY_MODEL"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "HTTP 302"),
        ((200, {}, b"<html>"), "not one of OpenAI's chat completions"),
        ((200, {}, b'{"choices": []}'), "not one of OpenAI's chat completions"),
        (completion("I cannot do that."), "in the form that was asked for"),
        (completion({"summary": ["no"], "chapters": 3}), "has no summary"),
    ],
)
def test_what_goes_wrong_is_said_and_nothing_is_kept(
    at: Callable[..., tuple[Site, Job, str]], server: Receiver, answer: tuple[int, dict[str, str], bytes], why: str
) -> None:
    site, _, url = at()
    ada = site.key_of(site.user("ada"))
    server.usual = answer
    site.client.post(url, headers=ada, json={"version": 1})
    told = ended(site, url, ada)
    assert told["summary"] is None
    assert why in told["problem"]
    assert "secret" not in told["problem"]
    assert list(context.files().list("summaries")) == []
    server.usual = completion(ANSWER)
    site.client.post(url, headers=ada, json={"version": 1})
    assert ended(site, url, ada)["problem"] is None


def test_a_server_that_hangs_is_given_up(at: Callable[..., tuple[Site, Job, str]], server: Receiver) -> None:
    site, _, url = at(summary_timeout_seconds=0.5)
    ada = site.key_of(site.user("ada"))
    server.slow_s = PATIENCE_S
    before = time.monotonic()
    assert site.client.post(url, headers=ada, json={"version": 1}).json()["running"] == {"part": 0, "parts": 1}
    assert "longer than 0.5 s" in ended(site, url, ada)["problem"]
    assert time.monotonic() - before < PATIENCE_S / 2


def test_a_private_address_needs_the_administrators_word(site: Site) -> None:
    assert site.settings.summary.is_on is False
    job = hear(site.user("ada"))
    ada = site.key_of(site.user("ada"))
    url = f"/api/v1/jobs/{job.id}/summary"
    assert site.client.get(url, headers=ada).json()["offer"] is None
    assert site.client.post(url, headers=ada, json={"version": 1}).json()["code"] == "summaries_off"
    with pytest.raises(BadRequest, match="unencrypted"):
        settings_for("http://127.0.0.1:11434/v1", summary_allowed="")
    site.settings.__dict__["summary"] = settings_for("https://127.0.0.1:9/v1", summary_allowed="")
    site.client.post(url, headers=ada, json={"version": 1})
    assert "TRANSCRIBER_SUMMARY_ALLOWED" in ended(site, url, ada)["problem"]


def test_a_models_answer_is_taken_for_what_it_is_worth() -> None:
    part = summarizing.TextPart(text="", first=3, last=9)
    chapters = [{"line": 4, "title": " A\n b "}, {"line": 99, "title": "out"}, {"line": True, "title": "x"}, "no"]
    chapters += [{"line": 4, "title": "again"}, {"line": "5", "title": "five"}, {"line": 6}, {"title": "x"}]
    assert summarizing.chapters_in({"chapters": chapters}, part) == [(4, "A b"), (5, "five")]
    with pytest.raises(SummaryFailed):
        summarizing.object_in("host", '{"a": {"b": 1}} []')
