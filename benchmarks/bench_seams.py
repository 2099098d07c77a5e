"""Words lost or doubled at the cuts of recordings whose every word is known.

    python -m benchmarks.bench_seams [--cuts 500] [--span-max-s 20]

Two kinds of recording with the tiny model on its own voices: with pauses, and breathless, where no silence is long
enough to cut in and spans overlap. An error counts at a cut that it lies within 2.5 s of. It is the joining's
own where a side had heard the lost word, or where neither side had the one too many.
"""

import argparse
import tempfile
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path

from benchmarks.speech_material import TINY_MODEL, TINY_SPEECH, Recording, Setting, assemble, word_errors, words_in
from storage.domain.records import Options, Seam, Segment
from storage.domain.settings import EngineSettings
from storage.files.file_store import Files
from tasks.asr.engine import Engine
from tasks.models.catalogue import Resolved, fingerprint
from tasks.pipeline import TranscribedSpan, transcribe_file

NEAR_S = 2.5
ELSEWHERE = 1.65  # times the spans' length
KINDS = {
    "pauses of 0.4 to 1.8 s": Setting(),
    "breathless: pauses of 0.1 s": Setting(pauses_s=(0.1,), trimmed=True),
}


Placed = tuple[str, float]  # a word and where it begins


@dataclass(frozen=True, slots=True, kw_only=True)
class AtSeam:
    """Words said beside a cut and not heard, and words heard and not said; one for another counts as neither.

    `joining`: how many of both are the fault of joining the sides.
    """

    lost: int
    doubled: int
    joining: int = 0


def at_seam(cut: Seam, said: list[Placed], heard: list[Placed], sides: Sequence[list[Placed]] = ()) -> AtSeam:
    """Compare what was said and heard within 2.5 s of the cut; the other side is looked for a second further."""
    there = near(said, cut.at_s, NEAR_S)
    found = matched(there, near(heard, cut.at_s, NEAR_S + 1))
    missing, surplus = len(there) - len(found), surplus_at(cut, said, heard)
    lost, doubled = max(0, missing - surplus), max(0, surplus - missing)
    had = set().union(*(matched(there, near(side, cut.at_s, NEAR_S + 1)) for side in sides))
    joining = min(lost, len(had - found)) + max(0, doubled - sum(surplus_at(cut, said, side) for side in sides))
    return AtSeam(lost=lost, doubled=doubled, joining=joining)


def surplus_at(cut: Seam, said: list[Placed], heard: list[Placed]) -> int:
    there = near(heard, cut.at_s, NEAR_S)
    return len(there) - len(matched(there, near(said, cut.at_s, NEAR_S + 1)))


def near(words: list[Placed], at_s: float, reach_s: float) -> list[str]:
    first = bisect_left(words, at_s - reach_s, key=lambda word: word[1])
    return [word for word, _ in words[first : bisect_left(words, at_s + reach_s, key=lambda word: word[1])]]


def matched(words: list[str], among: list[str]) -> set[int]:
    """Return which of the words, by number, are among the others in order."""
    blocks = SequenceMatcher(None, words, among, autojunk=False).get_matching_blocks()
    return {at for block in blocks for at in range(block.a, block.a + block.size)}


def said_in(recording: Recording) -> list[Placed]:
    return [(part, start_s) for word, start_s, _ in recording.words for part in words_in(word)]


def heard_in(segments: Sequence[Segment], from_s: float = 0.0) -> list[Placed]:
    words = (word for segment in segments for word in segment.words)
    return [(part, from_s + word.start_s) for word in words for part in words_in(word.text)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=500, help="at least so many for both kinds together")
    parser.add_argument("--span-max-s", type=float, default=20.0)
    given = parser.parse_args()
    minutes = given.cuts / 2 * given.span_max_s / 60 + 1
    rows = ["### Seams, tiny model on its own voices", ""]
    rows += ["| recording | minutes | cuts | overlaps | words lost at cuts | doubled | by joining |"]
    rows[-1] += " lost there, cut elsewhere | doubled | word errors, % | in doubt |"
    rows += ["|" + "---|" * 11]
    resolved = Resolved(name=TINY_MODEL.name, path=TINY_MODEL, fingerprint=fingerprint(TINY_MODEL))
    with (
        Engine.from_settings(resolved, EngineSettings(device="cpu")) as engine,
        tempfile.TemporaryDirectory() as folder,
    ):
        for name, setting in KINDS.items():
            recording = assemble(TINY_SPEECH, "*", minutes, Path(folder) / "speech.wav", setting)
            hearings: dict[float, list[TranscribedSpan]] = {}
            found, other = (
                transcribe_file(
                    recording.path,
                    engine=engine,
                    files=Files(folder),
                    options=Options(language="en"),
                    on_transcribed=hearings.setdefault(span_max_s, []).append,
                    span_max_s=span_max_s,
                )
                for span_max_s in (given.span_max_s, ELSEWHERE * given.span_max_s)
            )
            said, heard, again = said_in(recording), heard_in(found.segments), heard_in(other.segments)
            spans = sorted(hearings[given.span_max_s], key=lambda each: each.span.index)
            alone = [heard_in(each.result.segments, each.span.start_s) for each in spans]
            here = [at_seam(cut, said, heard, sides) for cut, sides in zip(found.seams, pairwise(alone), strict=True)]
            elsewhere = [at_seam(cut, said, again) for cut in found.seams]
            counts = [
                *(sum(getattr(each, kind) for each in here) for kind in ("lost", "doubled", "joining")),
                *(sum(getattr(each, kind) for each in elsewhere) for kind in ("lost", "doubled")),
            ]
            doubts = Counter(cut.doubt for cut in found.seams if cut.doubt)
            told = ", ".join(f"{count} {doubt}" for doubt, count in doubts.items()) or "none"
            overlaps = sum(cut.overlap_s > 0 for cut in found.seams)
            rows.append(
                f"| {name} | {recording.duration_s / 60:.0f} | {len(found.seams)} | {overlaps} |"
                f" {' | '.join(map(str, counts))} | {word_errors(recording.text, found.text):.1f} | {told} |"
            )
    print("\n".join(rows))


if __name__ == "__main__":
    main()
