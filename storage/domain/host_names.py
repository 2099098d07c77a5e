"""The names that the web process answers to."""

import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from storage.domain.errors import BadRequest
from storage.domain.trusted_proxies import address_of

SETTING = "TRANSCRIBER_ALLOWED_HOSTS"
ANY = "*"
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_-][a-z0-9_.-]*)(:[0-9]{1,5})?", re.IGNORECASE | re.ASCII)


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


def name_of(host: str) -> str | None:
    """Return a Host header's name without its port, in lower case.

    A malformed one has none.
    """
    match = HOST.fullmatch(host)
    return match[1].lower().strip("[]").rstrip(".") if match else None
