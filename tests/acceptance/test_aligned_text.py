"""A corrected text through the whole platform: the page's server, Prefect, a gpu worker, a version."""

from collections.abc import Callable

import httpx
import pytest

from tests.acceptance.conftest import Stack
from tests.conftest import SAMPLE
from tests.waiting import PATIENCE_S, looks

pytestmark = pytest.mark.acceptance


def until_final(
    get: Callable[[], httpx.Response], finals: set[str], *, within_s: float = PATIENCE_S
) -> dict[str, object]:
    found: dict[str, object] = {}
    for _ in looks(within_s):
        found = get().raise_for_status().json()
        if found["state"] in finals:
            return found
    raise AssertionError(found)


def test_a_corrected_text_becomes_a_version_with_times_from_the_sound(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.key_of('corrector')}"}
    with httpx.Client(base_url=f"{stack.url}/api/v1", headers=headers, timeout=PATIENCE_S) as client:
        with SAMPLE.open("rb") as opened:
            sent = client.post("/jobs", files={"file": opened}).raise_for_status()
        job = f"/jobs/{sent.json()['id']}"
        until_final(lambda: client.get(job), {"completed", "failed"})
        before = client.get(f"{job}/transcript").json()
        words = " ".join(segment["text"].strip() for segment in before["segments"]).split()
        words[3] = "somebody"
        asked = client.post(f"{job}/alignment", json={"version": 1, "text": f"Anna: {' '.join(words)}"})
        assert asked.status_code == 202, asked.text
        found = until_final(lambda: client.get(f"{job}/alignment"), {"done", "refused", "failed"})
        assert (found["state"], found["version"]) == ("done", 2), found
        after = client.get(f"{job}/transcript").json()
        heard = [word for segment in before["segments"] for word in segment["words"]]
        placed = [word for segment in after["segments"] for word in segment["words"]]
        assert [segment["speaker"] for segment in after["segments"]] == ["Anna"]
        assert placed[3]["text"].strip() == "somebody"
        assert abs(placed[3]["start_s"] - heard[3]["start_s"]) < 0.5
        assert [one["start_s"] for at, one in enumerate(placed) if at != 3] == [
            one["start_s"] for at, one in enumerate(heard) if at != 3
        ]
        client.post(f"{job}/alignment", json={"version": 2, "text": "We the people of the United States"})
        refused = until_final(lambda: client.get(f"{job}/alignment"), {"done", "refused", "failed"})
        assert refused["state"] == "refused", refused
        assert client.get(f"{job}/transcript").json()["version"] == 2
