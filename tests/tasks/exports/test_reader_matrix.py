"""Every reader shows the cues that were meant, with their words and times, of hard texts too."""

import numpy as np
import pytest

from storage.domain.records import Segment
from tasks.exports.cues import cues
from tasks.exports.writers import export
from tests.tasks.exports import caption_players as players
from tests.tasks.exports import caption_readers as readers
from tests.tasks.exports.hard_captions import Captions, captions
from tests.tasks.exports.reader_differences import DIFFERENCES
from tests.tasks.exports.test_writers import transcript

READERS: dict[str, list[readers.Reader]] = {
    "srt": [
        readers.by_ffmpeg,
        players.by_mpv,
        readers.by_pysubs2,
        readers.by_srt,
        readers.by_webvtt,
        readers.by_older_webvtt,
        readers.by_pycaption,
        readers.by_ttconv,
    ],
    "vtt": [
        readers.by_ffmpeg,
        players.by_mpv,
        readers.by_pysubs2,
        readers.by_webvtt,
        readers.by_older_webvtt,
        readers.by_pycaption,
        readers.by_ttconv,
    ],
    "ass": [readers.by_ffmpeg, players.by_mpv, players.by_libass, readers.by_pysubs2],
    "ttml": [readers.by_ttconv, readers.by_pysubs2, readers.by_pycaption],
    "sbv": [readers.by_webvtt, readers.by_older_webvtt, readers.by_ffmpeg],
}
PAIRS = {f"{fmt}-{reader.__name__}": (fmt, reader) for fmt, each in READERS.items() for reader in each}
NAMES_EVERY_VOICE = "vtt-by_pycaption"
SPELLED = str.maketrans({"‹": "<", "›": ">", "(": "{", ")": "}", "⧵": "\\", "→": "-->", "∶": ":", "\u200b": ""})
"""What stands in files for marks that some reader would take for markup."""

Cues = list[tuple[int, int, str]]


@pytest.mark.parametrize("pair", PAIRS)
def test_every_reader_shows_what_was_meant(pair: str) -> None:
    fmt, reader = PAIRS[pair]
    all_captions = captions()
    bodies = [export(transcript, fmt, limits=limits) for transcript, limits in all_captions.values()]
    shown = dict(zip(all_captions, (compared(each, fmt) for each in reader(bodies, fmt)), strict=True))
    assert {name: told(each, pair, name) for name, each in shown.items()} == {
        name: expected(found, pair, name) for name, found in all_captions.items()
    }


@pytest.mark.parametrize(
    ("said", "stop"), [("نعم هذا هو الاجتماع.", "left"), ("זו הפגישה הראשונה.", "left"), ("We meet today.", "right")]
)
def test_a_full_stop_is_drawn_where_the_sentence_ends(said: str, stop: str) -> None:
    body = export(transcript(Segment(start_s=0.0, end_s=4.0, text=said)), "ass")
    ink = players.drawn_by_mpv(body, "ass") > 200  # without the outline
    columns = np.flatnonzero(ink.any(axis=0))
    marks = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    left, right = (np.ptp(np.flatnonzero(ink[:, mark].any(axis=1))) for mark in (marks[0], marks[-1]))
    assert ("left" if left < right else "right") == stop


def test_the_differences_are_those_of_readers_in_the_matrix() -> None:
    assert DIFFERENCES.keys() <= PAIRS.keys()


def expected(found: Captions, pair: str, name: str) -> Cues | list[str]:
    """Return what the reader should show: the cues as they were meant, or as it is known to show them."""
    fmt, _ = PAIRS[pair]
    result = compared(meant(found, fmt, named=fmt != "vtt" or pair == NAMES_EVERY_VOICE), fmt)
    for difference in DIFFERENCES.get(pair, ()):
        if name in difference.captions:
            return difference.captions[name]
        instead = {spelled(words): shown for words, shown in difference.words.items()}
        result = [
            (start, end, spelled(words))
            for start, end, before in result
            if (words := instead.get(before, before)) is not None
        ]
    return result


def told(shown: Cues, pair: str, name: str) -> Cues | list[str]:
    """Return as much of what the reader shows as is known of captions that it reads in its own way."""
    for difference in DIFFERENCES.get(pair, ()):
        if name in difference.captions:
            return [words for _, _, words in shown][: len(difference.captions[name]) or None]
    return shown


def meant(found: Captions, fmt: str, *, named: bool) -> Cues:
    transcript, limits = found
    named = named and any(segment.speaker for segment in transcript.segments)
    return [
        (round(cue.start_s * 1000), round(cue.end_s * 1000), cue.text)
        for cue in cues(transcript.segments, limits, named=named)
    ]


def compared(shown: Cues, fmt: str) -> Cues:
    """Return cues as they are compared: words in one spelling, times as exact as the format, steps as one cue."""
    exact_ms = 10 if fmt == "ass" else 1  # ASS counts hundredths
    result: Cues = []
    for start_ms, end_ms, text in shown:
        start, end, words = start_ms // exact_ms, end_ms // exact_ms, spelled(text)
        if result and result[-1][1:] == (start, words):
            start, _, _ = result.pop()
        if words:
            result.append((start, end, words))
    return result


def spelled(text: str) -> str:
    return " ".join(text.translate(SPELLED).split())
