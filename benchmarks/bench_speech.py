"""Real speech, beside faster-whisper: word errors by language and kind, text over no speech, times, cost and memory.

    python -m benchmarks speech --speech FOLDER --model FOLDER [--languages en,de] [--kinds own,level]
        [--systems ours,baseline,batched] [--minutes 10] [--checkout FOLDER] [--with OLD.json]

FOLDER holds clips with their text (`benchmarks/speech_kinds.py` says how they are called and put together). Each
system runs in a process of its own (`speech_systems.py`), with its model loaded before the clock. What was heard is
kept as text in the folder `--out`, beside the recordings and `results.json`; with `--with`, earlier results stand in
the tables for what was not run now.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.speech_kinds import (
    EMPTY,
    KINDS,
    LONG,
    MIXED,
    SAID_AGAIN,
    SpeechRecording,
    Utterance,
    clips_in,
    languages_in,
    make,
    make_empty,
    make_mixed,
    make_said_again,
    read_clip,
)
from benchmarks.speech_score import Timed, score
from benchmarks.speech_tables import tables, without_wall
from tasks.models.devices import engine_environment

REPO = Path(__file__).parents[1]
SYSTEMS_FILE = Path(__file__).with_name("speech_systems.py")
BASELINE = "01b573e"
EVERY = ("ours", "baseline", "batched", "sequential", "sequential-vad", "alone")
SIZES = (4, 8, 16)
PATIENCE = 180.0, 6.0  # seconds, and times the recording's length; sequential faster-whisper may have no end
NOT_LONG = ("alone",)
GROUPS = {"empty": tuple(EMPTY), "spoken": (*KINDS, MIXED, SAID_AGAIN), "all": (*KINDS, MIXED, SAID_AGAIN, *EMPTY)}
SHORT = {"mixed": MIXED, "again": SAID_AGAIN}

Found = dict[str, Any]


def systems_of(asked: Sequence[str], baseline: str) -> list[str]:
    """Return the systems by name, the batched pipeline once for each size of batch."""
    found: list[str] = []
    for name in asked:
        named = {"baseline": [f"baseline {baseline}"], "batched": [f"batched {size}" for size in SIZES]}
        found += named.get(name, [name])
    return found


def recordings(given: argparse.Namespace, folder: Path) -> Iterator[SpeechRecording]:
    """Write the recordings that were asked for, kind by kind."""
    languages = given.languages.split(",") if given.languages else languages_in(given.speech)
    for kind in kinds_of(given.kinds):
        if kind in EMPTY:
            yield make_empty(folder / f"{plain(kind)}.wav", kind)
        elif kind == MIXED:
            every = [clip for language in languages for clip in clips_in(given.speech, language, given.clips)]
            yield make_mixed(folder / "mixed.wav", every)
        elif kind == SAID_AGAIN:
            for path in sorted(given.speech.glob("jfk.*")):
                if path.suffix != ".txt":
                    yield make_said_again(folder / "again.wav", read_clip(path, "en"))
        else:
            for language in languages:
                clips = clips_in(given.speech, language, given.clips)
                for minutes in given.minutes if kind in LONG and given.minutes else [0.0]:
                    long = f", {minutes:g} min" if minutes else ""
                    target = folder / f"{plain(kind + long)}-{language}.wav"
                    yield replace(make(target, clips, kind, minutes=minutes), kind=kind + long)


def kinds_of(asked: str) -> list[str]:
    found: list[str] = []
    for name in asked.split(","):
        found += GROUPS.get(name, (SHORT.get(name, name),))
    for name in found:
        if name not in GROUPS["all"]:
            raise SystemExit(f"no kind is called {name}; there are {', '.join([*GROUPS, *SHORT, *GROUPS['all']])}")
    return found


def plain(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def checked_out(commit: str, folder: Path) -> Path:
    """Return a folder with the project as it was at a commit."""
    target = folder / f"checkout-{commit}"
    if not target.exists():
        target.mkdir(parents=True)
        archive = subprocess.run(["git", "archive", commit], cwd=REPO, stdout=subprocess.PIPE, check=True)
        subprocess.run(["tar", "-x", "-C", str(target)], input=archive.stdout, check=True)
    return target


def answers(
    system: str, asked: Sequence[SpeechRecording], given: argparse.Namespace, *, warm: Path, clips: bool = False
) -> Iterator[tuple[SpeechRecording, Found]]:
    """Run a system in a process of its own and yield what it says of each recording, as soon as it says it."""
    name, _, more = system.partition(" ")
    checkout = checked_out(more, given.out) if name == "baseline" else given.checkout
    task = {
        "system": "ours" if name == "baseline" else name,
        "model": str(given.model.resolve()),
        "device": "cpu",
        "compute_type": "int8",
        "threads": given.threads,
        "batch": int(more) if name == "batched" else 0,
        "warm": str(warm),
        "recordings": [told(each, given, clips=clips) for each in asked],
    }
    environment = engine_environment(os.environ) if system == "ours" else dict(os.environ)  # as its workers set it
    env = environment | {"PYTHONPATH": str(checkout)}
    with subprocess.Popen(
        [sys.executable, str(SYSTEMS_FILE)],
        cwd=checkout,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin as into:
            into.write(json.dumps(task))
        for recording, line in zip(asked, process.stdout, strict=False):
            yield recording, json.loads(line)
    if process.returncode:
        print(f"{system} ended with {process.returncode}; what it had not heard is missing", file=sys.stderr)


def told(recording: SpeechRecording, given: argparse.Namespace, *, clips: bool) -> Found:
    known = recording.language if given.given or clips else None
    return {
        "path": str(recording.path.resolve()),
        "mixed": recording.kind == MIXED,
        "given": known if recording.language not in {"mixed", "none"} else None,
        "said": [asdict(each) for each in recording.said],
        "patience_s": PATIENCE[0] + PATIENCE[1] * recording.duration_s,
    }


def reference_times(asked: Sequence[SpeechRecording], given: argparse.Namespace) -> dict[str, list[Timed]]:
    """Return the words of every clip with the times that the model aligns the known text to, kept for the next run."""
    kept = given.out / f"reference-{given.model.name}.json"
    known: dict[str, list[Timed]] = json.loads(kept.read_text()) if kept.exists() else {}
    said: dict[str, Utterance] = {each.clip: each for recording in asked for each in recording.said}
    alone = [
        SpeechRecording(path=Path(clip), kind="clip", language=each.language, duration_s=0.0, said=(each,))
        for clip, each in said.items()
        if clip not in known
    ]
    if alone:
        found = answers("reference", alone, given, warm=alone[0].path, clips=True)
        known |= {str(clip.path): answer["words"] for clip, answer in found}
        kept.write_text(json.dumps(known))
    return known


def batches(of_kind: Sequence[SpeechRecording]) -> Iterator[list[SpeechRecording]]:
    """Return what a process hears: the recordings of a kind; a long one is alone, for the sake of its memory."""
    if is_long(of_kind[0].kind):
        yield from ([each] for each in of_kind)
    else:
        yield list(of_kind)


def is_long(kind: str) -> bool:
    return " min" in kind


def results(asked: Sequence[SpeechRecording], systems: Sequence[str], given: argparse.Namespace) -> Iterator[Found]:
    """Run all systems in turns, kind by kind or long recording by long recording, and yield their results."""
    reference = reference_times(asked, given) if given.times else {}
    warm = asked[0].path
    for kind in dict.fromkeys(each.kind for each in asked):
        for batch in batches([each for each in asked if each.kind == kind]):
            for system in systems:
                if is_long(kind) and system in NOT_LONG:
                    continue
                for recording, answer in answers(system, batch, given, warm=warm):
                    yield result(system, recording, answer, reference, given.out)


def result(
    system: str, recording: SpeechRecording, answer: Found, reference: dict[str, list[Timed]], out: Path
) -> Found:
    """Return one result as it is kept, and leave the text to be read."""
    found = score(
        recording,
        text=answer["text"],
        words=answer["words"],
        segments=answer["segments"],
        reference=reference,
    )
    read = out / plain(system) / f"{recording.name}.txt"
    read.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{start_s:8.2f} {end_s:8.2f} {language} {text.strip()}"
        for start_s, end_s, language, text in answer["segments"]
    ]
    lines += ["", *(f"finding: {each}" for each in answer.get("findings", ()))]
    lines += [f"lost: {sentence}" for sentence in found.sentences_lost]
    read.write_text("\n".join(lines) + "\n")
    facts = {key: value for key, value in answer.items() if key not in {"words", "segments", "language"}}
    facts["heard_as"] = answer.get("language")
    known = {"system": system, "kind": recording.kind, "language": recording.language}
    return known | {"duration_s": recording.duration_s, "percent": found.percent} | asdict(found) | facts


def report(found: Found) -> str:
    """Return one line for whoever watches."""
    heard = f"{found['heard_words']} words" if not found["words"] else f"{found['percent']:5.1f}%"
    if found.get("no_end"):
        heard = "no end"
    return (
        f"{found['system']:18} {found['kind']} {found['language']}: {heard}, {found['cpu_s']:.1f} processor s,"
        f" {found['wall_s']:.1f} s, lost {len(found['sentences_lost'])} of {found['sentences']}"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    set_model, set_speech = (os.environ.get(f"TRANSCRIBER_BENCH_{name}") for name in ("MODEL", "AUDIO"))
    parser.add_argument("--speech", type=Path, default=set_speech, required=not set_speech, help="folder of clips")
    parser.add_argument("--model", type=Path, default=set_model, required=not set_model, help="CTranslate2 folder")
    parser.add_argument("--languages", default="", help="such as en,de; default: those of the clips")
    parser.add_argument("--kinds", default="own", help=f"by commas: {', '.join([*GROUPS, *SHORT, *GROUPS['all']])}")
    parser.add_argument("--systems", default=",".join(EVERY), help=f"by commas: {', '.join(EVERY)}")
    parser.add_argument("--clips", type=int, default=0, help="so many of each language at most")
    parser.add_argument("--minutes", type=float, nargs="*", default=[], help=f"length of {' and '.join(LONG)}")
    parser.add_argument("--threads", type=int, default=2, help="of each peer")
    parser.add_argument("--given", action="store_true", help="tell the language; default: found out")
    parser.add_argument("--no-times", dest="times", action="store_false", help="leave out the times of words")
    parser.add_argument("--no-wall", dest="wall", action="store_false", help="the machine does other work")
    parser.add_argument("--checkout", type=Path, default=REPO, help="where our own code comes from")
    parser.add_argument("--baseline", default=BASELINE, help="commit")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "speech-bench")
    parser.add_argument("--with", dest="earlier", type=Path, nargs="*", default=[], help="results of earlier runs")
    given = parser.parse_args()
    given.checkout = given.checkout.resolve()
    given.out = given.out.resolve()
    given.speech = given.speech.resolve()  # each system runs in the folder of its own checkout
    return given


def earlier(paths: Iterable[Path], now: Sequence[Found]) -> list[Found]:
    """Return the results of earlier runs that this one does not replace."""
    here = {(each["system"], each["kind"], each["language"]) for each in now}
    old = {
        (each["system"], each["kind"], each["language"]): each
        for path in paths
        for each in json.loads(path.read_text())
    }
    return [each for key, each in old.items() if key not in here]


def main() -> None:
    given = arguments()
    folder = given.out / "recordings"
    folder.mkdir(parents=True, exist_ok=True)
    asked = list(recordings(given, folder)) if given.systems else []
    found: list[Found] = []
    for each in results(asked, systems_of(given.systems.split(","), given.baseline), given) if asked else ():
        print(report(each), file=sys.stderr, flush=True)
        found.append(each)
        (given.out / "results.json").write_text(json.dumps(found, ensure_ascii=False, indent=1))
    every = [*earlier(given.earlier, found), *found]
    print(tables(every if given.wall else without_wall(every), model=given.model.name))
    print(f"texts and results.json: {given.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
