"""Mix a film's channels: the centre alone where it carries the speech."""

from collections.abc import Sequence

from tasks.audio.channels import Ints, Mixer, Samples, as_float
from tasks.audio.vad import find_speech

CENTRE = "FC"
LEAST_SPEECH_S = 0.5  # in a block of ten seconds


class CentreMixer:
    """Mixes blocks like `Mixer`, but dialogue in the centre without what surrounds it."""

    def __init__(self, channel_names: Sequence[str] = ()) -> None:
        self._mixer, self._count = Mixer(channel_names), len(channel_names)
        has_centre = len(channel_names) > 2 and CENTRE in channel_names
        self._centre = list(channel_names).index(CENTRE) if has_centre else None

    def mono(self, block: Ints) -> Samples:
        """Return the block as float32 mono, shape (n,)."""
        if self._centre is not None and block.shape[1] == self._count:
            centre = as_float(block[:, self._centre])
            if sum(stretch.end_s - stretch.start_s for stretch in find_speech(centre)) >= LEAST_SPEECH_S:
                return centre
        return self._mixer.mono(block)
