"""Addresses that a user named: public ones, and what a setting lists."""

import ipaddress

import pytest

from storage.domain.errors import BadRequest
from storage.domain.network.outgoing_targets import is_public, parse

PRIVATE = """
127.0.0.1 127.9.9.9 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 100.100.100.200 0.0.0.0 0.1.2.3
192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 168.63.129.16
192.88.99.1 ::1 :: fe80::1 fe80::1%eth0 fec0::1 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1 3fff::1 2001::1 2002:7f00:1::
::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::1 100::1
"""
PUBLIC = "1.1.1.1 93.184.216.34 2606:4700::1111 ::ffff:1.1.1.1 64:ff9b::1.1.1.1"


def test_private_and_special_addresses_are_not_public() -> None:
    assert [text for text in PRIVATE.split() if is_public(ipaddress.ip_address(text))] == []
    assert [text for text in PUBLIC.split() if not is_public(ipaddress.ip_address(text))] == []


def test_listed_hosts_and_networks_are_allowed() -> None:
    targets = parse("hooks.lan, 10.8.0.0/16, 192.168.1.7, [fd00::7]")
    inside = ipaddress.ip_address("10.8.3.4")
    assert targets.allow("anything", inside)
    assert targets.allow("anything", ipaddress.ip_address("::ffff:10.8.3.4"))
    assert targets.allow("Hooks.LAN.", ipaddress.ip_address("10.9.0.1"))
    assert targets.allow("x", ipaddress.ip_address("fd00::7"))
    assert parse("::ffff:10.8.0.0/112").allow("x", inside)
    assert not targets.allow("other.lan", ipaddress.ip_address("10.9.0.1"))
    assert not targets.allow("x", ipaddress.ip_address("192.168.1.8"))


@pytest.mark.parametrize(
    "text", ["0.0.0.0/0", "::/0", "::ffff:0.0.0.0/96", "http://hooks.lan", "10.0.0.999", "a b", "*", "10.0.0.0/99"]
)
def test_a_setting_that_means_something_else_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="TRANSCRIBER_OUTGOING_ALLOWED"):
        parse(text)
