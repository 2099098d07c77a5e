"""One run of a batch: its files are listed, sent, followed, and their results written.

Nothing of a run has to survive it: a killed one is repeated, and finds what was done by content, jobs and results.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from flows.batch.batch_upload import TOGETHER, BatchOptions, send_all
from flows.batch.manifest import BatchManifest, format_of, opened_file
from flows.batch.source_files import BatchFile, MayRead, SourceReader, rejected
from flows.batch.written_results import Places, ResultOrder, ResultWriter, TargetPlace
from flows.platform.api_upload import known_states
from storage.domain.batch_outcomes import BatchOutcome, KnownState, Outcome, exit_status, summary
from storage.domain.errors import BadRequest, TranscriberError
from storage.domain.network.host_names import without_login
from storage.domain.records import JobState
from storage.domain.settings import Settings
from storage.files.batch_table import BatchRow, BatchTable
from storage.files.content_index import ContentIndex
from storage.files.file_store import Files

WITH_JOB = {BatchOutcome.ACCEPTED, BatchOutcome.RETRIED, BatchOutcome.KNOWN}
SAME_CONTENT = "it has the same content as {other}, and so the same job"
SAME_SOURCE = "an earlier row names the same source; a batch has each file once"
NO_REJECTS = (
    "{where} is no file for rejected files, and --overwrite would replace it; name another one that ends with .jsonl, "
    "or a folder with a slash at the end"
)
POLL_S, LONGEST_POLL_S = 0.2, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPlan:
    """What to do: a source, and where its results and rejected files go."""

    source: str
    recursive: bool = False
    results: ResultOrder | None = None
    rejects: str | None = None
    wait: bool = True
    overwrite: bool = False
    umask: int | None = None
    """Who may read new files below a local target; nobody else if there is none."""


class BatchRun:
    """A run with its table; a context manager.

    `total` counts the files that were found so far.
    """

    def __init__(
        self,
        settings: Settings,
        plan: BatchPlan,
        options: BatchOptions,
        *,
        may_read: MayRead | None = None,
        may_write: Callable[[str], object] | None = None,
        stop: Callable[[], bool] = lambda: False,
        together: int = TOGETHER,
    ) -> None:
        self._settings, self._plan, self._options, self._stop = settings, plan, options, stop
        self._together = together
        self._reader = SourceReader(settings, may_read=may_read)
        self._places = Places(settings.storage.storage_endpoint_url, may_write, umask=plan.umask)
        self._pending: dict[str, BatchFile] = {}
        self._manifest: BatchManifest | None = None
        self._all_found = False
        self.total = 0

    def __enter__(self) -> "BatchRun":
        self._stack = ExitStack()
        self.table = self._stack.enter_context(BatchTable())
        self._index = self._stack.enter_context(ContentIndex.open(self._settings.storage.batch_index_path))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(
        self,
        on_outcome: Callable[[Outcome], None] = lambda _: None,
        on_followed: Callable[[int, int], None] = lambda _done, _left: None,
    ) -> None:
        """Do all of it.

        Files that cannot be read or written are rows of the table with a reason. `on_followed` gets how many of the
        jobs that are waited for are at their end, and how many go on.

        Raises:
            BadRequest, NotAllowed: nothing was begun.
            LedgerUnreachable: the web process does not answer; what was done before stays.
            StorageUnreachable, HostUnreachable: the source cannot be listed.
        """
        rejects = self._rejects_place()
        if self._plan.results and self._plan.results.dest != "beside":
            self._places.at(self._plan.results.dest, "result")
        try:
            how: dict[str, Any] = {"index": self._index, "stop": self._stop, "together": self._together}
            for outcome in send_all(self._settings, self._listed(), self._options, **how):
                on_outcome(self._noted(outcome))
            if self._plan.results:
                self._follow(self._plan.results, on_followed)
        except TranscriberError as error:
            if not self.total:
                source = without_login(self._plan.source)
                self.table.put(BatchRow(name=source, relative="", became=BatchOutcome.REFUSED, reason=str(error)))
            raise
        finally:
            if rejects is not None:
                self._write_rejects(rejects)

    @property
    def expected_total(self) -> int | None:
        """Return how many files there are, or None while they are listed.

        Those of a manifest are estimated while it is read.
        """
        if self._all_found:
            return self.total
        return round(self.total / self._manifest.share) if self._manifest and self._manifest.share else None

    @property
    def counts(self) -> dict[str, int]:
        return self.table.outcomes()

    @property
    def summary(self) -> str:
        """Return one line about the outcomes, with the jobs that still go on."""
        states, line = self.table.states(), summary(self.counts, self.total)
        going = sum(count for state, count in states.items() if not (state and JobState(state).finished))
        return f"{line}; {going} not transcribed yet" if going and self._plan.results else line

    @property
    def exit_status(self) -> int:
        return exit_status(self.counts)

    def _listed(self) -> Iterator[BatchFile]:
        """Yield the files of the source, without results that earlier runs wrote among them."""
        plan, source = self._plan, self._plan.source.removeprefix("file://")
        if source and "://" not in source:
            source = str(Path(source).absolute())
        is_manifest = format_of(source) is not None and not Path(source).is_dir()
        if is_manifest:
            self._manifest = BatchManifest(source, lambda: opened_file(self._reader, source))
            files: Iterable[BatchFile] = self._manifest.files(self._reader)
        else:
            files = self._reader.files(source, recursive=plan.recursive)
        left = iter(files)
        while some := list(islice(left, self._together)):
            ours = self._index.results([file.name for file in some])
            for file in some:
                if file.name not in ours:
                    yield self._counted(file)
        self._all_found = True
        if is_manifest and not self.total:
            raise BadRequest("SOURCE", f"{source} has no rows below the first one")

    def _counted(self, file: BatchFile) -> BatchFile:
        self.total += 1
        if file.name in self._pending or self.table.has(file.name):
            file = rejected(f"{file.name} (row {file.row})", SAME_SOURCE, relative=file.relative)
        self._pending[file.name] = file
        return file

    def _noted(self, outcome: Outcome) -> Outcome:
        """Put an outcome into the table; the same content as another file's is said."""
        file, before = self._pending.pop(outcome.name, None), self.table.get(outcome.name)
        if outcome.became in WITH_JOB and outcome.job_id:
            other = self.table.same_content(outcome.name, outcome.job_id)
            outcome = replace(outcome, reason=SAME_CONTENT.format(other=other)) if other else outcome
        relative = file.relative if file else before.relative if before else outcome.name
        said = json.dumps(asdict(file.notes)) if file else before.said if before else "{}"
        self.table.put(
            BatchRow(
                name=outcome.name,
                relative=relative,
                said=said,
                became=outcome.became,
                job_id=outcome.job_id,
                key=outcome.key,
                reason=outcome.reason,
                state=outcome.state or "",
                is_open=outcome.became in WITH_JOB and self._plan.results is not None,
            )
        )
        return outcome

    def _follow(self, order: ResultOrder, on_followed: Callable[[int, int], None]) -> None:
        """Write the results of complete jobs, and with `wait` go on until all are."""
        files = Files.from_settings(self._settings.storage)
        writer = ResultWriter(order, files=files, places=self._places, index=self._index, table=self.table)
        pause_s, before, looked_s, ended = POLL_S, 0, time.monotonic(), 0
        while not self._stop():
            left = 0
            for rows in self.table.open_rows(self._together):
                going = self._followed(writer, rows)
                left, ended = left + going, ended + len(rows) - going
                if self._stop():
                    return
            on_followed(ended, left)
            if not left or not self._plan.wait:
                return
            now_s = time.monotonic()
            pause_s = next_pause_s(pause_s, done=before - left, left=left, within_s=now_s - looked_s)
            before, looked_s = left, now_s
            self._sleep(pause_s)

    def _sleep(self, pause_s: float) -> None:
        until_s = time.monotonic() + pause_s
        while time.monotonic() < until_s and not self._stop():
            time.sleep(min(0.2, pause_s))

    def _followed(self, writer: ResultWriter, rows: list[BatchRow]) -> int:
        """Bring rows on by the states of their jobs; return how many jobs go on."""
        keys = [row.key or "" for row in rows]
        whose: dict[str, Any] = {"owner": self._options.owner, "token": self._options.token}
        going = 0
        for row, known in zip(rows, known_states(self._settings, keys=keys, **whose), strict=True):
            now = _brought_on(writer, row, known)
            going += now.is_open
            if now != row:
                self.table.put(now)
        return going

    def _rejects_place(self) -> TargetPlace | None:
        """Return where rejected files are listed; below a folder the name has the time.

        Raises:
            BadRequest: there is such a file, and it may not be written over, or it is the manifest or another kind.
        """
        where = self._plan.rejects
        if not where:
            return None
        base, _, name = where.rpartition("/")
        if not name:
            name = f"rejects-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl"
        place = self._places.at(base or ("/" if where.startswith("/") else "."), name)
        if not name.endswith(".jsonl") or _same(place.shown, self._plan.source):
            raise BadRequest("rejects", NO_REJECTS.format(where=where))
        if place.root.size(place.name) is not None and not self._plan.overwrite:
            raise BadRequest("rejects", f"{where} is there already; name another file, or overwrite it by --overwrite")
        return place

    def _write_rejects(self, place: TargetPlace) -> None:
        with NamedTemporaryFile("w", prefix="transcriber-", suffix=".jsonl", encoding="utf-8") as file:
            for rows in self.table.rejected():
                for row in rows:
                    told = {"source": row.name, "outcome": row.became, "reason": row.reason, "job": row.job_id}
                    file.write(json.dumps(told) + "\n")
            file.flush()
            place.root.put(place.name, Path(file.name), move=False)
        self._index.keep_result(place.shown, "rejects")


def next_pause_s(last_s: float, *, done: int, left: int, within_s: float) -> float:
    """Return the pause before the next look at jobs.

    It is half of what those that are left take at this pace.
    """
    at_this_pace_s = left * within_s / done / 2 if done > 0 else 1.5 * last_s
    return max(POLL_S, min(LONGEST_POLL_S, at_this_pace_s))


def _same(place: str, other: str) -> bool:
    """Tell whether a path or address is another's, also by a link."""
    if "://" in place or "://" in other:
        return place == other
    return os.path.realpath(place) == os.path.realpath(other)


def _brought_on(writer: ResultWriter, row: BatchRow, known: KnownState) -> BatchRow:
    if known.state is JobState.COMPLETED and known.stored_as:
        reason = writer.write(row, known)
        became = BatchOutcome.NOT_WRITTEN if reason else row.became
        return replace(row, state=known.state, became=became, reason=reason or row.reason, is_open=False)
    if known.outcome is BatchOutcome.KNOWN and known.state is not None:
        return replace(row, state=known.state)
    reason = known.error or ("it was cancelled" if known.state else "its job was deleted meanwhile")
    return replace(row, state=known.state or "", became=BatchOutcome.JOB_FAILED, reason=reason, is_open=False)
