"""Daily heads of the audit chain, kept outside the ledger.

Somebody who can write the ledger can compute the whole chain again, or cut it off. A head that is elsewhere shows it:
the row that it names must be there, with the same hash.
"""

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from storage.domain.clock import utc_now
from storage.domain.errors import AlreadyStored, BadRequest
from storage.files.file_store import Files
from storage.ledger import audit
from storage.maintenance import audit_replay

FOLDER = "audit/heads"
MAX_BYTES = 16 << 20
MOST_KEPT = 100
ROWS_AT = "SELECT seq, hash FROM audit WHERE list_contains($seqs, seq)"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """The number of rows and the last hash of the chain at a moment."""

    at: datetime
    rows: int
    hash: str

    def to_line(self) -> str:
        return json.dumps({"at": self.at.isoformat(), "rows": self.rows, "hash": self.hash})


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What `examine` found; the audit log is sound if `problems` is empty."""

    rows: int
    head: str
    heads: int
    broken_at: int | None
    problems: tuple[str, ...]


def current(con: DuckDBPyConnection) -> AuditHead:
    """Return the head of the chain as it is now."""
    rows, digest = audit.head(con)
    return AuditHead(at=utc_now(), rows=rows, hash=digest)


def keep(files: Files, head: AuditHead) -> bool:
    """Store a day's head on storage, once; return whether it is the day's first."""
    name = f"{FOLDER}/{head.at:%Y-%m-%d}.json"
    if files.exists(name):
        return False
    with suppress(AlreadyStored):
        files.create(name, head.to_line().encode())
        return True
    return False


def kept(files: Files, *, most: int = MOST_KEPT) -> list[AuditHead]:
    """Return the newest heads on storage, oldest first; each covers all rows before it."""
    found = sorted(name for name in files.list(FOLDER) if name.endswith(".json"))[-most:]
    return [head for name in found for head in parse(files.read(name).decode(errors="replace"), of=name)]


def read(place: str) -> list[AuditHead]:
    """Return the heads of a file, a folder or another storage URL.

    Raises:
        BadRequest: there is none, or what is there is no head.
    """
    path = Path(place)
    if "://" in place:
        heads = kept(Files(place))
    elif path.is_dir():
        heads = [head for file in sorted(path.rglob("*.json")) for head in parse(_text(file), of=str(file))]
    elif path.is_file():
        heads = parse(_text(path), of=place)
    else:
        raise BadRequest("--against", f"{place} is neither a file nor a folder nor a storage URL")
    if not heads:
        raise BadRequest("--against", f"{place} has no heads of an audit chain")
    return heads


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_BYTES:
        raise BadRequest("--against", f"{path} is too large for heads; name a file of lines with one head each")
    return path.read_text(errors="replace")


def parse(text: str, *, of: str) -> list[AuditHead]:
    """Return the heads in a text, one in a line, whatever syslog puts first.

    Raises:
        BadRequest: a line that looks like a head is none.
    """
    heads = []
    for line in text.splitlines():
        place = line.find('{"at"')
        if place < 0:
            continue
        try:
            told, _ = json.JSONDecoder().raw_decode(line, place)
            head = AuditHead(at=datetime.fromisoformat(told["at"]), rows=int(told["rows"]), hash=str(told["hash"]))
        except (ValueError, TypeError, KeyError) as error:
            raise BadRequest(
                "--against", f"{of} has a line that is no head of an audit chain: {line[:80]!r}"
            ) from error
        heads.append(head)
    return heads


def compare(con: DuckDBPyConnection, heads: Sequence[AuditHead]) -> list[str]:
    """Return how the chain differs from heads that were kept, in words."""
    count, _ = audit.head(con)
    there = dict(con.execute(ROWS_AT, {"seqs": [head.rows for head in heads]}).fetchall())
    return list(_differences(heads, count, there))


def _differences(heads: Sequence[AuditHead], count: int, there: dict[int, str]) -> Iterable[str]:
    for head in heads:
        if head.rows == 0 or there.get(head.rows) == head.hash:
            continue
        day = f"the head of {head.at:%Y-%m-%d %H:%M} UTC"
        if head.rows > count:
            yield f"{day} has {head.rows} rows, the chain only {count}: it was shortened, or an older ledger restored"
        else:
            yield f"{day} has another row {head.rows}: the chain was computed again, or another ledger is here"


def examine(con: DuckDBPyConnection, heads: Sequence[AuditHead]) -> AuditReport:
    """Check the chain by itself, against heads that were kept, and against the tables."""
    rows, digest = audit.head(con)
    problems = []
    if (broken := audit.verify(con)) is not None:
        problems.append(f"the audit chain is broken at row {broken}: that row or an earlier one was tampered with")
    problems += compare(con, heads)
    problems += audit_replay.differences(con)
    return AuditReport(rows=rows, head=digest, heads=len(heads), broken_at=broken, problems=tuple(problems))
