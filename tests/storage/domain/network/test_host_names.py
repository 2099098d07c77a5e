"""The names that the app answers to."""

import socket

import pytest

from storage.domain.errors import BadRequest
from storage.domain.network.host_names import name_of, without_login
from storage.domain.settings import WebSettings


def names(**web: str) -> WebSettings:
    return WebSettings(_env_file=None, **web)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["nas", "nas.local:8501", "192.168.1.7:8501", "evil.example", "", "\x00"])
def test_without_a_public_address_any_name_works(host: str) -> None:
    assert names().host_names.has(host)


@pytest.mark.parametrize(
    "host",
    [
        "t.example",
        "T.Example.:443",
        "localhost:8501",
        "127.0.0.1:8501",
        "192.168.1.7",
        "[::1]:8501",
        "[2001:db8::1]",
        "web.lan:8501",
        "nas",
        "box.lan",
        socket.gethostname(),
    ],
)
def test_with_one_our_names_and_addresses_work(host: str) -> None:
    web = names(public_url="https://t.example/", web_url="http://web.lan:8501", allowed_hosts="NAS, box.lan:80")
    assert web.host_names.has(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "t.example.evil.example",
        "xt.example",
        "evil@t.example",
        "t.example/",
        "t.example:port",
        "t.example, evil.example",
        "1.2.3.4.evil.example",
        "[::1",
        "[]",
        "[...]",
        "\u212a.example",
        "t.exam\u0440le",
        "t.example\n",
        " ",
        "-",
        ".",
    ],
)
def test_with_one_other_names_and_garbage_do_not(host: str) -> None:
    assert not names(public_url="https://t.example").host_names.has(host)


def test_a_star_allows_any_name() -> None:
    assert names(public_url="https://t.example", allowed_hosts="*").host_names.has("evil.example")


def test_a_list_alone_is_a_list() -> None:
    assert not names(allowed_hosts="nas").host_names.has("evil.example")


@pytest.mark.parametrize(
    ("setting", "wrong"), [("allowed_hosts", "https://nas"), ("allowed_hosts", "a b"), ("public_url", "t.example")]
)
def test_a_setting_that_is_no_name_is_refused_at_the_start(setting: str, wrong: str) -> None:
    with pytest.raises(BadRequest, match=f"TRANSCRIBER_{setting.upper()}"):
        names(**{setting: wrong})


def test_a_name_is_read_without_its_port() -> None:
    assert name_of("[FD00::1]:80") == "fd00::1"
    assert name_of("a:b:c") is None


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://ann:p%40ss@host:8/a@b/", "https://host:8/a@b/"),
        ("ftp://ann:p@ss@host", "ftp://host"),
        ("https://host?next=a@b", "https://host?next=a@b"),
        ("s3://bucket/a@b:c", "s3://bucket/a@b:c"),
        ("folder/a@b", "folder/a@b"),
    ],
)
def test_an_address_is_told_without_its_login(url: str, told: str) -> None:
    assert without_login(url) == told
