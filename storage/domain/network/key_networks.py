"""The networks from which an API key may be used."""

import ipaddress
from functools import lru_cache

from storage.domain.errors import BadRequest
from storage.domain.network.trusted_proxies import Network, address_of, listed_network

MOST = 50


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Network, ...]:
    """Read addresses and networks with commas or spaces between them; none means any.

    Raises:
        BadRequest: an entry is something else, or there are too many.
    """
    entries = text.replace(",", " ").split()
    if len(entries) > MOST:
        raise BadRequest("networks", f"{len(entries)} are too many; list at most {MOST}")
    return tuple(map(_network, entries))


def allow(text: str, address: str) -> bool:
    """Return whether a key with these networks may be used from the address."""
    networks = parse(text)
    found = address_of(address)
    return not networks or (found is not None and any(found in network for network in networks))


def within(text: str, outer: str) -> bool:
    """Return whether these networks allow only addresses that the outer ones allow."""
    networks, around = parse(text), parse(outer)
    return bool(networks) and all(any(_lies_in(network, one) for one in around) for network in networks)


def _lies_in(network: Network, outer: Network) -> bool:
    if isinstance(network, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return network.subnet_of(outer)
    if isinstance(network, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return network.subnet_of(outer)
    return False


def _network(entry: str) -> Network:
    try:
        return listed_network(entry)
    except ValueError as error:
        problem = f"{entry[:60]!r} is no address (203.0.113.7) and no network (10.0.0.0/8); list what is"
        raise BadRequest("networks", problem) from error
