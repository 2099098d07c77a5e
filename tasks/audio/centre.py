"""Mix a film's channels: the centre alone where it carries the speech."""

from collections.abc import Sequence

import numpy as np

from tasks.audio.channels import Ints, Mixer, Samples, as_float
from tasks.audio.sound_levels import AUDIBLE
from tasks.audio.vad import find_speech

CENTRE = "FC"
LEAST_SPEECH_S = 0.5  # in a block of ten seconds


class CentreMixer:
    """Mixes blocks like `Mixer`, but dialogue in the centre without what surrounds it."""

    def __init__(self, channel_names: Sequence[str] = ()) -> None:
        self._mixer, self._count = Mixer(channel_names), len(channel_names)
        has_centre = len(channel_names) > 2 and CENTRE in channel_names
        self._centre = list(channel_names).index(CENTRE) if has_centre else None
        self._carries = False

    def mono(self, block: Ints) -> Samples:
        """Return the block as float32 mono, shape (n,).

        A centre that carried the speech still does so until it is silent, or more is said around it.
        """
        if self._centre is None or block.shape[1] != self._count:
            return self._mixer.mono(block)
        centre = as_float(block[:, self._centre])
        spoken_s = _speech_s(centre)
        if spoken_s >= LEAST_SPEECH_S:
            self._carries = True
            return centre
        mixed = self._mixer.mono(block)
        is_audible = float(np.abs(centre).max(initial=0.0)) > AUDIBLE
        self._carries = self._carries and is_audible and _speech_s(mixed) <= spoken_s
        return centre if self._carries else mixed


def _speech_s(sound: Samples) -> float:
    return sum(stretch.end_s - stretch.start_s for stretch in find_speech(sound))
