"""Cues: every word in exactly one, in order, without overlap, inside the limits."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from storage.domain.records import CueLimits, PinnedCue, Segment, Word
from tasks.exports.cues import UNREADABLE, Cue, cues, text_of
from tasks.text.line_breaking import width

LIMITS = CueLimits()
letters = st.text("abcdefghij", min_size=1, max_size=14)
marks = st.sampled_from(["", "", "", ",", ".", "?"])
timing = st.tuples(st.integers(0, 250), st.integers(0, 120))
spoken = st.lists(st.tuples(letters, marks, timing), min_size=1, max_size=120)


def said(parts: list[tuple[str, str, tuple[int, int]]]) -> list[Segment]:
    words, now = [], 0
    for text, mark, (gap, length) in parts:
        start, end = now + gap, now + gap + length
        words.append(Word(start_s=start / 100, end_s=end / 100, text=f" {text}{mark}", probability=0.9))
        now = end
    return [segment(words)]


def segment(words: list[Word], speaker: str | None = None) -> Segment:
    return Segment(
        start_s=words[0].start_s, end_s=words[-1].end_s, text=text_of(words), words=tuple(words), speaker=speaker
    )


def sentence(text: str, *, start_s: float = 0.0, word_s: float = 0.3, speaker: str | None = None) -> Segment:
    words = [
        Word(
            start_s=start_s + number * (word_s + 0.05),
            end_s=start_s + number * (word_s + 0.05) + word_s,
            text=f" {part}",
            probability=0.9,
        )
        for number, part in enumerate(text.split())
    ]
    return segment(words, speaker)


@given(spoken)
def test_every_word_is_in_exactly_one_cue(parts: list[tuple[str, str, tuple[int, int]]]) -> None:
    segments = said(parts)
    found = cues(segments, LIMITS)
    assert [word for cue in found for word in cue.words] == list(segments[0].words)
    assert " ".join(cue.text.replace("\n", " ") for cue in found) == segments[0].text


@given(spoken)
def test_cues_keep_order_and_never_overlap(parts: list[tuple[str, str, tuple[int, int]]]) -> None:
    found = cues(said(parts), LIMITS)
    assert all(cue.start_s <= cue.end_s for cue in found)
    assert all(before.end_s <= after.start_s for before, after in itertools.pairwise(found))


anything = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("ab -.,「」。、っ字ガ한글ไทยกำကာéé😀\u200d\u0301\n\t")),
    max_size=40,
)
moments = st.floats(-5, 400, allow_nan=False)
word_soup = st.lists(st.tuples(anything, moments, st.floats(0, 90)), max_size=40)
any_limits = st.builds(
    CueLimits,
    max_line_width=st.integers(8, 200),
    max_line_count=st.integers(1, 6),
    min_duration_s=st.floats(0, 10),
    max_duration_s=st.floats(1, 60),
    max_chars_per_s=st.floats(5, 100),
    min_gap_s=st.floats(0, 2),
    speakers=st.booleans(),
)
narrowest = CueLimits(max_line_width=8, max_line_count=1, max_duration_s=1.0)


def soup(parts: list[tuple[str, float, float]], speakers: list[str | None]) -> list[Segment]:
    """Segments of words at any times, even such as no engine gives, by several speakers."""
    words = [Word(start_s=at, end_s=at + length, text=text, probability=0.5) for text, at, length in parts]
    groups = [words[place : place + 7] for place in range(0, len(words), 7)]
    return [
        Segment(
            start_s=group[0].start_s,
            end_s=group[-1].end_s,
            text="".join(word.text for word in group),
            words=tuple(group),
            speaker=speakers[place % len(speakers)],
        )
        for place, group in enumerate(groups)
    ]


def letters_of(text: str) -> str:
    return UNREADABLE.sub("", "".join(text.split()))


@given(
    word_soup,
    st.lists(st.one_of(st.none(), st.sampled_from(["Ann", "Dr. Benjamin Longname", "山田"])), min_size=1, max_size=3),
    any_limits,
    st.booleans(),
)
@example([("a", 0.0, 2.0)] * 8, [None, "Ann"], CueLimits(min_duration_s=2.0, max_duration_s=1.0), False)
@example([("x" * 40, 0.0, 90.0), ("字" * 20, 0.0, 0.0), (" and", 0.0, 0.0)], ["Dr. Benjamin Longname"], narrowest, True)
def test_whatever_is_said_and_asked_for_the_limits_hold(
    parts: list[tuple[str, float, float]], speakers: list[str | None], limits: CueLimits, named: bool
) -> None:
    segments = soup(parts, speakers)
    found = cues(segments, limits, named=named)
    for cue in found:
        lines = cue.text.split("\n")
        assert len(lines) <= limits.max_line_count
        assert max(map(width, lines)) <= limits.max_line_width
        assert 0 < cue.end_s - cue.start_s <= limits.max_duration_s + 0.0011
    assert all(before.end_s <= after.start_s for before, after in itertools.pairwise(found))
    shown = [cue.text for cue in found]
    if not (named and limits.speakers):
        assert letters_of("".join(shown)) == letters_of("".join(segment.text for segment in segments))


@given(word_soup, any_limits)
def test_no_cue_holds_the_words_of_two_speakers(parts: list[tuple[str, float, float]], limits: CueLimits) -> None:
    marked = [(f"{place}:{'ab'[place // 7 % 2]}", at, length) for place, (_, at, length) in enumerate(parts)]
    for cue in cues(soup(marked, ["a", "b"]), limits):
        assert len({word.text[-1] for word in cue.words if ":" in word.text}) <= 1


@given(spoken)
def test_no_cue_stays_longer_than_its_limit(parts: list[tuple[str, str, tuple[int, int]]]) -> None:
    assert all(cue.end_s - cue.start_s <= LIMITS.max_duration_s + 0.001 for cue in cues(said(parts), LIMITS))


@given(spoken)
def test_a_cue_is_short_only_where_the_next_one_comes(parts: list[tuple[str, str, tuple[int, int]]]) -> None:
    found = cues(said(parts), LIMITS)
    for cue, following in zip(found, [*found[1:], None], strict=True):
        room_s = following.start_s - LIMITS.min_gap_s - cue.start_s if following else LIMITS.max_duration_s
        wished_s = max(LIMITS.min_duration_s, width(cue.text) / LIMITS.max_chars_per_s)
        assert cue.end_s - cue.start_s >= min(wished_s, room_s, LIMITS.max_duration_s) - 0.002


def lines_of(found: list[Cue]) -> list[str]:
    return [cue.text for cue in found]


def test_it_breaks_after_a_sentence() -> None:
    found = cues([sentence("We checked our answer at three. On Friday she will show my late contract.")], LIMITS)
    assert lines_of(found) == ["We checked our answer at three.", "On Friday she will show my late contract."]


def test_a_line_breaks_after_a_comma_or_before_a_conjunction() -> None:
    text = "my fellow citizens of the world, ask what together we can do"
    assert lines_of(cues([sentence(text)], LIMITS)) == ["my fellow citizens of the world,\nask what together we can do"]
    text = "they went to the old harbour and they saw the ships leave"
    assert lines_of(cues([sentence(text)], LIMITS)) == ["they went to the old harbour\nand they saw the ships leave"]


def test_a_pause_ends_a_cue() -> None:
    found = cues([sentence("before the pause"), sentence("after it", start_s=10.0)], LIMITS)
    assert lines_of(found) == ["before the pause", "after it"]


def test_speakers_never_share_a_cue() -> None:
    found = cues([sentence("Yes", speaker="Ann"), sentence("No", start_s=0.4, speaker="Ben")], LIMITS)
    assert [(cue.speaker, cue.text) for cue in found] == [("Ann", "Yes"), ("Ben", "No")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("- Are you in? - I am.", ["- Are you in?", "- I am."]),
        ("Are you in? –I am.", ["Are you in?", "–I am."]),
        (">> Are you in >> I am.", [">> Are you in", ">> I am."]),
        ("It got cold. -5 at noon", ["It got cold. -5 at noon"]),
        ("the end - or not", ["the end - or not"]),
    ],
)
def test_a_speaker_that_the_text_marks_starts_a_cue(text: str, shown: list[str]) -> None:
    assert lines_of(cues([sentence(text, word_s=0.1)], LIMITS)) == shown


def test_a_word_wider_than_a_line_is_broken_over_lines() -> None:
    found = cues([sentence("a " + "x" * 60 + " b")], CueLimits(max_line_width=20, max_line_count=3))
    assert lines_of(found) == ["a", "\n".join(["x" * 20] * 3), "b"]


def test_a_name_stands_where_the_speaker_changes_and_counts_as_width() -> None:
    said_ = [sentence("Yes", speaker="Ann"), sentence("of course", start_s=1, speaker="Ann")]
    found = cues([*said_, sentence("No", start_s=4, speaker="Ben")], CueLimits(max_line_width=14), named=True)
    assert lines_of(found) == ["Ann: Yes\nof course", "Ben: No"]
    assert lines_of(cues(said_, CueLimits(speakers=False), named=True)) == ["Yes of course"]


def test_an_abbreviation_ends_no_sentence() -> None:
    found = cues([sentence("We saw Dr. Miller there. He was late again for the very first time.")], LIMITS)
    assert lines_of(found) == ["We saw Dr. Miller there.", "He was late again for the very first time."]


def test_a_slow_reader_gets_the_pause_that_follows() -> None:
    text = "these words are said in a hurry"
    found = cues([sentence(text, word_s=0.1), sentence("later", start_s=5.0)], CueLimits(max_chars_per_s=10))
    assert found[0].end_s == pytest.approx(len(text) / 10, abs=0.001)
    tight = cues([sentence(text, word_s=0.1), sentence("later", start_s=2.5)], CueLimits(max_chars_per_s=10))
    assert tight[0].end_s == pytest.approx(2.5 - 0.083, abs=0.001)


def test_chinese_and_japanese_break_between_characters_and_keep_their_punctuation() -> None:
    text = "「今日はとても良い天気ですね。」公園まで歩いて行きましょう、それから昼ご飯を食べます。"
    found = cues([Segment(start_s=0.0, end_s=12.0, text=text)], CueLimits(max_line_width=16))
    lines = [line for cue in found for line in cue.text.split("\n")]
    assert "".join(lines) == text
    assert all(width(line) <= 16 for line in lines)
    assert not any(line.startswith(("。", "、", "」")) or line.endswith("「") for line in lines)


SOUTH_EAST_ASIAN = {
    "thai": "สวัสดีครับ|วันนี้|เรา|จะ|มา|พูด|ถึง|เรื่อง|การ|เขียน|ภาษา|ไทย|และ|การ|แบ่ง|บรรทัด|ที่|ถูก|ต้อง",
    "lao": "ສະບາຍດີ|ຂ້ອຍ|ຊື່ວ່າ|ພາສາ|ລາວ|ແລະ|ຂ້ອຍ|ຮຽນ|ຢູ່|ໂຮງຮຽນ",
    "burmese": "မြန်မာဘာသာ|စကား|ကို|ပြော|သည်|ကျောင်း|သို့|သွား|သည်",
    "khmer": "ខ្ញុំ|និយាយ|ភាសា|ខ្មែរ|បាន|ហើយ|ខ្ញុំ|រៀន|នៅ|សាលា",
}


@pytest.mark.parametrize("text", SOUTH_EAST_ASIAN.values(), ids=SOUTH_EAST_ASIAN.keys())
@pytest.mark.parametrize("length", [1, 2, 3, 1000])
def test_scripts_without_spaces_break_at_borders_of_words_however_the_engine_cuts_them(text: str, length: int) -> None:
    joined = text.replace("|", "")
    pieces = [joined[at : at + length] for at in range(0, len(joined), length)]
    words = [
        Word(start_s=at * 0.2, end_s=at * 0.2 + 0.2, text=piece, probability=0.9) for at, piece in enumerate(pieces)
    ]
    found = cues([segment(words)], CueLimits(max_line_width=16))
    lines = [line for cue in found for line in cue.text.split("\n")]
    assert "".join(lines) == joined
    assert len(lines) > 1
    borders = {at - place for place, at in enumerate(at for at, letter in enumerate(text) if letter == "|")}
    assert set(itertools.accumulate(map(len, lines[:-1]))) <= borders
    assert all(width(line) <= 16 for line in lines)
    times = [at for cue in found for word in cue.words for at in (word.start_s, word.end_s)]
    assert times == pytest.approx(sorted(times))


def test_a_word_without_spaces_that_is_wider_than_a_line_keeps_letters_and_marks_together() -> None:
    whole = Segment(start_s=0.0, end_s=5.0, text="กำกิ่" * 20)
    lines = [line for cue in cues([whole], CueLimits(max_line_width=8)) for line in cue.text.split("\n")]
    assert "".join(lines) == whole.text
    assert not any(line.startswith(("ำ", "ิ", "่")) for line in lines)


def test_marks_that_fill_more_than_a_line_are_broken_all_the_same() -> None:
    whole = Segment(start_s=0.0, end_s=5.0, text=" က" + "ာ" * 40)
    lines = [line for cue in cues([whole], CueLimits(max_line_width=8)) for line in cue.text.split("\n")]
    assert "".join(lines) == whole.text.strip()
    assert all(width(line) <= 8 for line in lines)


def test_korean_breaks_at_its_spaces() -> None:
    found = cues(
        [Segment(start_s=0.0, end_s=6.0, text="안녕하세요 세계 여러분 반갑습니다 오늘도")], CueLimits(max_line_width=16)
    )
    assert {part for cue in found for part in cue.text.split()} == {
        "안녕하세요",
        "세계",
        "여러분",
        "반갑습니다",
        "오늘도",
    }


def test_marks_and_joiners_take_no_column() -> None:
    assert width("e\u0301") == 1
    assert width("\U0001f469\u200d\U0001f4bb") == 4
    assert width("ab\n漢") == 4


def test_wide_characters_count_twice_and_need_no_spaces() -> None:
    text = "今日はとても良い天気ですから公園まで歩いて行きましょうそれから昼ご飯を食べます"
    words = [
        Word(start_s=number * 0.2, end_s=number * 0.2 + 0.2, text=character, probability=0.9)
        for number, character in enumerate(text)
    ]
    found = cues([segment(words)], LIMITS)
    assert "".join(cue.text.replace("\n", "") for cue in found) == text
    assert all(width(line) <= 42 for cue in found for line in cue.text.split("\n"))
    assert width("今日") == 4


def test_text_without_word_times_is_spread_over_its_segment() -> None:
    found = cues([Segment(start_s=2.0, end_s=6.0, text="spread over four seconds")], LIMITS)
    assert found[0].start_s == 2.0
    assert found[0].end_s == pytest.approx(6.0)


def test_nothing_said_makes_no_cue() -> None:
    assert cues([], LIMITS) == []


def pin(start_s: float, end_s: float, from_s: float, until_s: float, speaker: str | None = None) -> PinnedCue:
    return PinnedCue(start_s=start_s, end_s=end_s, from_s=from_s, until_s=until_s, speaker=speaker)


def test_a_pinned_cue_keeps_its_words_and_times_and_the_others_keep_clear() -> None:
    segments = [sentence("one two three four five six seven eight nine ten eleven twelve")]
    words = segments[0].words
    pinned = [pin(1.2, 1.9, words[3].start_s, words[5].start_s), pin(2.0, 2.2, words[5].start_s, words[6].start_s)]
    found = cues(segments, LIMITS, pinned=pinned)
    assert [(one.text, one.pinned) for one in found] == [
        ("one two three", False),
        ("four five", True),
        ("six", True),
        ("seven eight nine ten eleven twelve", False),
    ]
    assert [(one.start_s, one.end_s) for one in found[1:3]] == [(1.2, 1.9), (2.0, 2.2)]
    assert found[0].end_s <= 1.2
    assert found[3].start_s >= 2.2


def test_a_pinned_cue_may_span_a_pause_but_not_two_speakers() -> None:
    segments = [sentence("one two"), sentence("three", start_s=5.0), sentence("four", start_s=6.0, speaker="B")]
    found = cues(segments, LIMITS, pinned=[pin(0.0, 5.5, 0.0, 7.0)])
    assert [(one.text, one.speaker) for one in found] == [("one two three", None), ("four", "B")]


@given(spoken, st.lists(st.tuples(st.integers(0, 119), st.integers(1, 8), st.integers(-80, 80)), max_size=6))
def test_with_pinned_cues_every_word_is_in_exactly_one_and_none_overlap(
    parts: list[tuple[str, str, tuple[int, int]]], places: list[tuple[int, int, int]]
) -> None:
    segments = said(parts)
    words, pinned, latest_s, until = segments[0].words, [], 0.0, 0
    for at, size, shift in sorted(places):
        if at < until or at >= len(words):
            continue
        until = min(at + size, len(words))
        end_s = words[until].start_s if until < len(words) else words[-1].end_s + 1
        if end_s <= words[at].start_s:
            continue
        start_s = max(latest_s, words[at].start_s + shift / 100)
        latest_s = start_s + 0.5
        pinned.append(pin(start_s, latest_s, words[at].start_s, end_s))
    found = cues(segments, LIMITS, pinned=pinned)
    assert [word for cue in found for word in cue.words] == list(words)
    assert all(cue.start_s < cue.end_s for cue in found)
    assert all(before.end_s <= after.start_s for before, after in itertools.pairwise(found))
