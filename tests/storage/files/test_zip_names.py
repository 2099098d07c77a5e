"""Names of files in a ZIP: short, distinct, and legal on Windows, macOS and Linux."""

import re

import pytest

from storage.files.zip_names import MAX_NAME_BYTES, DistinctStems, stem_of

LONGEST_ENDING = ".docx"
LEGAL_ON_WINDOWS = re.compile(r"[^\x00-\x1f<>:\"/\\|?*]+(?<![. ])")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CON.wav", "_CON"),
        ("nul", "_nul"),
        ("com1.tar.gz", "_com1.tar"),
        ("LPT³.mp3", "_LPT³"),
        ("aux .x.wav", "_aux .x"),
        ("CONIN$.wav", "_CONIN$"),
        ("console.wav", "console"),
        ("com10.wav", "com10"),
        ('a<b>c:d"e|f?g*h\\i.wav', "a_b_c_d_e_f_g_h_i"),
        ("trailing. . .wav", "trailing"),
        ("... .wav", "recording"),
        ("bell\x07\u202egpj.wav", "bell__gpj"),
        ("half a pair \ud800.wav", "half a pair _"),
        ("cafe\u0301.wav", "caf\u00e9"),
    ],
)
def test_a_stem_is_legal_everywhere(name: str, expected: str) -> None:
    assert stem_of(name) == expected
    assert LEGAL_ON_WINDOWS.fullmatch(stem_of(name))


@pytest.mark.parametrize("char", ["a", "é", "語", "🎙"])
def test_two_hundred_of_one_long_name_are_short_and_distinct(char: str) -> None:
    stems = DistinctStems()
    names = [f"{stems.add(char * 200 + '.wav')}{LONGEST_ENDING}" for _ in range(200)]

    assert max(len(name.encode()) for name in names) <= MAX_NAME_BYTES
    assert len({name.casefold() for name in names}) == 200


def test_a_cut_leaves_no_dot_or_space_at_the_end() -> None:
    assert stem_of("a" * 178 + ". end of it.wav") == "a" * 178


def test_a_numbered_name_that_somebody_chose_is_not_given_twice() -> None:
    stems = DistinctStems("Contents")
    given = [stems.add(name) for name in ("talk (2).wav", "TALK.wav", "talk.mp3", "Talk.ogg", "contents.wav")]
    assert given == ["talk (2)", "TALK", "talk (3)", "Talk (4)", "contents (2)"]
