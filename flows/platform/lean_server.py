"""What the Prefect server does without, so that it takes 22 MB less."""

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.media.parent_death import die_with
from tasks.models.lazy_modules import imported_when_used

if TYPE_CHECKING:
    from prefect.context import SettingsContext


def import_server(*, on_sqlite: bool) -> None:
    """Import the server without type checks of what it stores.

    On SQLite, PostgreSQL's client is imported when it is used.
    """
    with without_beartype():
        if on_sqlite:
            with imported_when_used("asyncpg"):
                import prefect.server.api.server
        else:
            import prefect.server.api.server  # noqa: F401


@contextmanager
def without_beartype() -> Iterator[None]:
    """Let `key_value` leave out its checks of arguments: 9 MB.

    PY_KEY_VALUE_DISABLE_BEARTYPE turns them off, but imports beartype all the same.
    """
    spec = find_spec("beartype")
    if spec is None:
        yield
        return
    folders = spec.submodule_search_locations or []
    unchecked = {"BeartypeConf": _nothing, "BeartypeStrategy": _Strategy, "beartype": _as_it_is}
    with (
        imported_when_used("beartype", __path__=folders, **unchecked),
        imported_when_used("beartype.claw", __path__=[], beartype_this_package=_nothing),
    ):
        yield


class _Strategy:
    O0 = O1 = None


def _nothing(**_: Any) -> None:
    pass


def _as_it_is(**_: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return lambda function: function


def is_in_memory(url: str) -> bool:
    """Return whether an SQLite database is in the memory of whoever opens it.

    Prefect decides it by the same words.
    """
    return ":memory:" in url or "mode=memory" in url


def migrate_apart(prepare: Callable[[], None]) -> "SettingsContext":
    """Migrate the database in a process of its own, and return settings for the server.

    With them, it migrates nothing. Alembic, its templates and the migrations are 11 MB, and are not needed afterwards.
    Where this process cannot be forked, or has the database in its memory, the settings stay, so that the server
    migrates.
    """
    from prefect.context import get_settings_context

    context = get_settings_context()
    database = context.settings.server.database
    url = database.connection_url.get_secret_value() if database.connection_url else ""
    alone = sys.platform == "linux" and sum(1 for _ in Path("/proc/self/task").iterdir()) == 1
    if not alone or is_in_memory(url):
        prepare()
        return context
    migrating = multiprocessing.get_context("fork").Process(
        target=_migrate, args=(prepare, os.getpid()), kwargs={"wanted": database.migrate_on_start}
    )
    migrating.start()
    migrating.join()
    if migrating.exitcode:
        sys.stderr.write(f"the database was not migrated: the process that does it ended with {migrating.exitcode}\n")
        sys.exit(migrating.exitcode if migrating.exitcode > 0 else 1)
    server = context.settings.server.model_copy(
        update={"database": database.model_copy(update={"migrate_on_start": False})}
    )
    return type(context)(profile=context.profile, settings=context.settings.model_copy(update={"server": server}))


def _migrate(prepare: Callable[[], None], parent: int, *, wanted: bool) -> None:
    from prefect.server.database import provide_database_interface

    die_with(parent)
    prepare()
    if wanted:
        asyncio.run(provide_database_interface().create_db())
