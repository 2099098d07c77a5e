"""One trial: send recordings, kill at random, wait for the end, and look at what is left."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.chaos.breakdowns import plan, strike
from benchmarks.chaos.material import Sample, said_in
from benchmarks.chaos.victims import Platform, command_of
from storage.domain.audit_actions import AuditAction
from storage.domain.clock import utc_now
from storage.domain.records import Transcript, from_json
from storage.files.file_store import Files
from storage.ledger import audit
from storage.ledger.database import Ledger
from storage.ledger.database_file import connect
from storage.maintenance import orphans

TRY_AGAIN_S = 0.3
END_WITHIN_S = 900.0
LOOK_EVERY_S = 0.3
ENDED = {"completed", "failed", "cancelled"}
PASSING_FOLDERS = ("partial/",)
"""On storage only while a job is under way."""
UNFINISHED = ("*.part*", ".part-*", "work-*")
"""Names of files that a process writes and then renames."""
NAMES_OF_WORKERS = "whisper-transcriber-workers-"
UNEXPECTED = ("Traceback (most recent call last)", "was never retrieved", "was never awaited")


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
    after_s: float = 0.0
    """From the last strike until everything was found to have ended, a pause between strikes included."""
    unexpected: Counter[str] = field(default_factory=Counter)
    """Lines of logs that only a fault of ours explains, or a library's."""
    faults: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Trial:
    """Sends `samples`, and strikes every `pause_s` seconds until all were handled.

    It stops when the pauses were `strikes_for_s` together.
    """

    platform: Platform
    samples: Sequence[Sample]
    seed: int
    pause_s: tuple[float, float]
    strikes_for_s: float
    accepted: dict[str, Sample] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _written: dict[str, set[int]] = field(default_factory=dict)

    def run(self) -> Outcome:
        """Run it on a platform that is ready, and stop that."""
        began, outcome = time.monotonic(), Outcome(seed=self.seed)
        workers = [threading.Thread(target=work, daemon=True) for work in (self._send_all, self._watch_results)]
        for worker in workers:
            worker.start()
        struck = self._strike(outcome, workers[0])
        workers[0].join(END_WITHIN_S)
        states = self._wait_for_the_end(outcome)
        outcome.after_s = time.monotonic() - struck
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

    def _strike(self, outcome: Outcome, sending: threading.Thread) -> float:
        """Strike until it is time to stop, and return when the last strike was over."""
        paused_s, struck = 0.0, time.monotonic()
        for each in plan(self.seed, self.pause_s):
            time.sleep(each.pause_s)
            paused_s += each.pause_s
            if paused_s > self.strikes_for_s or (not sending.is_alive() and self._all_ended()):
                break
            if strike(self.platform, each):
                outcome.strikes[each.kind] += 1
                struck = time.monotonic()
        return struck

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
        """Stop the platform, and see that it left no process and no unfinished file."""
        self.platform.thaw()
        time.sleep(3)  # what ends by itself after the last job
        self.platform.stop()
        left = [*self.platform.left_running, *map(command_of, self.platform.processes())]
        outcome.faults += [f"left running: {command}" for command in left]
        outcome.faults += [f"left of an upload: {name}" for name in _files(self.platform.data_dir / "uploads")]
        store = self.platform.bucket.folder / "store" / "chaos"
        outcome.faults += [f"left on storage: {name}" for name in _files(store) if name.startswith(PASSING_FOLDERS)]
        for folder in (store, self.platform.data_dir):
            unfinished = {str(path) for pattern in UNFINISHED for path in folder.rglob(pattern)}
            outcome.faults += [f"left unfinished: {name}" for name in sorted(unfinished)]
        temporary = [each for each in _files(self.platform.temporary) if not each.startswith(NAMES_OF_WORKERS)]
        outcome.faults += [f"left among temporary files: {name}" for name in temporary]
        self._look_at_logs(outcome)
        self._look_at_the_audit_log(outcome)
        self._look_for_orphans(outcome, store)

    def _look_at_logs(self, outcome: Outcome) -> None:
        for path in [self.platform.log, *(self.platform.data_dir / "logs").glob("*.log*")]:
            text = path.read_text(errors="replace")
            for words in UNEXPECTED:
                if times := text.count(words):
                    outcome.unexpected[f"{path.name}: {words}"] += times

    def _look_at_the_audit_log(self, outcome: Outcome) -> None:
        """See that the chain is whole, and tells once of each job's beginning and end."""
        command = [sys.executable, "-m", "flows.cli", "admin", "verify-audit"]
        verified = subprocess.run(command, env=self.platform.env, check=False, capture_output=True, text=True)
        if verified.returncode:
            outcome.faults.append(f"the audit log: {verified.stderr.strip()[-300:]}")
            return
        with connect(self.platform.data_dir / "ledger.duckdb") as con:
            for ident in self.accepted:
                told = Counter(row.action for row in audit.page(con, subject=ident, limit=1000))
                ends = told[AuditAction.COMPLETED] + told[AuditAction.FAILED]
                if told[AuditAction.ACCEPTED] != 1 or ends != 1:
                    outcome.faults.append(f"the audit log says of {ident}: {dict(told)}")

    def _look_for_orphans(self, outcome: Outcome, store: Path) -> None:
        """No file on storage belongs to nothing, and no job has two transcripts."""
        seen = self.platform.bucket.folder / "seen.json"
        with Ledger.open(self.platform.data_dir / "ledger.duckdb") as ledger:
            swept = orphans.sweep(ledger, Files(str(store)), seen, now=utc_now())
        if swept.unsafe:
            outcome.faults.append(swept.unsafe)
        elif not outcome.failed:  # what a failed job had cut is not in the ledger
            outcome.faults += [f"belongs to nothing: {name}" for name in json.loads(seen.read_text())]
        texts = Counter(Path(name).name.partition(".")[0] for name in _files(store / "transcripts"))
        outcome.faults += [f"{ident} has {times} transcripts" for ident, times in texts.items() if times > 1]


def _files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def as_json(outcome: Outcome) -> str:
    """Return an outcome as one line."""
    return json.dumps(vars(outcome))
