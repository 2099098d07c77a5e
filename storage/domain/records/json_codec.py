"""Convert records to JSON and back."""

from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from pydantic import TypeAdapter


T = TypeVar("T")


_ADAPTERS: "dict[type, TypeAdapter[Any]]" = {}


def _adapter(kind: type) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter  # imported here, so that the command line's help starts quickly

    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def to_json(record: object) -> bytes:
    """Return any record of the domain as JSON bytes."""
    return _adapter(type(record)).dump_json(record)


def from_json(kind: type[T], data: bytes | str) -> T:
    """Read a record from JSON, validating every field.

    Raises:
        pydantic.ValidationError: the bytes are not a valid `kind`.
    """
    return cast(T, _adapter(kind).validate_json(data))
