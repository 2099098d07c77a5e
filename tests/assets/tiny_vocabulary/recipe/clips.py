"""Write the recordings beside the model: the sample with its words, and short clips with word times for tests.

Every sentence is held out, so the model has never seen it.
"""

import argparse
import json
from pathlib import Path

import soundfile

from evaluate import Recording, assemble
from sentences import held_out
from speak import SAMPLE_RATE_HZ

SAMPLE_VOICE = "flite-slt"
SAMPLE = (
    "The meeting was very important.",
    "At nine in the morning, Oliver can write the invoice for Emma.",
    "The flight from Boston to London is late on Monday morning.",
    "Can you call the hotel on Thursday afternoon?",
    "Peter must write this contract with Maria.",
    "Please send the budget on Wednesday.",
    "Thank you for our contract.",
)
CLIPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("flite-slt", ("We checked our answer at three in the afternoon.",)),
    ("flite-slt", ("On Friday evening, she will show my late contract with Maria.",)),
    ("flite-slt", ("The train from Boston to Madrid is short after this meeting.",)),
    ("flite-slt", ("When can you start our meeting in Toronto?",)),
    ("flite-rms", ("In July, the customer checked our old answer with the family.",)),
    ("flite-rms", ("The price for every invoice was fifty on Tuesday.",)),
    ("flite-rms", ("Julia bought nine tickets with the manager.",)),
    ("flite-rms", ("They can take the final ticket on Wednesday.",)),
    ("espeak-en-us", ("Did you start our meeting on Monday?",)),
    ("espeak-en-us", ("On Wednesday afternoon, they can send our invoice with our doctor.",)),
    ("espeak-en-us", ("The flight from Berlin to Toronto was busy in nine minutes.",)),
    (
        "flite-slt",
        (
            "Thomas found thirty minutes with our teacher.",
            "The old report was late, and this next problem is new.",
            "Robert will show the letter with Emma.",
        ),
    ),
)


def write_sample(folder: Path) -> float:
    """Write `sample.flac` and `sample.txt`; returns the seconds."""
    recording = _spoken(SAMPLE_VOICE, SAMPLE, seed=104)
    _write(folder / "sample.flac", recording)
    (folder / "sample.txt").write_text(" ".join(SAMPLE) + "\n")
    return len(recording.samples) / SAMPLE_RATE_HZ


def write_clips(folder: Path) -> float:
    """Write the clips, their texts and `speech.json`; returns the seconds of all together."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    seconds = 0.0
    for index, (voice, sentences) in enumerate(CLIPS):
        name = f"{index + 1:02}-{voice}"
        recording = _spoken(voice, sentences, seed=index)
        _write(folder / f"{name}.flac", recording)
        text = " ".join(sentences)
        (folder / f"{name}.txt").write_text(f"{text}\n")
        words = [[mark.label, round(mark.start_s, 3), round(mark.end_s, 3)] for mark in recording.words]
        entries.append({"file": f"{name}.flac", "voice": voice, "text": text, "words": words})
        seconds += len(recording.samples) / SAMPLE_RATE_HZ
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    (folder / "speech.json").write_text(f"[\n{lines}\n]\n")
    return seconds


def _spoken(voice: str, sentences: tuple[str, ...], *, seed: int) -> Recording:
    seen = [sentence for sentence in sentences if not held_out(sentence)]
    if seen:
        raise ValueError(f"the model may have seen {seen}; choose sentences of the held-out part")
    return assemble(((voice, sentence) for sentence in sentences), seed=seed, pause_s=(0.4, 0.9))


def _write(path: Path, recording: Recording) -> None:
    soundfile.write(path, recording.samples, SAMPLE_RATE_HZ, format="FLAC", subtype="PCM_16")


def main() -> None:
    """Write everything into the folder of the model card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parents[1])
    folder = parser.parse_args().folder
    print(f"sample {write_sample(folder):.1f} s, clips {write_clips(folder / 'speech'):.1f} s")


if __name__ == "__main__":
    main()
