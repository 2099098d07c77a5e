"""Time an engine's calls of CTranslate2 and faster-whisper from outside.

The classes themselves are patched, so that the caller does not matter. Times are summed over threads.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from ctypes import CDLL, Structure, byref, c_ulonglong, c_void_p, create_string_buffer
from typing import Any

from benchmarks.made_model import POSITIONS_PER_S, WORDS_PER_S

FEATURES, SPEECH, ENCODE, GENERATE = "features", "speech finding", "encode", "generate"
ALIGN, LANGUAGE, TO_HOST, TO_DEVICE = "align", "language", "states to host", "states to device"
PARTS = (FEATURES, SPEECH, ENCODE, TO_HOST, TO_DEVICE, GENERATE, ALIGN, LANGUAGE)
FRAMES_PER_S = 100


class Timing:
    """Seconds by part since `begin`, and the number of windows that were encoded and decoded."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.windows: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    def begin(self) -> None:
        with self._lock:
            self.seconds.clear()
            self.windows.clear()

    def add(self, part: str, seconds: float, windows: int = 0) -> None:
        with self._lock:
            self.seconds[part] += seconds
            self.windows[part] += windows

    def timed(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed_call(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            found = call(*given, **named)
            self.add(part, time.perf_counter() - started)
            return found

        return timed_call


def watch(timing: Timing, *, made_width: int = 0) -> None:
    """Time every model of this process from now on; a made one, of this width, finds so many tokens a second."""
    from ctranslate2.models import Whisper
    from faster_whisper import vad
    from faster_whisper.feature_extractor import FeatureExtractor

    FeatureExtractor.__call__ = timing.timed(FEATURES, FeatureExtractor.__call__)
    vad.SileroVADModel.__call__ = timing.timed(SPEECH, vad.SileroVADModel.__call__)
    encode, generate, align, detect = Whisper.encode, Whisper.generate, Whisper.align, Whisper.detect_language

    def on_device(model: Any, states: Any) -> Any:
        """Copy states that lie on the host to the device, as the call itself would have done."""
        if model.device == states.device:
            return states
        from ctranslate2 import Device

        started = time.perf_counter()
        with suppress(AttributeError):
            states = states.to_device(Device.cuda)
        timing.add(TO_DEVICE, time.perf_counter() - started)
        return states

    def encoded(model: Any, features: Any, to_cpu: bool = False) -> Any:
        started = time.perf_counter()
        states = encode(model, features, to_cpu=False)
        done = time.perf_counter()
        timing.add(ENCODE, done - started, states.shape[0])
        if to_cpu and model.device != "cpu":
            from ctranslate2 import Device

            states = states.to_device(Device.cpu)
            timing.add(TO_HOST, time.perf_counter() - done)
        return states

    def generated(model: Any, features: Any, prompts: Any, **how: Any) -> Any:
        states = on_device(model, features)
        if made_width:
            positions, last = states.shape[1:]  # of the encoder's states, else features: mels and frames
            seconds = positions / POSITIONS_PER_S if last == made_width else last / FRAMES_PER_S
            how["max_length"] = bound(seconds, len(prompts[0]))
        started = time.perf_counter()
        found = generate(model, states, prompts, **how)
        timing.add(GENERATE, time.perf_counter() - started, len(prompts))
        return found

    def aligned(model: Any, features: Any, *given: Any, **named: Any) -> Any:
        states = on_device(model, features)
        started = time.perf_counter()
        found = align(model, states, *given, **named)
        timing.add(ALIGN, time.perf_counter() - started)
        return found

    Whisper.encode, Whisper.generate, Whisper.align = encoded, generated, aligned
    Whisper.detect_language = timing.timed(LANGUAGE, detect)


def bound(seconds: float, prompt: int) -> int:
    """Return the `max_length` that lets a window have the tokens of its seconds; half of it is for the text."""
    tokens = max(1, int(WORDS_PER_S * seconds))
    return max(2 * tokens, tokens + prompt)


class GpuMemory:
    """The most memory in use on a GPU, asked of NVML ten times a second; nothing where there is no NVML."""

    def __init__(self, index: int) -> None:
        self.most = 0
        self._handle = c_void_p()
        try:
            self._nvml: Any = CDLL("libnvidia-ml.so.1")
            missing = self._nvml.nvmlInit_v2() or self._nvml.nvmlDeviceGetHandleByIndex_v2(index, byref(self._handle))
        except OSError:
            missing = True
        self.there = not missing
        if self.there:
            threading.Thread(target=self._watch, daemon=True).start()

    def used_bytes(self) -> int:
        class Memory(Structure):
            _fields_ = (("total", c_ulonglong), ("free", c_ulonglong), ("used", c_ulonglong))

        found = Memory()
        return (
            int(found.used) if self.there and not self._nvml.nvmlDeviceGetMemoryInfo(self._handle, byref(found)) else 0
        )

    def name(self) -> str:
        name = create_string_buffer(96)
        return name.value.decode() if self.there and not self._nvml.nvmlDeviceGetName(self._handle, name, 96) else ""

    def begin(self) -> None:
        self.most = self.used_bytes()

    def most_mb(self) -> float | None:
        return max(self.most, self.used_bytes()) / 2**20 if self.there else None

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, self.used_bytes())
            time.sleep(0.1)
