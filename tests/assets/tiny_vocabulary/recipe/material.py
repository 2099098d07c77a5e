"""Make the training material: every voice speaks its sentences; log-mel frames and marks are kept in shards.

A shard is `NAME.npy` (float16, shape (frames, 80): log10 of mel power, 100 frames a second, sentences end to end) and
`NAME.json` (one entry a sentence: voice, text, first frame, frame count, phones and words as [label, start_s, end_s]).
"""

import argparse
import json
import multiprocessing
import random
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from faster_whisper.feature_extractor import FeatureExtractor

from sentences import sentences_of
from speak import VOICES, Mark, TimesUnknown, speak

HOP_SAMPLES = 160
MARGIN_SAMPLES = 200
LOOSE_SHARE = 0.35
_EXTRACTOR = FeatureExtractor()
_WINDOW = np.hanning(_EXTRACTOR.n_fft + 1)[:-1].astype("float32")


def log_mel(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Log10 of mel power before Whisper's clamping and scaling, shape (frames, 80); frame k is centred on k * 10 ms."""
    spectrum = _EXTRACTOR.stft(samples, _EXTRACTOR.n_fft, HOP_SAMPLES, window=_WINDOW, return_complex=True)
    power = np.abs(spectrum[..., :-1]).astype(np.float32) ** 2
    mel: npt.NDArray[np.float32] = np.log10(np.clip(_EXTRACTOR.mel_filters @ power, 1e-10, None))
    return mel.T


def make_shard(folder: Path, voice: str, part: int, sentences: list[str]) -> int:
    """Speak `sentences`, each at a tempo, pitch and sub-frame offset of its own; returns the number of frames."""
    rng = random.Random(f"{voice}/{part}")
    pieces: list[npt.NDArray[np.float16]] = []
    entries: list[dict[str, Any]] = []
    first = 0
    for text in sentences:
        try:
            speech = speak(text, voice, tempo=rng.uniform(0.88, 1.15), pitch=rng.uniform(-1, 1))
        except TimesUnknown:
            continue
        lead = MARGIN_SAMPLES + rng.randrange(HOP_SAMPLES)
        mel = log_mel(np.pad(speech.samples, (lead, MARGIN_SAMPLES))).astype(np.float16)
        entries.append(
            {
                "voice": voice,
                "text": text,
                "first": first,
                "frames": len(mel),
                "phones": _moved(speech.phones, lead / 16_000),
                "words": _moved(speech.words, lead / 16_000),
            }
        )
        pieces.append(mel)
        first += len(mel)
    np.save(folder / f"{voice}-{part:02}.npy", np.concatenate(pieces))
    (folder / f"{voice}-{part:02}.json").write_text(json.dumps(entries))
    return first


def _moved(marks: list[Mark], by_s: float) -> list[tuple[str, float, float]]:
    return [(mark.label, round(mark.start_s + by_s, 4), round(mark.end_s + by_s, 4)) for mark in marks]


def _make(job: tuple[Path, str, int, list[str]]) -> str:
    folder, voice, part, sentences = job
    frames = make_shard(folder, voice, part, sentences)
    return f"{voice} part {part}: {len(sentences)} sentences, {frames / 100:.0f} s"


def main() -> None:
    """Speak everything with a few processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--per-voice", type=int, default=8000)
    parser.add_argument("--parts", type=int, default=16)
    parser.add_argument("--processes", type=int, default=3)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    jobs = []
    for seed, voice in enumerate(VOICES):
        sentences = list(sentences_of(arguments.per_voice, seed=seed, loose_share=LOOSE_SHARE))
        jobs += [
            (part, (arguments.folder, voice, part, sentences[part :: arguments.parts]))
            for part in range(arguments.parts)
        ]
    with multiprocessing.Pool(arguments.processes) as pool:
        for line in pool.imap_unordered(_make, [job for _, job in sorted(jobs, key=lambda item: item[0])]):
            print(line, flush=True)


if __name__ == "__main__":
    main()
