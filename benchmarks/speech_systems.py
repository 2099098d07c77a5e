"""Run one system over recordings: `python speech_systems.py < TASK.json`, one line for each.

It is started as a file, never as part of a package, with the folder of the checkout to measure in PYTHONPATH: `tasks`
and `storage` are then that checkout's, and nothing of this one is imported. The model is loaded and has transcribed a
few seconds before any clock starts. Processor seconds are those of the process and of the children it waited for.
"""

import json
import os
import re
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as ours does for itself; peers take as long without

RATE_HZ = 16_000
WARM_S = 6.0
NO_TEXT = "speech with no text"
Found = dict[str, Any]
Hear = Callable[[Found], Found]


def either(name: str, older_name: str) -> Any:
    """Import a module of the checkout by its name, or by the one it had in older checkouts."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        return import_module(older_name)


def ours(task: Found) -> Hear:
    """Return the pipeline of the checkout, called as its command line calls it, with an empty store each time."""
    options_class = either("storage.domain.records", "storage.records").Options
    settings_class = either("storage.domain.settings", "storage.settings").EngineSettings
    files_class = either("storage.files.file_store", "storage.files").Files
    engine_class = either("tasks.asr.engine", "tasks.engine").Engine
    catalogue = either("tasks.models.catalogue", "tasks.models")
    transcribe_file = either("tasks.pipeline", "tasks.transcribe").transcribe_file

    settings = settings_class(device=task["device"])
    model = Path(task["model"])
    resolved = catalogue.Resolved(name=model.name, path=model, fingerprint=catalogue.fingerprint(model))
    from_settings = getattr(engine_class, "from_settings", None) or engine_class.by_settings  # in older checkouts
    engine = from_settings(resolved, settings)
    more: Found = {}
    if "span_max_s" in signature(transcribe_file).parameters:
        more["span_max_s"] = getattr(settings, "span_max_s", 180.0)

    def hear(recording: Found) -> Found:
        options = options_class(language=recording["given"], language_per_span=recording["mixed"])
        with tempfile.TemporaryDirectory() as store:
            path = Path(recording["path"])
            found = transcribe_file(path, engine=engine, files=files_class(store), options=options, **more)
        return {
            "text": found.text,
            "words": [(each.text, each.start_s, each.end_s) for one in found.segments for each in one.words],
            "segments": [(one.start_s, one.end_s, one.language or found.language, one.text) for one in found.segments],
            "language": found.language,
            "reheard": len(found.reheard),
            "reheard_s": sum(each.end_s - each.start_s for each in found.reheard),
            "no_text_s": sum(each.end_s - each.start_s for each in found.findings if each.kind == NO_TEXT),
            "findings": [(each.kind, each.start_s, each.end_s, each.detail) for each in found.findings],
            "seams": len(found.seams),
            "seams_doubted": sum(bool(each.doubt) for each in found.seams),
        }

    return hear


def loaded(task: Found) -> Any:
    from faster_whisper import WhisperModel

    types = {"device": task["device"], "compute_type": task["compute_type"]}
    return WhisperModel(task["model"], cpu_threads=task["threads"], num_workers=1, **types)


def said_by(segments: list[Any], languages: list[str]) -> Found:
    return {
        "text": " ".join(segment.text.strip() for segment in segments),
        "words": [(word.word, word.start, word.end) for segment in segments for word in segment.words or ()],
        "segments": [
            (segment.start, segment.end, language, segment.text)
            for segment, language in zip(segments, languages, strict=True)
        ],
    }


def sequential(task: Found, **settings: Any) -> Hear:
    """Return faster-whisper by itself, over the whole file from front to back."""
    from faster_whisper import transcribe as module

    model = loaded(task)
    tokenizers: list[Any] = []

    class Kept(module.Tokenizer):  # type: ignore[misc]
        def __init__(self, *given: Any, **named: Any) -> None:
            super().__init__(*given, **named)
            tokenizers[:] = [self]  # it knows the language of the segment at hand

    module.Tokenizer = Kept

    def hear(recording: Found) -> Found:
        how = settings | {"word_timestamps": True, "multilingual": recording["mixed"], "language": recording["given"]}
        segments, info = model.transcribe(recording["path"], **how)
        found: list[Any] = []
        languages: list[str] = []
        for segment in segments:
            found.append(segment)
            languages.append(tokenizers[-1].language_code)
        return said_by(found, languages) | {"language": info.language}

    return hear


def batched(task: Found) -> Hear:
    """Return faster-whisper's batched pipeline."""
    from faster_whisper import BatchedInferencePipeline

    model = loaded(task)
    asked: list[tuple[float, str]] = []

    class Watched:
        """The model, which keeps the languages that it was asked for."""

        def __init__(self, whisper: Any) -> None:
            self.whisper = whisper

        def __getattr__(self, name: str) -> Any:
            return getattr(self.whisper, name)

        def detect_language(self, states: Any) -> Any:
            answers = self.whisper.detect_language(states)
            asked.extend((0.0, answer[0][0][2:-2]) for answer in answers)
            return answers

    class Pipeline(BatchedInferencePipeline):  # type: ignore[misc]
        def forward(self, features: Any, tokenizer: Any, chunks_metadata: Any, options: Any) -> Any:
            before = len(asked)
            found = super().forward(features, tokenizer, chunks_metadata, options)
            for place, chunk in enumerate(chunks_metadata[: len(asked) - before], before):
                asked[place] = (float(chunk["offset"]), asked[place][1])
            return found

    listener = Pipeline(model)

    def hear(recording: Found) -> Found:
        if recording["mixed"]:
            model.model = Watched(model.model)
        asked.clear()
        how = {"word_timestamps": True, "multilingual": recording["mixed"], "language": recording["given"]}
        segments, info = listener.transcribe(recording["path"], batch_size=task["batch"], **how)
        found = list(segments)

        def language_at(at_s: float) -> str:
            before = [language for offset_s, language in asked if offset_s <= at_s + 0.5]
            return before[-1] if before and recording["mixed"] else info.language

        return said_by(found, [language_at(segment.start) for segment in found]) | {"language": info.language}

    return hear


def alone(task: Found) -> Hear:
    """Return sequential faster-whisper that is given each utterance by itself, cut out where it really lies."""
    import soundfile

    model = loaded(task)

    def hear(recording: Found) -> Found:
        sound, _ = soundfile.read(recording["path"], dtype="float32")
        found: Found = {"text": "", "words": [], "segments": [], "language": recording["given"]}
        for said in recording["said"]:
            from_s, to_s = said["start_s"], said["end_s"]
            part = sound[int(from_s * RATE_HZ) : int(to_s * RATE_HZ)]
            language = said["language"] if recording["mixed"] else recording["given"]
            segments, info = model.transcribe(part, word_timestamps=True, language=language)
            for segment in segments:
                found["text"] += " " + segment.text.strip()
                found["words"] += [(word.word, word.start + from_s, word.end + from_s) for word in segment.words]
                found["segments"].append((segment.start + from_s, segment.end + from_s, info.language, segment.text))
        return found

    return hear


def reference(task: Found) -> Hear:
    """Return the known words of each clip, alone and at one level, with the times that the model aligns them to.

    A word that begins in a pause is moved to its end: where the text has no commas, alignment gives it the pause.
    """
    import numpy as np
    from faster_whisper.audio import decode_audio, pad_or_trim
    from faster_whisper.tokenizer import Tokenizer
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    model = loaded(task)
    pauses = VadOptions(min_silence_duration_ms=150, speech_pad_ms=30)

    def hear(recording: Found) -> Found:
        whole = decode_audio(recording["path"])
        whole *= np.float32(0.06 / max(float(np.sqrt(np.mean(whole**2))), 1e-9))
        stretches = get_speech_timestamps(whole, pauses) or [{"start": 0, "end": len(whole)}]
        first, last = stretches[0]["start"], stretches[-1]["end"]
        features = model.feature_extractor(whole[first:last])[..., :-1]
        states = model.encode(pad_or_trim(features))
        known = Tokenizer(
            model.hf_tokenizer, model.model.is_multilingual, task="transcribe", language=recording["given"]
        )
        tokens = known.encode(" " + recording["said"][0]["text"])
        words = model.find_alignment(known, [tokens], states, min(features.shape[-1], 3000))[0]
        found = []
        for word in words:
            start_s, end_s = word["start"] + first / RATE_HZ, word["end"] + first / RATE_HZ
            begins = [each["start"] / RATE_HZ for each in stretches if start_s < each["end"] / RATE_HZ]
            found.append((word["word"], max(start_s, min(begins[0], end_s)) if begins else start_s, end_s))
        return {"text": "", "segments": [], "words": found}

    return hear


SYSTEMS: dict[str, Callable[[Found], Hear]] = {
    "ours": ours,
    "sequential": sequential,
    "sequential-vad": lambda task: sequential(task, vad_filter=True, condition_on_previous_text=False),
    "batched": batched,
    "alone": alone,
    "reference": reference,
}


def kilobytes(key: str, pid: int | str = "self") -> int:
    with suppress(OSError):
        found = re.search(rf"^{key}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0


class Memory:
    """The most memory that this process and its children have had at once, nearly: their peaks are added."""

    def __init__(self) -> None:
        self.most_of_children = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.most_of_children = max(self.most_of_children, sum(kilobytes("VmRSS", pid) for pid in self._children()))
            time.sleep(0.25)

    def _children(self) -> Iterator[str]:
        """Yield the children but those that are still this process, on their way to become another."""
        own = Path("/proc/self/cmdline").read_bytes()
        for thread in Path("/proc/self/task").iterdir():
            with suppress(OSError):
                for pid in (thread / "children").read_text().split():
                    if Path(f"/proc/{pid}/cmdline").read_bytes() != own:
                        yield pid

    def begin(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # VmHWM counts from here
        self.most_of_children = 0

    def peak_mb(self) -> float:
        return (kilobytes("VmHWM") + self.most_of_children) / 1024


def processor_s() -> float:
    each = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in each)


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    """Give up what has not ended by then."""

    def give_up(_number: int, _frame: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(max(1, int(seconds)))
    try:
        yield
    finally:
        signal.alarm(0)


def measured(hear: Hear, recording: Found, memory: Memory) -> Found:
    """Return what was heard and what it took; a recording that has no end within its patience says so."""
    memory.begin()
    started, used = time.perf_counter(), processor_s()
    try:
        with ends_within(recording["patience_s"]):
            found = hear(recording)
    except TimeoutError:
        found = {"text": "", "words": [], "segments": [], "no_end": True}
    return found | {
        "wall_s": time.perf_counter() - started,
        "cpu_s": processor_s() - used,
        "peak_mb": memory.peak_mb(),
    }


def warm_up(hear: Hear, task: Found) -> None:
    """Hear a few seconds, so that everything is imported and in its place."""
    import soundfile

    first = task["recordings"][0]
    sound, rate = soundfile.read(task["warm"], dtype="float32")
    with tempfile.TemporaryDirectory() as folder:
        short = Path(folder) / "warm.wav"
        soundfile.write(short, sound[: int(WARM_S * rate)], rate)
        said = [{"start_s": 0.0, "end_s": WARM_S, "language": "en", "text": "warm"}]
        hear(first | {"path": str(short), "said": said, "mixed": False, "given": "en"})


def main() -> None:
    task = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    hear = SYSTEMS[task["system"]](task)
    model_mb = kilobytes("VmRSS") / 1024
    warm_up(hear, task)
    memory = Memory()
    for recording in task["recordings"]:
        found = measured(hear, recording, memory)
        print(json.dumps(found | {"beside_mb": found["peak_mb"] - model_mb}), file=answers, flush=True)
    os._exit(0)  # what was given up may still run in a thread


if __name__ == "__main__":
    main()
