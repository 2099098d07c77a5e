"""A pytest plugin that runs tests in several processes, forked when everything is imported and collected.

Importing and collecting takes a process 8 s (14 s where lines are counted), so it is done once. Each process gets
scopes, one at a time (`tests/spread.py`); what its tests give comes back through a pipe.
"""

import os
import signal
import sys
import traceback
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection, Pipe
from typing import Any, NoReturn

import pytest

from tests.spread import next_scope, scope_of

OPTION = "processes"
ONLY_OF_THE_FIRST = ("terminalreporter", "lfplugin", "nfplugin", "stepwiseplugin", "junitxml")
"""Plugins of pytest that speak or write for the whole run."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(f"--{OPTION}", type=int, default=0, help="run tests in so many forked processes")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Share the tests of the run; without the option, pytest runs them itself."""
    count: int = session.config.getoption(OPTION)
    if not count or session.config.option.collectonly or session.testsfailed:
        return None
    Processes(session).run(count)
    return True


@dataclass(slots=True, kw_only=True)
class Process:
    """A forked process, and what it does at the moment."""

    number: int
    pid: int
    link: Connection
    doing: list[int] = field(default_factory=list)
    """The tests it has and has not ended, by their places in the session's list."""


class Processes:
    """The processes of one run, and the scopes that are left."""

    def __init__(self, session: pytest.Session) -> None:
        self.session = session
        self.running: list[Process] = []
        self.scopes: OrderedDict[str, list[int]] = OrderedDict()
        for place, item in enumerate(session.items):
            self.scopes.setdefault(scope_of(item.nodeid), []).append(place)

    def run(self, count: int) -> None:
        reporter: Any = self.session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.showfspath = False
        try:
            for number in range(count):
                self._start(number)
            while self.running:
                links = [process.link for process in self.running]
                for link in connection.wait(links):
                    self._listen(next(process for process in self.running if process.link is link))
                if self.session.shouldfail:
                    raise self.session.Failed(self.session.shouldfail)
        finally:
            for process in self.running:
                os.kill(process.pid, signal.SIGTERM)
                os.waitpid(process.pid, 0)

    def _start(self, number: int, left: Sequence[int] = ()) -> None:
        ours, theirs = Pipe()
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            ours.close()
            for other in self.running:
                other.link.close()
            _work(self.session, theirs, number)
        theirs.close()
        process = Process(number=number, pid=pid, link=ours)
        self.running.append(process)
        if left:
            self._send(process, left)
        else:
            self._send_next(process)

    def _send_next(self, process: Process) -> None:
        """Send a scope; where none is left, send no tests, at which a process ends."""
        scope = next_scope(self.scopes, platforms=process.number == 0) if self.scopes else None
        self._send(process, self.scopes.pop(scope) if scope else [])

    def _send(self, process: Process, tests: Sequence[int]) -> None:
        process.doing += tests
        with suppress(BrokenPipeError):  # it was killed, which is seen when we listen
            process.link.send(tests)

    def _listen(self, process: Process) -> None:
        try:
            kind, said = process.link.recv()
        except (EOFError, ConnectionResetError):
            self._ended(process)
            return
        hook = self.session.config.hook
        if kind == "next":
            self._send_next(process)
        elif kind == "report":
            report = hook.pytest_report_from_serializable(config=self.session.config, data=said)
            hook.pytest_runtest_logreport(report=report)
        else:
            item = self.session.items[process.doing.pop(0)]
            hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _ended(self, process: Process) -> None:
        """Take leave of a process; if it has not done its tests, the first of them has failed."""
        self.running.remove(process)
        _, status = os.waitpid(process.pid, 0)
        said = f"ended with {os.waitstatus_to_exitcode(status)}"
        if not process.doing:
            self.session.shouldfail = f"a process {said} after its tests" if status else False
            return
        place, *left = process.doing
        failed = self.session.items[place]
        report = pytest.TestReport(
            failed.nodeid, failed.location, {}, "failed", f"the process of this test {said}", "call"
        )
        self.session.config.hook.pytest_runtest_logreport(report=report)
        if left or self.scopes:
            self._start(process.number, left)


class Reports:
    """Sends what a process's tests give to the first process."""

    def __init__(self, config: pytest.Config, link: Connection) -> None:
        self.config = config
        self.link = link

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
        self.link.send(("report", data))


def _work(session: pytest.Session, link: Connection, number: int) -> NoReturn:
    """Run tests in a new process until none is left, and end it."""
    status = 1
    try:
        _be_separate(session.config, number)
        session.config.pluginmanager.register(Reports(session.config, link))
        counted: Any = session.config.pluginmanager.get_plugin("tests.counted_lines")
        if counted:
            counted.process_forked()
        while places := link.recv():
            _run_scope(session, [session.items[place] for place in places], link)
            link.send(("next", None))
        session._setupstate.teardown_exact(None)
        if counted:
            counted.process_ends()
        status = 0
    except BaseException:  # noqa: BLE001, whatever it is, this process ends here
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def _run_scope(session: pytest.Session, items: list[pytest.Item], link: Connection) -> None:
    """Run some tests; after the last, keep the fixtures of the whole session alone."""
    following: list[Any] = [*items[1:], session]
    for item, after in zip(items, following, strict=True):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        link.send(("finish", None))


def _be_separate(config: pytest.Config, number: int) -> None:
    """Have in a new process nothing that the first one has, too: its words, its files, its folder."""
    plugins = config.pluginmanager
    for name in ONLY_OF_THE_FIRST:
        plugins.unregister(name=name) if plugins.has_plugin(name) else None
    capture: Any = plugins.get_plugin("capturemanager")
    capture.stop_global_capturing()
    capture.start_global_capturing()
    capture.suspend_global_capture()
    folders: Any = config
    base = folders._tmp_path_factory.getbasetemp() / f"process-{number}"
    base.mkdir(exist_ok=True)
    folders._tmp_path_factory._basetemp = base
