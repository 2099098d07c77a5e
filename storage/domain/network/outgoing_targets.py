"""Where requests to addresses that a user named may go.

That is the public internet, and what a setting lists.

The addresses that are not public are those of the IANA registries for special purposes (RFC 6890), and services of
cloud providers at addresses that look public.
"""

import ipaddress
import re
from dataclasses import dataclass

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from storage.domain.errors import BadRequest
from storage.domain.network.trusted_proxies import Address, Network, listed_network

SETTING = "TRANSCRIBER_OUTGOING_ALLOWED"
MAX_URL_CHARS = 2000
HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
IPV6_UNICAST = ipaddress.IPv6Network("2000::/3")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
NEVER = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # Azure's host agent
            "192.0.0.0/24",  # protocols, and Oracle's metadata
            "192.88.99.0/24",  # 6to4 relays
            "2002::/16",  # 6to4, which carries any IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingTargets:
    """The hosts and networks that may be reached although they are not public."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def allow(self, host: str, address: Address) -> bool:
        """Return whether a connection to this address, which the host's name stands for, is allowed."""
        address = _plain(address)
        listed = host.lower().rstrip(".") in self.hosts or any(address in network for network in self.networks)
        return listed or is_public(address)


def is_public(address: Address) -> bool:
    """Return whether this is an address of the public internet, for one receiver."""
    address = _plain(address)
    if isinstance(address, ipaddress.IPv6Address) and address not in IPV6_UNICAST:
        return False
    special = address.is_multicast or address.is_reserved or any(address in network for network in NEVER)
    return address.is_global and not special


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, or the address itself."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address


def parse(text: str) -> OutgoingTargets:
    """Read host names, addresses and networks with commas between them.

    Raises:
        BadRequest: an entry is something else, or a network of everybody.
    """
    hosts, networks = set(), []
    for entry in filter(None, map(str.strip, text.split(","))):
        try:
            network = listed_network(entry.strip("[]"))
        except ValueError:
            hosts.add(_host(entry))
            continue
        if network.prefixlen == 0:
            raise BadRequest(SETTING, f"{entry} would allow everything; list the networks that are meant")
        networks.append(network)
    return OutgoingTargets(hosts=frozenset(hosts), networks=tuple(networks))


def _host(entry: str) -> str:
    name = entry.lower().rstrip(".")
    if not HOST_NAME.fullmatch(name) or not re.search("[a-z]", name):
        problem = f"{entry!r} is no host name (hooks.lan), address (10.0.0.7) or network (10.0.0.0/8); list what is"
        raise BadRequest(SETTING, problem)
    return name


class OutgoingSettings(BaseSettings):
    """Requests to addresses that users name: webhooks, and recordings to download."""

    model_config = SettingsConfigDict(env_prefix="TRANSCRIBER_", env_file=".env", extra="ignore", frozen=True)

    outgoing_allowed: str = Field(
        "",
        description="Hosts, addresses and networks that webhooks and downloads may reach although they are not public, "
        "with commas between them: `hooks.lan, 10.8.0.0/16`. Default: none.",
    )

    @field_validator("outgoing_allowed")
    @classmethod
    def _lists_targets(cls, value: str) -> str:
        parse(value)
        return value

    @property
    def targets(self) -> OutgoingTargets:
        return parse(self.outgoing_allowed)
