"""Who may use `/asr` and `/detect-language`, whose clients cannot send a key.

A caller is let in by its address, or by a secret in the path (`/asr-SECRET/asr`). Without either, neither path exists.
"""

import hmac
import re
from dataclasses import dataclass

from storage.domain.errors import BadRequest, NotAllowed, NotFound
from storage.domain.network.trusted_proxies import Network, address_of, listed_network

USER, NETWORKS, SECRET = "TRANSCRIBER_ASR_USER", "TRANSCRIBER_ASR_NETWORKS", "TRANSCRIBER_ASR_SECRET"
WAY = re.compile(r"(?:/asr-(?P<secret>[^/]+))?(?P<path>/asr|/detect-language)")
SECRET_FORM = re.compile(r"[A-Za-z0-9_-]{16,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AsrDoor:
    """The account that owns what comes in, and the ways in."""

    user: str | None = None
    networks: tuple[Network, ...] = ()
    secret: str | None = None

    @property
    def is_open(self) -> bool:
        return self.user is not None and bool(self.networks or self.secret)

    def let_in(self, secret: str | None, address: str) -> str:
        """Return the name of the account for whom a caller acts.

        Raises:
            NotFound: it is off, or the secret is wrong.
            NotAllowed: the address is not listed.
        """
        if self.user is None or not self.is_open:
            raise NotFound("endpoint", "/asr")
        if secret is not None:
            if self.secret is None or not hmac.compare_digest(secret.encode(), self.secret.encode()):
                raise NotFound("endpoint", "/asr-…/asr")
            return self.user
        here = address_of(address)
        if here is None or not any(here in network for network in self.networks):
            raise NotAllowed(f"/asr from {address}", f"an address in {NETWORKS}")
        return self.user


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks.

    Raises:
        BadRequest: an entry is something else, or a network of everybody.
    """
    networks: list[Network] = []
    for entry in filter(None, map(str.strip, text.split(","))):
        try:
            network = listed_network(entry)
        except ValueError as error:
            problem = f"{entry!r} is no address (192.168.1.20) and no network (192.168.1.0/24)"
            raise BadRequest(NETWORKS, problem) from error
        if network.prefixlen == 0:
            raise BadRequest(NETWORKS, f"{entry} would let in everybody; list networks, or use {SECRET}")
        networks.append(network)
    return tuple(networks)


def check_secret(secret: str) -> None:
    """Check that a secret can stand in a path and cannot be guessed.

    Raises:
        BadRequest: it cannot, or can.
    """
    if not SECRET_FORM.fullmatch(secret):
        raise BadRequest(SECRET, "take 16 to 100 letters, digits, _ and -")
