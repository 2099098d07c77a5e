"""Which proxies are trusted, and which client address their headers give."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from storage.domain.errors import BadRequest

SETTING = "TRANSCRIBER_TRUSTED_PROXIES"
MOST_HOPS = 10
LONGEST_ADDRESS = 80
MAPPED_BITS, ZONE = 96, re.compile("%[^/]*")
V6_NETWORK_BITS = 64
"""One subscriber has at least so many addresses, which are counted together."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedProxies:
    """Proxies by their networks, or by their number between a client and this server."""

    networks: tuple[Network, ...] = ()
    hops: int = 0

    def trusts(self, peer: str) -> bool:
        """Return whether what this peer says about its client may be believed."""
        return self.hops > 0 or self._lists(address_of(peer))

    def client_of(self, peer: str, forwarded_for: Sequence[str]) -> tuple[str, int]:
        """Return the client's address, and how many trusted proxies the request passed.

        `forwarded_for` has one address from each proxy, the nearest proxy's last; a client can forge only the
        first ones. An entry that is no address ends the search at the proxy that sent it. With a number of hops, a
        request with fewer entries did not come through all proxies, so that its peer is the client.
        """
        near = address_of(peer)
        here = str(near) if near else peer
        if self.hops:
            if len(forwarded_for) < self.hops:
                return here, 0
            found = address_of(forwarded_for[-self.hops])
            return (str(found) if found else here), self.hops
        if not self._lists(near):
            return here, 0
        client, passed = here, 1
        for entry in reversed(forwarded_for):
            found = address_of(entry)
            if found is None:
                break
            client = str(found)
            if not self._lists(found):
                break
            passed += 1
        return client, passed

    def _lists(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)


def parse(text: str) -> TrustedProxies:
    """Read addresses and networks, or one number of proxies; nothing and 0 trust nobody.

    Raises:
        BadRequest: an entry is something else, or a network of everybody.
    """
    entries = [entry for entry in map(str.strip, text.split(",")) if entry]
    if len(entries) == 1 and entries[0].isascii() and entries[0].isdigit():
        if len(entries[0]) > 2 or int(entries[0]) > MOST_HOPS:
            raise BadRequest(SETTING, f"{entries[0][:20]} proxies are too many; there are at most {MOST_HOPS}")
        return TrustedProxies(hops=int(entries[0]))
    return TrustedProxies(networks=tuple(map(_network, entries)))


def _network(entry: str) -> Network:
    try:
        network = listed_network(entry)
    except ValueError as error:
        problem = f"{entry!r} is no address (10.0.0.2), network (10.0.0.0/8) or number of proxies (1); list what is"
        raise BadRequest(SETTING, problem) from error
    if network.prefixlen == 0:
        raise BadRequest(SETTING, f"{entry} would trust everybody; list the proxies, or give their number")
    return network


def listed_network(entry: str) -> Network:
    """Return the network of an entry in a list.

    IPv4 in IPv6 is IPv4, and a zone is left out, as in `address_of`.

    Raises:
        ValueError: it is neither a network nor an address.
    """
    network = ipaddress.ip_network(ZONE.sub("", entry), strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is None or network.prefixlen < MAPPED_BITS:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - MAPPED_BITS), strict=False)


def address_of(text: str) -> Address | None:
    """Return an IP address without its port and zone; None if it is none.

    IPv4 in IPv6 is IPv4.
    """
    return _known_address(text) if len(text) <= LONGEST_ADDRESS else None


@lru_cache(maxsize=4096)
def _known_address(text: str) -> Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def is_loopback(text: str) -> bool:
    """Return whether this is an address of this machine alone."""
    address = address_of(text)
    return address is not None and address.is_loopback


def network_of(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or an IPv6 network."""
    if ":" not in address:
        return address
    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.IPv6Network((found.packed[:8] + bytes(8), V6_NETWORK_BITS)))
