"""Caption files as mpv and libass show them, where they are installed (Debian: `mpv`, `libass9`)."""

import ctypes
import io
import itertools
import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import av
import numpy as np
import pytest

from tests.processes import end, kill
from tests.tasks.exports.caption_readers import Shown, drawn, in_ms
from tests.waiting import until

STAMP = re.compile(r"\d+:\d\d:\d\d[.,]\d+")
QUIET = (
    "--no-config",
    "--no-terminal",
    "--idle",
    "--pause",
    "--vo=null",
    "--ao=null",
    "--load-scripts=no",
    "--ytdl=no",
)
START_S = 120.0


def by_libass(bodies: Sequence[bytes], _: str) -> list[list[Shown]]:
    """Return the events that libass reads."""
    try:
        ass = ctypes.CDLL("libass.so.9")
    except OSError:
        pytest.skip("libass is not installed")
    for function in (ass.ass_library_init, ass.ass_read_memory):
        function.restype = ctypes.c_void_p
    library = ctypes.c_void_p(ass.ass_library_init())
    ass.ass_set_message_cb(library, QUIETLY, None)
    shown = []
    for body in bodies:
        address = ass.ass_read_memory(library, ctypes.create_string_buffer(body), ctypes.c_size_t(len(body)), None)
        track = _Track.from_address(address)
        events = track.events[: track.n_events]
        shown.append([(each.start, each.start + each.duration, drawn(each.text.decode())) for each in events])
        ass.ass_free_track(ctypes.c_void_p(address))
    ass.ass_library_done(library)
    return shown


class _Event(ctypes.Structure):
    """ASS_Event of libass 0.9 to 0.17 (ass_types.h)."""

    _fields_ = (
        ("start", ctypes.c_longlong),
        ("duration", ctypes.c_longlong),
        *((name, ctypes.c_int) for name in ("read_order", "layer", "style")),
        ("name", ctypes.c_char_p),
        *((name, ctypes.c_int) for name in ("margin_l", "margin_r", "margin_v")),
        ("effect", ctypes.c_char_p),
        ("text", ctypes.c_char_p),
        ("render_priv", ctypes.c_void_p),
    )


class _Track(ctypes.Structure):
    """The beginning of ASS_Track."""

    _fields_ = (
        *((name, ctypes.c_int) for name in ("n_styles", "max_styles", "n_events", "max_events")),
        ("styles", ctypes.c_void_p),
        ("events", ctypes.POINTER(_Event)),
    )


QUIETLY = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p)(lambda *_: None)


def by_mpv(bodies: Sequence[bytes], fmt: str) -> list[list[Shown]]:
    """Return what mpv shows at each moment that the file names, on a film with a picture at each of them."""
    if not shutil.which("mpv"):
        pytest.skip("mpv is not installed")
    moments = [sorted({in_ms(stamp) for stamp in STAMP.findall(body.decode())}) for body in bodies]
    with TemporaryDirectory() as folder, _Mpv(Path(folder)) as mpv:
        film = Path(folder, "film.mkv")
        film.write_bytes(film_with_pictures_at(sorted({0, *itertools.chain(*moments)})))
        mpv.do("loadfile", str(film), then="playback-restart")
        shown = []
        for body, each in zip(bodies, moments, strict=True):
            Path(folder, f"captions.{fmt}").write_bytes(body)
            mpv.do("sub-add", f"{folder}/captions.{fmt}", "select")
            shown.append([one for one, _ in itertools.groupby(mpv.shown_at(each))])
            mpv.do("sub-remove")
        return shown


def drawn_by_mpv(body: bytes, fmt: str) -> np.ndarray[Any, Any]:
    """Return the first picture of a black film with these captions: grey values, rows by columns."""
    if not shutil.which("mpv"):
        pytest.skip("mpv is not installed")
    with TemporaryDirectory() as folder:
        path = Path(folder, f"captions.{fmt}")
        path.write_bytes(body)
        picture = ("--no-config", "--no-terminal", "--vo=image", "--vo-image-format=png", "--frames=1", "--ao=null")
        films = (f"--vo-image-outdir={folder}", f"--sub-file={path}", "av://lavfi:color=c=black:s=1280x720:d=5")
        subprocess.run(["mpv", *picture, *films], check=True, timeout=START_S)
        with av.open(f"{folder}/00000001.png") as opened:
            return next(opened.decode(video=0)).to_ndarray(format="gray")


class _Mpv:
    """A running mpv without window and sound, spoken to over its socket."""

    def __init__(self, folder: Path) -> None:
        address = str(folder / "mpv.sock")
        self.process = subprocess.Popen(["mpv", *QUIET, f"--input-ipc-server={address}"])
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(START_S)
        try:
            until(lambda: self.socket.connect_ex(address) == 0)
        except AssertionError:
            kill(self.process)
            raise
        self.lines = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.lines.close()
        self.socket.close()
        end(self.process)

    def do(self, *command: str | float, then: str | None = None) -> Any:
        """Return the answer to a command; with `then`, wait for that event after it."""
        self.socket.sendall(json.dumps({"command": command, "request_id": 1}).encode() + b"\n")
        answer, happened = None, then is None
        while answer is None or not happened:
            said = json.loads(self.lines.readline())
            if "error" in said:
                answer = said
                assert answer["error"] in {"success", "property unavailable"}, (command, answer)
            happened = happened or said.get("event") == then
        return answer.get("data")

    def shown_at(self, moments_ms: Sequence[int]) -> Iterator[Shown]:
        for at_ms in moments_ms:
            self.do("seek", at_ms / 1000, "absolute+exact", then="playback-restart")
            if text := self.do("get_property", "sub-text"):
                start_s, end_s = (self.do("get_property", name) for name in ("sub-start", "sub-end"))
                yield round(start_s * 1000), round(end_s * 1000), text


def film_with_pictures_at(moments_ms: Sequence[int]) -> bytes:
    """Return a Matroska film that has a small picture at each of these moments."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as film:
        stream = film.add_stream("mjpeg", rate=1000)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuvj420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for at_ms in moments_ms:
            picture = av.VideoFrame.from_ndarray(np.zeros((16, 16), np.uint8), format="gray")
            picture.pts, picture.time_base = at_ms, Fraction(1, 1000)
            film.mux(stream.encode(picture))
        film.mux(stream.encode(None))
    return file.getvalue()
