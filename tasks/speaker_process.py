"""The process in which sherpa-onnx tells speakers apart: its argument says what to do, a file beside the sound gets
the answer."""

import ctypes
import json
import resource
import signal
import sys
from pathlib import Path
from typing import Any

SAMPLE_RATE_HZ = 16_000
PR_SET_PDEATHSIG = 1
OWN_BYTES, BYTES_A_SAMPLE = 6 << 30, 24  # address space: libraries and models, and copies of the sound
LEAST_TURN_S, LEAST_PAUSE_S, SAME_VOICE = 0.3, 0.5, 0.5


def main(asked: dict[str, Any]) -> None:
    """Write `{"turns": [[start_s, end_s, speaker], …]}`, or `{"problem": …}`, whole or not at all."""
    pcm = Path(asked["pcm"])
    most = OWN_BYTES + BYTES_A_SAMPLE * pcm.stat().st_size // 2
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # nobody else waits for it
    if (score := Path("/proc/self/oom_score_adj")).exists():
        score.write_text("1000")  # where memory runs out, this process goes first, not a worker
    try:
        answer: dict[str, Any] = {"turns": diarize(pcm, asked)}
    except (RuntimeError, ValueError, MemoryError) as error:
        answer = {"problem": str(error).splitlines()[0] if str(error) else type(error).__name__}
    part = pcm.with_suffix(".part")
    part.write_text(json.dumps(answer))
    part.replace(pcm.with_suffix(".json"))


def diarize(pcm: Path, asked: dict[str, Any]) -> list[tuple[float, float, int]]:
    """Return turns as (start_s, end_s, speaker).

    Raises:
        RuntimeError: a model cannot be loaded.
        ValueError: the models do not go together with this sound.
    """
    import numpy as np
    import sherpa_onnx as sherpa

    threads = {"num_threads": asked["threads"]}
    pyannote = sherpa.OfflineSpeakerSegmentationPyannoteModelConfig(model=asked["segmentation"])
    config = sherpa.OfflineSpeakerDiarizationConfig(
        segmentation=sherpa.OfflineSpeakerSegmentationModelConfig(pyannote=pyannote, **threads),
        embedding=sherpa.SpeakerEmbeddingExtractorConfig(model=asked["embedding"], **threads),
        clustering=sherpa.FastClusteringConfig(num_clusters=asked["speakers"] or -1, threshold=SAME_VOICE),
        min_duration_on=LEAST_TURN_S,
        min_duration_off=LEAST_PAUSE_S,
    )
    diarizer = sherpa.OfflineSpeakerDiarization(config)
    if diarizer.sample_rate != SAMPLE_RATE_HZ:
        raise ValueError(f"the models want {diarizer.sample_rate} Hz, the sound has {SAMPLE_RATE_HZ}")
    samples = np.fromfile(pcm, dtype="<i2").astype(np.float32) / 32768
    found = diarizer.process(samples).sort_by_start_time()
    return [(round(turn.start, 3), round(turn.end, 3), turn.speaker) for turn in found]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
