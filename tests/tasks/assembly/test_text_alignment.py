"""A corrected text takes the place of a transcript; its words get times between those that stay."""

from collections.abc import Sequence

import pytest

from storage.domain.errors import TextDoesNotMatch
from storage.domain.records import Options, Segment, Transcript, Word
from storage.transcripts.word_alignment import shared_out
from tasks.assembly.corrected_text import lines_of
from tasks.assembly.text_alignment import TEXT_EXTRA, TEXT_MISSING, Alignment, aligned_text, regrouped

HEARD = (
    "good morning and welcome to the harbour meeting",
    "the fairy leaves at nine not at ten",
    "bring the blue folder and the keys please",
)


def transcript(lines: Sequence[str] = HEARD, *, each_s: float = 0.5) -> Transcript:
    segments, at_s = [], 0.0
    for place, line in enumerate(lines):
        words = []
        for text in line.split():
            words.append(Word(start_s=at_s, end_s=at_s + each_s, text=f" {text}", probability=0.9))
            at_s += each_s
        speaker = "AB"[place % 2]
        segments.append(Segment(start_s=words[0].start_s, end_s=at_s, text=line, words=tuple(words), speaker=speaker))
        at_s += 1.0
    facts = {"job_id": "j", "media_sha256": "0" * 64, "name": "talk.wav", "model": "base", "fingerprint": "f"}
    rest = {"duration_s": at_s, "speech_s": at_s, "language": "en", "language_probability": 0.9, "engine": "e"}
    return Transcript(**facts, **rest, options=Options(), segments=tuple(segments))  # type: ignore[arg-type]


class Sound:
    """Notes what is aligned, and shares it out between 0.2 s after the start and before the end."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, float, str]] = []

    def __call__(self, start_s: float, end_s: float, text: str) -> list[Word]:
        self.asked.append((round(start_s, 2), round(end_s, 2), text))
        return shared_out([f" {word}" for word in text.split()], start_s + 0.2, end_s - 0.2)


def aligned(text: str, *, of: Transcript | None = None) -> tuple[Alignment, Sound]:
    sound = Sound()
    return aligned_text(of or transcript(), text, align=sound), sound


def starts(found: Alignment) -> dict[str, float]:
    return {word.text.strip(): word.start_s for one in found.transcript.segments for word in one.words}


def test_words_that_stay_keep_their_times_and_a_new_one_lies_between() -> None:
    found, sound = aligned("Good morning, and welcome to the harbour meeting.\nThe ferry leaves at nine, not at ten.")
    before = starts(Alignment(transcript=transcript(), share=1, words=1, timed=0))
    assert starts(found)["morning,"] == before["morning"]
    assert before["meeting"] < starts(found)["ferry"] < before["leaves"] + 0.001
    ((start_s, end_s, asked),) = sound.asked
    assert asked == "harbour meeting. The ferry leaves at nine,"
    assert start_s < before["fairy"] < end_s
    assert [one.text.strip()[:9] for one in found.transcript.segments] == ["Good morn", "The ferry"]
    assert found.timed == 1
    times = [word.start_s for one in found.transcript.segments for word in one.words]
    assert times == sorted(times)


def test_who_speaks_is_as_before_unless_the_text_says_so() -> None:
    found, _ = aligned("\n".join(HEARD))
    assert [one.speaker for one in found.transcript.segments] == ["A", "B", "A"]
    found, _ = aligned(f"Anna: {HEARD[0]}\n{HEARD[1]}\nBert Meier: {HEARD[2]}")
    assert [one.speaker for one in found.transcript.segments] == ["Anna", "Anna", "Bert Meier"]
    assert found.transcript.segments[2].text.strip() == HEARD[2]


def test_a_colon_after_words_that_are_said_is_no_label() -> None:
    (line,) = lines_of("Morning: and welcome", said={"morning"})
    assert (line.speaker, line.text.strip()) == (None, "Morning: and welcome")
    assert [one.speaker for one in lines_of("Morning: a\nMorning: b", said={"morning"})] == ["Morning", "Morning"]
    assert lines_of("12:30 we met")[0].speaker is None
    assert lines_of("\ufeff\n\n  \n") == []


def test_a_label_may_be_a_name_of_any_script() -> None:
    lines = lines_of("सुनीता देवी: नमस्ते\nஅமுதா: வணக்கம்\nสมชาย: สวัสดี")
    assert [one.speaker for one in lines] == ["सुनीता देवी", "அமுதா", "สมชาย"]
    assert [one.speaker for one in lines_of("نعم، قال: لا\nवह आया। उसने कहा: हाँ")] == [None, None]


def test_a_very_long_line_becomes_several_segments() -> None:
    lines = lines_of("He said so. " * 1000)
    assert 5 < len(lines) <= 30
    assert all(line.text.endswith("so.") for line in lines)


def test_a_text_about_something_else_is_refused() -> None:
    with pytest.raises(TextDoesNotMatch, match="only 0% of the text's words"):
        aligned("We the people of the United States in order to form a more perfect union")


def test_what_the_text_leaves_out_and_what_nobody_said_are_findings() -> None:
    found, _ = aligned(f"{HEARD[0]}\n{HEARD[2]}")
    (finding,) = found.transcript.findings
    assert (finding.kind, finding.detail) == (TEXT_MISSING, HEARD[1])
    assert finding.start_s == transcript().segments[1].start_s
    many = " ".join(["unheard", "words", "of", "somebody"] * 8)
    found, _ = aligned(f"{HEARD[0]}\n{HEARD[1]}\n{many}\n{HEARD[2]}")
    assert [one.kind for one in found.transcript.findings] == [TEXT_EXTRA]


def test_a_long_stretch_that_was_heard_wrongly_is_aligned_in_parts() -> None:
    lines = [HEARD[0], " ".join(f"x{n}" for n in range(120)), HEARD[2]]
    right = [HEARD[0], " ".join(f"y{n}" for n in range(120)), HEARD[2]]
    with pytest.raises(TextDoesNotMatch):
        aligned("\n".join(right), of=transcript(lines))
    more = [*lines, " ".join(f"z{n}" for n in range(60))]
    found, sound = aligned("\n".join([*right, more[-1]]), of=transcript(more))
    assert len(sound.asked) >= 3
    assert all(end_s - start_s <= 26 for start_s, end_s, _ in sound.asked)
    times = [word.start_s for one in found.transcript.segments for word in one.words]
    assert times == sorted(times)


def test_words_are_split_as_the_text_is() -> None:
    words = [
        Word(start_s=0, end_s=1, text=" don", probability=1),
        Word(start_s=1, end_s=2, text="'t go", probability=1),
    ]
    found = regrouped(words, [" don't", " go"])
    assert found is not None
    assert [(one.text, one.start_s, one.end_s) for one in found] == [(" don't", 0, 2), (" go", 1, 2)]
    assert regrouped(words, [" stay"]) is None
