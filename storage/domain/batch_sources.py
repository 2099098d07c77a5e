"""The sources that scheduled batches may read, each with the recordings' owner."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.domain.errors import BadRequest, NotAllowed
from storage.domain.network.host_names import without_login

BUCKETS = "s3://"
ADDRESS = "://"
WEB = ("http://", "https://")
SETTING = "TRANSCRIBER_BATCH_SOURCES"
TARGETS_SETTING = "TRANSCRIBER_BATCH_TARGETS"
PROTOCOL = re.compile(r"[a-z][a-z0-9+.-]*://[^/]")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSource:
    """A folder or `s3://` prefix, and the user who owns its recordings."""

    owner: str
    root: str

    def holds(self, source: str) -> bool:
        """Return whether a source is this one or lies in it, links and `..` resolved."""
        if (ADDRESS in source) != (ADDRESS in self.root):
            return False
        if ADDRESS in source:
            plain = not re.search(r"%2e|%2f|\\", source, re.IGNORECASE) if source.startswith(WEB) else True
            below = f"{source.rstrip('/')}/".startswith(f"{self.root.rstrip('/')}/")
            return below and plain and ".." not in source.split("/")
        return Path(source).resolve().is_relative_to(Path(self.root).resolve())


def parse(text: str, setting: str = SETTING) -> list[BatchSource]:
    """Read `owner=source, owner=source`.

    Raises:
        BadRequest: an entry has no owner, or names neither an absolute folder nor a bucket.
    """
    sources = []
    for entry in filter(None, map(str.strip, text.split(","))):
        owner, _, root = (part.strip() for part in entry.partition("="))
        if not owner or root.startswith("file:") or not (root.startswith("/") or PROTOCOL.match(root)):
            raise BadRequest(setting, f"{entry!r} is not owner=/folder or owner=s3://bucket/prefix")
        sources.append(BatchSource(owner=owner, root=root))
    return sources


def allowed(
    sources: Sequence[BatchSource], source: str, owner: str | None = None, setting: str = SETTING
) -> BatchSource:
    """Return the narrowest listed source that holds this one.

    An owner that is named must be its owner.

    Raises:
        BadRequest: there is no source.
        NotAllowed: it is not listed, or not for this owner.
    """
    if not source.strip() or "\0" in source:
        raise BadRequest("source", "name a folder, a file or s3://bucket/prefix")
    holding = [each for each in sources if each.holds(source)]
    fitting = [each for each in holding if owner is None or each.owner == owner]
    if not fitting:
        whose = f" for {owner}" if holding and owner is not None else ""
        doing = "reading" if setting == SETTING else "writing to"
        raise NotAllowed(f"{doing} {without_login(source)}{whose}", f"an entry in {setting}")
    return max(fitting, key=lambda each: len(each.root.rstrip("/")))
