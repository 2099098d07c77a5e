"""The process that packs, stores and tries backups.

So the web process goes on answering.

It gets one order as JSON on its standard input, the key among it, and writes one answer to its standard output. It ends
with the process that started it, and runs at a low priority.
"""

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import SecretStr

from storage.backup import backup_work
from storage.backup.backup_store import BackupStore
from storage.backup.backup_work import Snapshot
from storage.domain.errors import TranscriberError
from storage.domain.records import from_json, to_json
from storage.domain.settings import Settings
from storage.files.file_store import Files
from storage.media.parent_death import be_killed_with_parent

NICER_BY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to do with which backup, at which place, with which key."""

    do: Literal["pack", "drill"]
    backup_id: str
    made_at: datetime
    work: Path
    url: str
    endpoint_url: str | None
    needs_folder: bool
    key: str | None

    @classmethod
    def of(
        cls, settings: Settings, do: Literal["pack", "drill"], backup_id: str, made_at: datetime, work: Path
    ) -> Self:
        backup, storage = settings.backup, settings.storage
        at = (backup.backup_url, backup.backup_endpoint_url) if backup.backup_url else (None, None)
        return cls(
            do=do,
            backup_id=backup_id,
            made_at=made_at,
            work=work,
            url=at[0] or storage.root_url,
            endpoint_url=at[1] if at[0] else storage.storage_endpoint_url,
            needs_folder=at[0] is not None,
            key=backup.backup_key.get_secret_value() if backup.backup_key else None,
        )

    def to_bytes(self) -> bytes:
        return to_json(self)


def done(order: Order) -> bytes:
    """Do what is ordered, and return the manifest or the report as JSON."""
    tempfile.tempdir = str(order.work)  # where a bucket's file is copied to; the usual place may be small
    store = BackupStore(Files(order.url, order.endpoint_url), needs_folder=order.needs_folder)
    key = SecretStr(order.key) if order.key else None
    if order.do == "drill":
        return to_json(backup_work.drill(store, order.backup_id, key, order.work))
    taken = Snapshot(id=order.backup_id, made_at=order.made_at, path=order.work / "copied.duckdb")
    return to_json(backup_work.pack_and_keep(taken, store, key))


def main() -> int:
    """Read the order, do it, and write the answer or the reason of a refusal."""
    parent = os.getppid()
    be_killed_with_parent()
    order = from_json(Order, sys.stdin.buffer.read())
    if os.getppid() != parent:
        return 1
    os.nice(NICER_BY)
    try:
        answer = done(order)
    except TranscriberError as error:
        refused = {"code": error.code, "message": str(error), "transient": error.transient}
        sys.stdout.write(json.dumps({"refused": refused}))
        return 2
    sys.stdout.buffer.write(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
