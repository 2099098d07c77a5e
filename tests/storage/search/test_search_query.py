"""Search queries as users type them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.search.search_query import MAX_CHARS, MAX_LEAVES, And, Leaf, Node, Not, Or, parse

A, B, C = Leaf("a"), Leaf("b"), Leaf("c")


@pytest.mark.parametrize(
    ("typed", "node"),
    [
        ("a", A),
        ("a b", And((A, B))),
        ("a AND b", And((A, B))),
        ("a OR b c", Or((A, And((B, C))))),
        ("(a | b) c", And((Or((A, B)), C))),
        ("a -b", And((A, Not(B)))),
        ("a NOT (b OR c)", And((A, Not(Or((B, C)))))),
        ("NOT NOT a", A),
        ("bud*", Leaf("bud", prefix=True)),
        ('"next steps" a', And((Leaf("next steps"), A))),
        ("„nächste Schritte“", Leaf("nächste Schritte")),
        ("a-b", Leaf("a-b")),
        ("and or not", And((Leaf("and"), Leaf("or"), Leaf("not")))),
        ("", None),
        ('- OR ( ) "" *', Leaf("-")),
        ("OR a AND", A),
    ],
)
def test_what_was_typed_is_understood(typed: str, node: Node | None) -> None:
    assert parse(typed, UTC).node == node


def test_filters_hold_for_the_whole_query() -> None:
    query = parse('speaker:"Anna K" lang:de name:budget -name:draft (a OR after:2026-03)', ZoneInfo("Europe/Oslo"))
    assert query.node == A
    assert (query.speakers, query.languages, query.names) == (("Anna K",), ("de",), ("budget",))
    assert query.without_names == ("draft",)
    assert query.since == datetime(2026, 3, 1, tzinfo=ZoneInfo("Europe/Oslo"))
    assert not query.hints


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ('a "b c', "quotation mark"),
        ("(a", "never closed"),
        ("a)", "has no “(”"),
        ("after:yesterday a", "2026-03-31"),
        ("before:2026-13", "2026-03-31"),
        ("speaker: a", "needs a value"),
        ("-speaker:anna", "not known"),
        ("(" * 30 + "a", "too many"),
        (" ".join(f"w{n}" for n in range(MAX_LEAVES + 1)), f"first {MAX_LEAVES}"),
        ("x" * (MAX_CHARS + 1), f"first {MAX_CHARS}"),
    ],
)
def test_what_cannot_be_meant_gets_a_hint(typed: str, hint: str) -> None:
    assert hint in " ".join(parse(typed, UTC).hints)


@given(st.text(alphabet=st.sampled_from('ab"()*-: \x00東ñ“:|&ANDORNOTspeaker:after:2026'), max_size=120))
def test_nothing_that_is_typed_is_an_error(typed: str) -> None:
    parse(typed, UTC)


@given(st.text(max_size=700))
def test_arbitrary_text_never_raises(typed: str) -> None:
    parse(typed, UTC)
