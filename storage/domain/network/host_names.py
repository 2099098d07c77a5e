"""The names that the web process answers to, and the path that it lies below."""

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from storage.domain.errors import BadRequest
from storage.domain.network import trusted_proxies
from storage.domain.network.trusted_proxies import address_of

SETTING = "TRANSCRIBER_ALLOWED_HOSTS"
PUBLIC_URL = "TRANSCRIBER_PUBLIC_URL"
ANY = "*"
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_-][a-z0-9_.-]*)(:[0-9]{1,5})?", re.IGNORECASE | re.ASCII)
SUB_PATH = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9._~-]*)+", re.ASCII)
TAKEN = frozenset(
    [
        "_stcore",
        "account",
        "all-recordings",
        "api",
        "asr",
        "assets",
        "audit",
        "auth",
        "campaigns",
        "component",
        "configuration",
        "datasets",
        "detect-language",
        "downloads",
        "events",
        "favicon.png",
        "incoming",
        "index.html",
        "internal",
        "job",
        "join",
        "livez",
        "machines",
        "manifest.json",
        "manifest.webmanifest",
        "media",
        "metrics",
        "oauth2callback",
        "offline",
        "overview",
        "people",
        "performance",
        "prefect",
        "queues",
        "readyz",
        "recordings",
        "reset",
        "retention",
        "search",
        "security",
        "settings",
        "share",
        "shared",
        "site",
        "static",
        "sw.js",
        "system",
        "upload",
        "uploads",
        "v1",
    ]
)
"""What our own paths begin with: below one of them, a path with and without the sub-path would look alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostNames:
    """Known names, in lower case; None stands for any."""

    known: frozenset[str] | None

    @classmethod
    def of(cls, *, listed: str, public_url: str | None, web_url: str | None) -> "HostNames":
        """Return the listed names, those of the addresses, and those of this machine.

        Without a list and a public address, people open the app by whatever name the machine has for them: any.
        """
        names = parse(listed)
        if ANY in names or not (names or public_url):
            return cls(known=None)
        ours = {name for url in (public_url, web_url) if (name := urlsplit(url or "").hostname)}
        return cls(known=frozenset({*names, *ours, "localhost", socket.gethostname().lower()}))

    def has(self, host: str) -> bool:
        """Return whether a Host header names this server.

        An IP address always does: foreign names can be made to lead here (DNS rebinding), an address cannot.
        """
        if self.known is None:
            return True
        name = name_of(host)
        return name is not None and (name in self.known or address_of(name) is not None)


def parse(listed: str) -> set[str]:
    """Read `name, name`; `*` stands for any.

    Raises:
        BadRequest: an entry is no host name.
    """
    names = set()
    for entry in filter(None, map(str.strip, listed.split(","))):
        name = ANY if entry == ANY else name_of(entry)
        if name is None:
            raise BadRequest(SETTING, f"{entry!r} is no host name; list names as in transcriber.lan, nas")
        names.add(name)
    return names


def sub_path_of(public_url: str | None) -> str:
    """Return the path of the public address, as in `/transcriber`; empty at the root.

    Raises:
        BadRequest: it is no address of the web, or its path cannot be served.
    """
    if not public_url:
        return ""
    found = urlsplit(public_url)
    if found.scheme not in {"http", "https"} or not found.hostname:
        raise BadRequest(PUBLIC_URL, f"{public_url!r} is no address; write it as https://host or https://host/path")
    path = found.path.rstrip("/")
    if (path and not SUB_PATH.fullmatch(path)) or found.query or found.fragment:
        problem = f"{public_url!r} has more than a plain path; write it as https://host/transcriber"
        raise BadRequest(PUBLIC_URL, problem)
    first = path.partition("/")[2].partition("/")[0]
    if first in TAKEN:
        raise BadRequest(PUBLIC_URL, f"/{first} is a path of the app itself; choose another one, as in /transcriber")
    return path


def name_of(host: str) -> str | None:
    """Return a Host header's name without its port, in lower case.

    A malformed one has none.
    """
    match = HOST.fullmatch(host)
    return match[1].lower().strip("[]").rstrip(".") if match else None


PARSERS: dict[str, Callable[[str], object]] = {
    "trusted_proxies": trusted_proxies.parse,
    "allowed_hosts": parse,
    "public_url": sub_path_of,
}
"""What reads the settings of a server behind proxies, and refuses what is none."""


def without_login(url: str) -> str:
    """Return an address without the name and password that it may have before its host."""
    protocol, mark, rest = url.partition("://")
    end = next((place for place, char in enumerate(rest) if char in "/?#"), len(rest))
    return f"{protocol}{mark}{rest[:end].rpartition('@')[2]}{rest[end:]}" if mark else url
