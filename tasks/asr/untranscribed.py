"""Classify speech without text: music, noise, another language or no words. Pure."""

from enum import StrEnum

import numpy as np

from tasks.audio.decode import SAMPLE_RATE_HZ, Samples

FRAME_S = 0.064
LOWEST_HZ, HIGHEST_HZ = 100.0, 4000.0
FLAT = 0.42  # spectral flatness (geometric over arithmetic mean of power): noise about 0.56, voice and music below 0.3
STEADY = 0.92  # cosine of spectra 0.2 s apart: tones are steady, syllables change (0.45 to 0.83)
APART_FRAMES = 3


class Reason(StrEnum):
    """Why a stretch of speech has no text."""

    MUSIC = "music"
    NOISE = "noise"
    OTHER_LANGUAGE = "another language"
    NO_WORDS = "no words"


def sounds_like(sound: Samples) -> Reason:
    """Return what a sound without words resembles most (float32 mono, 16 kHz)."""
    frame = int(FRAME_S * SAMPLE_RATE_HZ)
    count = len(sound) // frame
    if count <= APART_FRAMES:
        return Reason.NO_WORDS
    frames = sound[: count * frame].reshape(count, frame) * np.hanning(frame).astype(np.float32)
    hz = np.fft.rfftfreq(frame, 1 / SAMPLE_RATE_HZ)
    power = np.abs(np.fft.rfft(frames))[:, (hz >= LOWEST_HZ) & (hz <= HIGHEST_HZ)] ** 2 + 1e-12
    flatness = np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)
    if float(np.median(flatness)) > FLAT:
        return Reason.NOISE
    shapes = np.sqrt(power)
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
    likeness = (shapes[APART_FRAMES:] * shapes[:-APART_FRAMES]).sum(axis=1)
    return Reason.MUSIC if float(np.median(likeness)) > STEADY else Reason.NO_WORDS
