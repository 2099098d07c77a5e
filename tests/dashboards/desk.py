"""The page script on a real ledger, with users and jobs in all states."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboards.pages.registry import PAGES
from dashboards.runtime import context
from dashboards.runtime.context import Context
from storage.accounts import sessions, users
from storage.domain.clock import utc_now
from storage.domain.records import Job, JobState, Role, User
from storage.domain.settings import Settings
from storage.files.file_store import Files
from storage.jobs import job_store
from storage.ledger.database import Ledger
from storage.remote.worker_registry import ModelState
from tests.factories import heartbeat, job_in
from tests.waiting import PATIENCE_S

SCRIPT = Path(__file__).parents[2] / "dashboards" / "pages" / "navigation.py"
PASSWORD = "correct horse battery"


@dataclass(slots=True, kw_only=True)
class Desk:
    """A ledger, and pages to look at it."""

    holder: Context

    @property
    def ledger(self) -> Ledger:
        return self.holder.ledger

    def user(self, name: str = "ada", role: Role = Role.MEMBER, *, must_change: bool = False) -> User:
        """Make a user whose password is PASSWORD."""
        return self.ledger.run(
            users.create, name=name, password=PASSWORD, role=role, must_change=must_change, actor="system:test"
        )

    def session(self, user: User) -> str:
        """Sign the user in with one more browser; return the session's id."""
        _, session = self.ledger.run(sessions.start, user, client="127.0.0.1 Firefox/1", now=utc_now(), max_days=1)
        return session.id

    def page(self, view: str, user: User | None, **query: str) -> AppTest:
        """Open a page (a key of the registry) as the user, in a new browser; as nobody where there is none.

        The browser opens the page's own address: to go there from the list would draw the list as well.

        Raises:
            ValueError: the page is not among those that the user may open.
        """
        at = AppTest.from_file(str(SCRIPT), default_timeout=PATIENCE_S)
        at.user = {"uid": user.id, "sid": self.session(user)} if user else {"uid": None, "sid": None}
        if view != "jobs":
            at._page_hash = calc_hash(PAGES[view].path)
        at.query_params.update(query)
        at.run()
        if view != "jobs":
            go_to(at, view)
        assert not at.exception, at.exception
        return at

    def look(self, job: Job) -> Job:
        with self.ledger.read() as con:
            return job_store.get(con, job.id)

    def job(self, owner: User, state: JobState = JobState.QUEUED, **given: Any) -> Job:
        """Make a job and take it as far as `state`; see `factories.job_in`."""
        return job_in(self.ledger, self.holder.files, owner, state, **given)

    def beat(self, *, model: ModelState | None = None, busy: int = 0) -> None:
        """Let a worker of each pool say that it is there."""
        for pool, heard in (("cpu", None), ("gpu", model)):
            self.holder.workers.beat(
                heartbeat(
                    pool,
                    name=f"{pool}-here",
                    slots=2,
                    busy=busy,
                    default_model=heard,
                    models=(heard,) if heard else (),
                )
            )


@contextmanager
def sitting(settings: Settings) -> Iterator[Desk]:
    """Open a ledger and put it up for the pages.

    Each AppTest makes a runtime, which would read the metadata of every installed package in search of components
    that declare themselves there; ours do not, and it takes longer than all the rest.
    """
    with (
        patch.object(BidiComponentManager, "discover_and_register_components"),
        Ledger.open(settings.storage.ledger_path) as ledger,
    ):
        holder = Context(settings=settings, ledger=ledger, files=Files.from_settings(settings.storage))
        with context.use(holder):
            yield Desk(holder=holder)


def go_to(at: AppTest, key: str) -> None:
    """Let the next run open a page by its key in the registry; `AppTest.switch_page` knows pages by files alone.

    Raises:
        ValueError: the page is not among those that the last run registered.
    """
    wanted = calc_hash(PAGES[key].path)
    if wanted not in at._registered_pages:
        raise ValueError(f"{key} is not registered")
    at._page_hash = wanted


def component(at: AppTest, name: str) -> dict[str, Any]:
    """Return what a component of ours was given to show."""
    found = [one for one in at.get("bidi_component") if one.proto.component_name == f"transcriber_{name}"]
    assert found, f"there is no {name} on this page"
    given: dict[str, Any] = json.loads(found[0].proto.json)[0]
    return given


def has(at: AppTest, name: str) -> bool:
    """Tell whether a component of ours is on the page."""
    return any(one.proto.component_name == f"transcriber_{name}" for one in at.get("bidi_component"))


def words(at: AppTest) -> str:
    """Return all that is said on the page outside of components."""
    kinds = (at.title, at.header, at.markdown, at.caption, at.info, at.warning, at.error, at.success, at.get("html"))
    said = [getattr(one, "value", None) or getattr(one.proto, "body", "") for kind in kinds for one in kind]
    return "\n".join(str(one) for one in said)


def button(at: AppTest, label: str) -> Any:
    """Return the button with this label."""
    found = [one for one in at.button if one.label == label]
    assert found, f"no button {label!r} among {[one.label for one in at.button]}"
    return found[0]


def labels(at: AppTest) -> list[str]:
    return [one.label for one in at.button]
