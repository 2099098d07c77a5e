"""One trial: send recordings, kill at random, wait for the end, and look at what is left."""

import contextlib
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.chaos.material import Sample, said_in
from benchmarks.chaos.victims import EVERYTHING, KINDS, Platform, strike
from storage.domain.records import Transcript, from_json

TRY_AGAIN_S = 0.3
END_WITHIN_S = 900.0
LOOK_EVERY_S = 0.3
ENDED = {"completed", "failed", "cancelled"}
PASSING_FOLDERS = ("partial/",)
"""On storage only while a job is under way."""


@dataclass(kw_only=True)
class Outcome:
    """What one trial came to; `faults` are broken promises, each in words."""

    seed: int
    accepted: int = 0
    completed: int = 0
    failed: int = 0
    strikes: Counter[str] = field(default_factory=Counter)
    redone: int = 0
    took_s: float = 0.0
    faults: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Trial:
    """Sends `samples`, strikes every `pause_s` seconds until all were handled or `strikes_for_s` has passed."""

    platform: Platform
    samples: Sequence[Sample]
    seed: int
    pause_s: tuple[float, float]
    strikes_for_s: float
    kinds: tuple[str, ...] = KINDS
    accepted: dict[str, Sample] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _written: dict[str, set[int]] = field(default_factory=dict)

    def run(self) -> Outcome:
        """Run it on a platform that is ready, and stop that."""
        began, outcome = time.monotonic(), Outcome(seed=self.seed)
        workers = [threading.Thread(target=work, daemon=True) for work in (self._send_all, self._watch_results)]
        for worker in workers:
            worker.start()
        self._strike(outcome, workers[0])
        workers[0].join(END_WITHIN_S)
        states = self._wait_for_the_end(outcome)
        self._over.set()
        workers[1].join(30)
        self._judge(outcome, states)
        outcome.took_s = time.monotonic() - began
        return outcome

    def _send_all(self) -> None:
        for number, sample in enumerate(self.samples):
            while not self._over.is_set():
                with contextlib.suppress(httpx.HTTPError, OSError):
                    self.accepted[self._send(sample, f"chaos {self.seed} {number}")] = sample
                    break
                time.sleep(TRY_AGAIN_S)

    def _send(self, sample: Sample, key: str) -> str:
        with self.platform.http() as http, sample.path.open("rb") as opened:
            form = {"owner": "admin", "lane": "interactive", "idempotency_key": key}
            answer = http.post("/internal/v1/jobs", data=form, files={"file": (sample.path.name, opened)})
            return str(answer.raise_for_status().json()["id"])

    def _watch_results(self) -> None:
        """Note when each result is written; a later time is a span that was done again."""
        folder = self.platform.bucket.folder / "store"
        while not self._over.wait(LOOK_EVERY_S):
            for path in folder.glob("chaos/results/*/*/*.json"):
                with contextlib.suppress(OSError):
                    self._written.setdefault(str(path), set()).add(path.stat().st_mtime_ns)

    def _strike(self, outcome: Outcome, sending: threading.Thread) -> None:
        chance, until = random.Random(self.seed), time.monotonic() + self.strikes_for_s  # noqa: S311
        weights = [0.4 if kind == EVERYTHING else 1.0 for kind in self.kinds]
        while time.monotonic() < until:
            time.sleep(chance.uniform(*self.pause_s))
            (kind,) = chance.choices(self.kinds, weights)
            if strike(self.platform, kind, chance):
                outcome.strikes[kind] += 1
            if not sending.is_alive() and self._all_ended():
                return

    def _all_ended(self) -> bool:
        with contextlib.suppress(httpx.HTTPError, OSError):
            return all(state["state"] in ENDED for state in self._states().values())
        return False

    def _states(self) -> dict[str, dict[str, object]]:
        with self.platform.http() as http:
            return {
                ident: http.get(f"/internal/v1/jobs/{ident}").raise_for_status().json() for ident in list(self.accepted)
            }

    def _wait_for_the_end(self, outcome: Outcome) -> dict[str, dict[str, object]]:
        until, states = time.monotonic() + END_WITHIN_S, dict[str, dict[str, object]]()
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError, OSError):
                states = self._states()
                if all(state["state"] in ENDED for state in states.values()):
                    return states
            time.sleep(1)
        stuck = [
            (ident, state["state"], state["detail"]) for ident, state in states.items() if state["state"] not in ENDED
        ]
        outcome.faults.append(f"{len(stuck)} jobs have not ended after {END_WITHIN_S:g} s: {stuck[:3]}")
        return states

    def _judge(self, outcome: Outcome, states: dict[str, dict[str, object]]) -> None:
        outcome.accepted = len(self.accepted)
        if outcome.accepted != len(self.samples):
            outcome.faults.append(f"{len(self.samples)} were sent, and {outcome.accepted} jobs accepted")
        for ident, state in states.items():
            if state["state"] == "completed":
                outcome.completed += 1
                self._compare(outcome, ident)
            elif state["state"] == "failed":
                outcome.failed += 1
                if not state["error"]:
                    outcome.faults.append(f"{ident} failed without a reason")
            elif state["state"] == "cancelled":
                outcome.faults.append(f"{ident} was cancelled by nobody")
        again = {path: len(times) - 1 for path, times in self._written.items() if len(times) > 1}
        outcome.redone = sum(again.values())
        outcome.faults += [
            f"{Path(path).name} was done {1 + times} times" for path, times in again.items() if times > 1
        ]
        self._look_for_leftovers(outcome)

    def _compare(self, outcome: Outcome, ident: str) -> None:
        with self.platform.http() as http:
            body = http.get(f"/internal/v1/jobs/{ident}/transcript").raise_for_status().content
        said = said_in(from_json(Transcript, body))
        if said != self.accepted[ident].said:
            outcome.faults.append(
                f"{ident} says something else than undisturbed: {said} for {self.accepted[ident].said}"
            )

    def _look_for_leftovers(self, outcome: Outcome) -> None:
        """Stop the platform; no process, unfinished upload or partial text is left, and the audit chain is whole."""
        time.sleep(3)  # what ends by itself after the last job
        self.platform.stop()
        left = [" ".join(process.cmdline())[:120] for process in self.platform.processes()]
        outcome.faults += [f"left running: {command}" for command in left]
        store = self.platform.bucket.folder / "store" / "chaos"
        names = [str(path.relative_to(store)) for path in store.rglob("*") if path.is_file()]
        outcome.faults += [f"left on storage: {name}" for name in names if name.startswith(PASSING_FOLDERS)]
        uploads = self.platform.data_dir / "uploads"
        outcome.faults += [f"left of an upload: {path.name}" for path in uploads.rglob("*") if path.is_file()]
        command = [sys.executable, "-m", "flows.cli", "admin", "verify-audit"]
        audit = subprocess.run(command, env=self.platform.env, check=False, capture_output=True, text=True)
        if audit.returncode:
            outcome.faults.append(f"the audit log: {audit.stderr.strip()[-300:]}")


def as_json(outcome: Outcome) -> str:
    """Return an outcome as one line."""
    return json.dumps({**vars(outcome), "strikes": dict(outcome.strikes)})
