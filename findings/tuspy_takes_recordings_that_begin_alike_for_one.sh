#!/usr/bin/env bash
# Guess: tuspy with `store_url=True` resumes a recording's upload for that recording alone; two recordings of one length
#   are two uploads.
# What happens: its fingerprint is the length and the first 65,536 bytes, two seconds of telephone sound or 0.7 s of
#   16-bit sound at 48 kHz. Recorders that cut by the clock and begin in silence write files that share both. If the first one was sent,
#   not a byte of the second is, without an error; if the first one broke off, the second one's end is put behind its
#   beginning. A fingerprint of the whole file (`fingerprinter=`) tells them apart.
# Versions: tuspy 1.1.0
# Date: 2026-11-30
# Source: measured here; tusclient/fingerprint/fingerprint.py
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tuspy==1.1.0
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import math
import threading
import wave
from array import array
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

from tusclient.client import TusClient
from tusclient.storage.filestorage import FileStorage

RATE, SECONDS, PART = 16_000, 10, 200_000
received: list[bytearray] = []


class TusServer(BaseHTTPRequestHandler):
    """Creation and the core of tus 1.0.0, enough for one client."""

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Tus-Resumable": "1.0.0", "Content-Length": "0", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def do_POST(self) -> None:
        received.append(bytearray())
        self.answer(201, Location=f"/files/{len(received) - 1}")

    def do_HEAD(self) -> None:
        self.answer(200, Upload_Offset=str(len(received[int(self.path.split("/")[-1])])))

    def do_PATCH(self) -> None:
        upload = received[int(self.path.split("/")[-1])]
        upload += self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(204, Upload_Offset=str(len(upload)))


def recording(name: str, hertz: float) -> Path:
    """Write a WAV file of which the first three seconds are silent."""
    tone = (int(8000 * math.sin(2 * math.pi * hertz * n / RATE)) if n > 3 * RATE else 0 for n in range(RATE * SECONDS))
    with wave.open(name, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(array("h", tone).tobytes())
    return Path(name)


server = ThreadingHTTPServer(("127.0.0.1", 0), TusServer)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = TusClient(f"http://127.0.0.1:{server.server_port}/files/")
nine, ten, eleven, twelve = (recording(f"{hour}.wav", 100.0 * hour) for hour in (9, 10, 11, 12))


def send(path: Path, urls: str, *, whole: bool = True) -> None:
    uploader = client.uploader(str(path), chunk_size=PART, store_url=True, url_storage=FileStorage(urls))
    uploader.upload() if whole else uploader.upload_chunk()


print(f"tuspy {version('tuspy')}")
send(nine, "first.json")
send(ten, "first.json")
print(f"  two recordings of {ten.stat().st_size:,} bytes sent, one after the other: {len(received)} upload(s) made")
assert received == [nine.read_bytes()], "the behaviour has changed"
send(eleven, "second.json", whole=False)
send(twelve, "second.json")
mixed = bytes(received[1])
print(f"  one of which {PART:,} bytes were sent, then the other: {len(received) - 1} upload, the first one's beginning, the second one's end")
assert len(received) == 2, "the behaviour has changed"
assert mixed == eleven.read_bytes()[:PART] + twelve.read_bytes()[PART:], "the behaviour has changed"
server.shutdown()
PYTHON
