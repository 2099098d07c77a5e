"""The diarization process: reads a request as its argument, writes the result to a file."""

import json
import resource
import sys
from pathlib import Path
from typing import Any

from storage.media.parent_death import be_killed_with_parent

OWN_BYTES, BYTES_A_SAMPLE = 4 << 30, 4  # address space: libraries, models and distances, and the audio in its file


def main(request: dict[str, Any]) -> None:
    """Write `{"turns": [[start_s, end_s, speaker], …]}` or `{"problem": …}`, atomically."""
    pcm = Path(request["pcm"])
    limit_bytes = OWN_BYTES + BYTES_A_SAMPLE * pcm.stat().st_size // 2
    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    be_killed_with_parent()  # nothing else reaps it
    if (score := Path("/proc/self/oom_score_adj")).exists():
        score.write_text("1000")  # when memory runs out, the kernel kills this process first, not a worker
    try:
        answer: dict[str, Any] = {
            "turns": diarize(pcm, Path(request["models"]), request["speakers"], request["threads"])
        }
    except Exception as error:  # noqa: BLE001 - onnxruntime's have no class of their own; any becomes a note
        answer = {"problem": str(error).splitlines()[0] if str(error) else type(error).__name__}
    part = pcm.with_suffix(".part")
    part.write_text(json.dumps(answer))
    part.replace(pcm.with_suffix(".json"))


def diarize(pcm: Path, models: Path, speakers: int | None, threads: int) -> list[tuple[float, float, int]]:
    """Return turns as (start_s, end_s, speaker)."""
    from tasks.audio.loudness import EvenSound
    from tasks.diarization.clustering import turns
    from tasks.diarization.voice_embeddings import SpeakerModels, stretches

    sound = EvenSound(pcm)
    speaker_turns = turns(list(stretches(SpeakerModels.load(models, threads), sound.read, len(sound))), speakers)
    return [(round(turn.start_s, 3), round(turn.end_s, 3), turn.speaker) for turn in speaker_turns]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
