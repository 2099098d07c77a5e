"""Metadata of recordings: what is taken, and what is refused."""

import pytest

from storage.domain.errors import BadRequest
from storage.jobs.annotations.metadata import (
    MAX_CHARS,
    MAX_FIELDS,
    clean_metadata,
    from_column,
    metadata_from_json,
    to_column,
)


def test_metadata_is_an_object_of_texts_in_order_of_its_names() -> None:
    taken = metadata_from_json('{"speaker": "Zoë\\n(guest)", "case": 17, "open": true}')
    assert list(taken.items()) == [("case", "17"), ("open", "true"), ("speaker", "Zoë\n(guest)")]
    assert from_column(to_column(taken)) == taken
    assert (metadata_from_json(None), to_column({}), from_column(""), from_column(None)) == ({}, "", {}, {})


@pytest.mark.parametrize("text", ["[1]", "{", '"x"', '{"a": {"b": 1}}', '{"a": null}', '{"a": ["b"]}', "[" * 100_000])
def test_what_is_no_object_of_texts_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="no JSON object"):
        metadata_from_json(text)


@pytest.mark.parametrize(
    "values",
    [
        {"": "no name"},
        {" padded": "x"},
        {"x" * 65: "long name"},
        {"a\nb": "line break in a name"},
        {"a": "x" * 1001},
        {"a": "\x00"},
        {"a": "\ud800"},
        {"Zo\u00eb": "composed", "Zoe\u0308": "not so"},
        {str(number): "x" for number in range(MAX_FIELDS + 1)},
        {str(number): "x" * 1000 for number in range(MAX_CHARS // 1000)},
    ],
)
def test_what_cannot_be_kept_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        clean_metadata(values)
