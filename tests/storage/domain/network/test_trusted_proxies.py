"""A client's address is found behind trusted proxies, and nobody else chooses it."""

import pytest

from storage.domain.errors import BadRequest
from storage.domain.network.trusted_proxies import address_of, is_loopback, parse
from storage.domain.settings import WebSettings

LAN = "10.0.0.0/8, fd00::/8, ::1"


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded_for", "found"),
    [
        # Nobody is trusted, or not this peer.
        ("", "10.0.0.2", ["203.0.113.7"], ("10.0.0.2", 0)),
        ("0", "10.0.0.2", ["203.0.113.7"], ("10.0.0.2", 0)),
        (LAN, "192.0.2.1", ["203.0.113.7"], ("192.0.2.1", 0)),
        (LAN, "2001:db8::1", ["203.0.113.7"], ("2001:db8::1", 0)),
        (LAN, "testclient", ["203.0.113.7"], ("testclient", 0)),
        # Networks are listed as addresses are read: IPv4 in IPv6 is IPv4, and a zone is none of an address.
        ("::ffff:10.0.0.2", "10.0.0.2", ["203.0.113.7"], ("203.0.113.7", 1)),
        ("::ffff:10.0.0.0/104", "10.9.0.2", ["203.0.113.7"], ("203.0.113.7", 1)),
        ("fe80::1%eth0", "fe80::1%eth0", ["203.0.113.7"], ("203.0.113.7", 1)),
        # One proxy, and what the client wrote before it.
        (LAN, "10.0.0.2", ["203.0.113.7"], ("203.0.113.7", 1)),
        (LAN, "10.0.0.2", ["127.0.0.1", "203.0.113.7"], ("203.0.113.7", 1)),
        (LAN, "10.0.0.2", ["10.0.0.9", "203.0.113.7"], ("203.0.113.7", 1)),
        (LAN, "10.0.0.2", [], ("10.0.0.2", 1)),
        # Two proxies.
        (LAN, "10.0.0.2", ["6.6.6.6", "203.0.113.7", "10.0.0.3"], ("203.0.113.7", 2)),
        (LAN, "10.0.0.2", ["10.9.9.9", "10.0.0.3"], ("10.9.9.9", 3)),
        # IPv6, its zones and ports, and IPv4 in it.
        (LAN, "fd00::2", ["2001:db8::7"], ("2001:db8::7", 1)),
        (LAN, "::1", ["[2001:DB8:0::7]:4711"], ("2001:db8::7", 1)),
        (LAN, "::ffff:10.0.0.2", ["::ffff:203.0.113.7"], ("203.0.113.7", 1)),
        ("fe80::/10", "fe80::2%eth0", ["203.0.113.7:99"], ("203.0.113.7", 1)),
        # Garbage ends the search at the proxy that sent it.
        (LAN, "10.0.0.2", ["203.0.113.7", "unknown"], ("10.0.0.2", 1)),
        (LAN, "10.0.0.2", ["203.0.113.7", "<script>", "10.0.0.3"], ("10.0.0.3", 2)),
        (LAN, "10.0.0.2", ["[", "::1]:", "1.2.3.4.5"], ("10.0.0.2", 1)),
        # By number.
        ("1", "192.0.2.1", ["6.6.6.6", "203.0.113.7"], ("203.0.113.7", 1)),
        ("2", "192.0.2.1", ["6.6.6.6", "203.0.113.7", "192.0.2.9"], ("203.0.113.7", 2)),
        ("2", "192.0.2.1", ["203.0.113.7"], ("192.0.2.1", 0)),
        ("1", "192.0.2.1", ["nobody"], ("192.0.2.1", 1)),
    ],
)
def test_the_client_is_the_last_one_that_a_trusted_proxy_names(
    proxies: str, peer: str, forwarded_for: list[str], found: tuple[str, int]
) -> None:
    assert parse(proxies).client_of(peer, forwarded_for) == found


@pytest.mark.parametrize(
    "wrong", ["*", "proxy.lan", "10.0.0.0/33", "0.0.0.0/0", "::/0", "::ffff:0:0/96", "1, 2", "11", "-1", "9" * 99]
)
def test_a_setting_that_names_no_proxies_is_refused_at_the_start(wrong: str) -> None:
    with pytest.raises(BadRequest, match="TRANSCRIBER_TRUSTED_PROXIES"):
        WebSettings(trusted_proxies=wrong, _env_file=None)


def test_proxies_on_this_machine_are_trusted_by_default() -> None:
    proxies = WebSettings(_env_file=None).proxies
    assert proxies.trusts("127.0.0.1")
    assert proxies.trusts("::1")
    assert not proxies.trusts("192.168.1.7")
    assert not proxies.trusts("")


def test_an_address_is_an_address_only() -> None:
    assert address_of("localhost") is None
    assert address_of("") is None
    assert is_loopback("::ffff:127.0.0.1")
    assert is_loopback("127.8.8.8:80")
    assert not is_loopback("testclient")
