"""Quiet voices are amplified to loud ones, slowly, and nothing else is."""

import numpy as np

from tasks.audio.window_level import MOST_LIFT_DB, RANGE_DB, TARGET, one_level
from tests.tasks.sounds import RATE_HZ, Samples, silence, tone


def level_db(sound: Samples) -> float:
    return float(20 * np.log10(np.abs(sound).mean()))


def test_a_quiet_voice_comes_within_reach_of_the_loud_one() -> None:
    pcm = np.concatenate([tone(3.0, level=0.5), tone(3.0, level=0.5 * 10 ** (-40 / 20))])
    found = one_level(pcm)
    loud, quiet = found[RATE_HZ : 2 * RATE_HZ], found[4 * RATE_HZ + RATE_HZ // 2 : 5 * RATE_HZ + RATE_HZ // 2]
    assert abs(level_db(loud) - level_db(quiet) - RANGE_DB) < 1.0


def test_voices_that_are_about_equally_loud_keep_their_proportions() -> None:
    pcm = np.concatenate([tone(3.0, level=0.5), tone(3.0, level=0.5 * 10 ** (-6 / 20))])
    found = one_level(pcm)
    assert np.allclose(found / np.abs(found).max(), pcm / np.abs(pcm).max(), atol=1e-4)


def test_all_windows_come_to_one_level() -> None:
    for level in (0.9, 0.01, 0.0005):
        assert abs(np.abs(one_level(tone(2.0, level=level))).mean() - TARGET) < 0.002


def test_a_click_of_full_scale_is_no_voice() -> None:
    voice = tone(4.0, level=0.003)
    clicked = voice.copy()
    clicked[2 * RATE_HZ] = 1.0
    calm = np.arange(len(voice)) != 2 * RATE_HZ
    assert np.allclose(one_level(clicked)[calm], one_level(voice)[calm], rtol=0.05)
    assert np.abs(one_level(clicked)).max() <= 1.0


def test_gains_have_no_edges() -> None:
    pcm = np.concatenate([tone(2.0, level=0.5), tone(2.0, level=0.0005)])
    found = one_level(pcm)
    quiet = np.abs(pcm) > 1e-5
    gain = np.abs(found[quiet] / pcm[quiet])
    assert np.abs(np.diff(20 * np.log10(gain))).max() < 1.0
    assert 20 * np.log10(gain.max() / gain.min()) <= MOST_LIFT_DB + 0.1


def test_silence_stays_silent_and_a_scrap_of_sound_is_left_alone() -> None:
    assert not one_level(silence(2.0)).any()
    scrap = tone(0.02)
    assert one_level(scrap) is scrap
