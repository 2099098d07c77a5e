"""The language of each utterance: smoothed, and divided within a window."""

from storage.domain.records import Stretch
from tasks.asr.utterance_language import Utterance, mismatched_as_a_whole, mismatches, parts_of, smoothed, together
from tasks.asr.whisper_decode import Take
from tasks.audio.windows import Window


def utterance(speech_s: float, at_s: float = 0.0, **shares: float) -> Utterance:
    stretch = Stretch(start_s=at_s, end_s=at_s + speech_s)
    return Utterance(take=Take(window=Window(pieces=(stretch,)), speech=(stretch,)), shares=shares)


def test_a_sure_utterance_keeps_its_language_among_others() -> None:
    asked = [utterance(8, en=0.99, de=0.001), utterance(6, en=0.01, de=0.95), utterance(8, en=0.98, de=0.002)]
    assert smoothed(asked) == ["en", "de", "en"]


def test_a_short_or_unsure_utterance_follows_its_neighbours() -> None:
    loud = utterance(8, en=0.99, cy=0.001)
    assert smoothed([loud, utterance(0.6, en=0.1, cy=0.8), loud]) == ["en", "en", "en"]
    assert smoothed([loud, utterance(8, en=0.35, cy=0.6), loud]) == ["en", "en", "en"]


def test_one_language_costs_no_thought() -> None:
    assert smoothed([utterance(3, pt=0.9, es=0.1), utterance(3, pt=0.8, es=0.15)]) == ["pt", "pt"]
    assert smoothed([]) == []


def test_shares_are_weighed_by_speech() -> None:
    found = together([utterance(9, en=0.9, de=0.1), utterance(1, en=0.0, de=1.0)])
    assert [(guess.language, guess.probability) for guess in found] == [("en", 0.81), ("de", 0.19)]


def test_only_sure_and_long_enough_utterances_speak_against_a_given_language() -> None:
    asked = [utterance(5, 0, de=0.97), utterance(1, 10, de=0.99), utterance(5, 20, de=0.6), utterance(5, 30, en=0.99)]
    (found,) = mismatches(asked, "en")
    assert (found.start_s, found.end_s, found.language, found.probability) == (0, 5, "de", 0.97)


def test_little_speech_speaks_against_a_given_language_as_a_whole() -> None:
    french = [utterance(1, 0, fr=0.8, en=0.1), utterance(1, 2, fr=0.7, en=0.05)]
    assert mismatches(french, "en") == ()
    assert [(found.start_s, found.language) for found in mismatched_as_a_whole(french, "en")] == [(0, "fr"), (2, "fr")]
    for others in ([utterance(1, fr=0.9)], [utterance(3, en=0.34, el=0.6)], [utterance(3, br=0.32, fr=0.22)]):
        assert mismatched_as_a_whole(others, "en") == ()


def test_a_window_is_parted_at_pauses_into_parts_with_a_second_of_speech() -> None:
    speech = tuple(Stretch(start_s=start, end_s=end) for start, end in ((0.4, 3), (3.1, 5), (5.5, 5.9), (6.4, 9)))
    window = Window(pieces=(Stretch(start_s=0.0, end_s=9.4),))
    parts = parts_of(Take(window=window, speech=speech))
    assert [(part.window.start_s, part.window.end_s) for part in parts] == [(0.0, 5.25), (5.25, 9.4)]
    assert [len(part.speech) for part in parts] == [2, 2]


def test_without_a_majority_a_language_of_the_span_wins_over_a_stranger() -> None:
    spanish, portuguese = utterance(8, es=0.99), utterance(8, pt=0.9)
    unsure = utterance(6, la=0.33, it=0.26, pt=0.11)
    assert smoothed([unsure, spanish, portuguese]) == ["pt", "es", "pt"]
    assert smoothed([utterance(6, la=0.6, pt=0.11), spanish, portuguese]) == ["la", "es", "pt"]
    assert smoothed([unsure]) == ["la"]  # where nothing is sure, the likeliest
