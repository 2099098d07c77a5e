"""Names and passwords that are refused, and why."""

import pytest

from storage.accounts.credential_rules import checked_name, checked_password, look_alike
from storage.domain.errors import BadRequest


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("short one", "use 10 to 1024"),
        ("qwertyuiop", "many people use it"),
        ("Password12", "many people use it"),
        ("LETMEIN!!2024", "many people use it"),
        ("passwordpassword", "many people use it"),
        ("ｐａｓｓｗｏｒｄ１２", "many people use it"),
        ("aaaaaaaaaaaa", "repeats a few characters"),
        ("Robin-12345", "it is the name"),
    ],
)
def test_weak_passwords_are_refused(password: str, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        checked_password(password, name="robin")


@pytest.mark.parametrize(
    "password", ["correct horse battery", "Ärger im Hafen", "7c3f9a1be2", "日本語の長いパスワード"]
)
def test_good_passwords_are_taken_as_they_are(password: str) -> None:
    assert checked_password(password, name="robin") == password


@pytest.mark.parametrize("name", ["adа", "pаypal", "αdmin", "ivan иван"])
def test_names_of_mixed_scripts_are_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="use one script"):
        checked_name(name)


@pytest.mark.parametrize(
    "name", ["ada", "Åse Müller", "иван", "山田 Taro", "김철수", "ada@example.org", "user 7", "محمد"]
)
def test_names_of_one_script_are_taken(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    ("name", "other"),
    [("аԁа", "ada"), ("paypaI", "paypal"), ("paypa1", "PayPal"), ("rnodern", "modern"), ("b0b", "bob"), ("Ⅰvy", "Ivy")],
)
def test_names_that_look_alike_are_found(name: str, other: str) -> None:
    assert look_alike(name, ["somebody", other]) == other
    assert look_alike(other, [name]) == name


@pytest.mark.parametrize(
    ("name", "other"), [("Müller", "Muller"), ("ada", "adam"), ("user 2", "user 3"), ("Åse", "Ase")]
)
def test_names_that_only_resemble_each_other_are_not(name: str, other: str) -> None:
    assert look_alike(name, [other]) is None
