"""What scheduled batches may read, and whose it is."""

from pathlib import Path

import pytest

from storage.domain.batch_sources import allowed, parse
from storage.domain.errors import BadRequest, NotAllowed
from storage.domain.settings.web_settings import WebSettings


def test_a_source_belongs_to_the_owner_of_the_narrowest_entry(tmp_path: Path) -> None:
    (tmp_path / "in" / "alice").mkdir(parents=True)
    listed = parse(f"bob={tmp_path}/in, alice={tmp_path}/in/alice,carol=s3://bucket/c/")

    assert allowed(listed, f"{tmp_path}/in/x.wav").owner == "bob"
    assert allowed(listed, f"{tmp_path}/in/alice").owner == "alice"
    assert allowed(listed, "s3://bucket/c").owner == "carol"
    assert allowed(listed, "s3://bucket/c/d", "carol").owner == "carol"


@pytest.mark.parametrize(
    "source",
    ["/etc", "{in_}/../other", "{in_}stead", "{in_}/link/x.wav", "s3://bucket/cc", "s3://bucket/c/../d", "s3://bucket"],
)
def test_what_is_not_listed_is_refused(tmp_path: Path, source: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "other")
    listed = parse(f"alice={tmp_path}/in, alice=s3://bucket/c")

    with pytest.raises(NotAllowed, match="TRANSCRIBER_BATCH_SOURCES"):
        allowed(listed, source.format(in_=tmp_path / "in"))


def test_nobody_takes_what_is_anothers(tmp_path: Path) -> None:
    listed = parse(f"alice={tmp_path}")

    with pytest.raises(NotAllowed, match=f"reading {tmp_path} for mallory requires an entry in"):
        allowed(listed, str(tmp_path), "mallory")


def test_a_refused_address_is_told_without_its_login() -> None:
    with pytest.raises(NotAllowed, match=r"reading https://host/a\.wav requires"):
        allowed(parse(""), "https://ann:password@host/a.wav")


def test_nothing_is_listed_at_first() -> None:
    with pytest.raises(NotAllowed):
        allowed(parse(""), "/")


@pytest.mark.parametrize("text", ["/folder", "alice=", "alice=relative/folder", "=/folder", "a=/b,c"])
def test_an_entry_without_owner_or_place_is_named(text: str) -> None:
    with pytest.raises(BadRequest, match="TRANSCRIBER_BATCH_SOURCES"):
        parse(text)


@pytest.mark.parametrize("name", ["batch_sources", "batch_targets"])
def test_a_wrong_list_is_refused_when_settings_are_read(name: str) -> None:
    with pytest.raises(BadRequest, match=f"TRANSCRIBER_{name.upper()}"):
        WebSettings.model_validate({name: "/folder"})


@pytest.mark.parametrize("source", ["", " ", "/a\0b"])
def test_no_source_is_refused(source: str) -> None:
    with pytest.raises(BadRequest):
        allowed(parse("a=/"), source)
