"""A reproducible corpus of malformed media files.

    python -m tests.fuzz.corpus FOLDER

writes them all, for trying other programs on them.
"""

import io
import json
import random
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from tests.tasks.audio.test_inputs import write_coded
from tests.tasks.sounds import RATE_HZ, Samples, tone, write_media, write_wav

SEED = 20_240_615
LENGTH_S = 0.6
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """One bad file; `grown_to` makes it longer by a hole that takes no room on the disk."""

    name: str
    data: bytes
    grown_to: int = 0

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        path.write_bytes(self.data)
        if self.grown_to:
            with path.open("r+b") as opened:
                opened.truncate(self.grown_to)
        return path


def corpus() -> list[Malformed]:
    """Return all files; their order and bytes depend on nothing but this module and the encoders."""
    chance = random.Random(SEED)  # noqa: S311
    good = sources()
    found = [
        *truncated(good),
        *flipped(good, chance),
        *overwritten(good, chance),
        *misnamed(good),
        *joined(good),
        *holed(good),
        *wav_lies(),
        *flac_lies(good["a.flac"]),
        *boxes(good["a.m4a"]),
        *elements(good["a.mkv"]),
        *pictures(good["a.mp3"]),
        *endless(good),
        *not_media(),
        *playlists(),
        *garbage(chance),
    ]
    return [
        Malformed(name=f"{number:03d}-{each.name}", data=each.data, grown_to=each.grown_to)
        for number, each in enumerate(found)
    ]


def sound() -> Samples:
    """Noise that comes and goes over a tone: more for a decoder to do than silence."""
    noise = np.random.default_rng(SEED).normal(0, 0.1, round(LENGTH_S * RATE_HZ)).astype(np.float32)
    return tone(LENGTH_S) + noise * np.linspace(0, 1, len(noise), dtype=np.float32)


def sources() -> dict[str, bytes]:
    """Return good files of every kind, small."""
    coded = {
        "a.mp3": ("libmp3lame", 16_000, None),
        "a.m4a": ("aac", 16_000, None),
        "a.aac": ("aac", 16_000, "adts"),
        "a.ts": ("aac", 48_000, "mpegts"),
        "a.mkv": ("libopus", 48_000, None),
        "a.webm": ("libopus", 48_000, None),
        "a.ogg": ("libopus", 48_000, None),
        "a.flac": ("flac", 16_000, None),
        "alac.m4a": ("alac", 16_000, None),
        "a.aiff": ("pcm_s16be", 16_000, None),
        "a.caf": ("pcm_s16le", 16_000, None),
        "a.wma": ("wmav2", 44_100, "asf"),
        "a.avi": ("libmp3lame", 44_100, None),
        "a.flv": ("aac", 44_100, None),
        "a.amr": ("libopencore_amrnb", 8_000, None),
        "a.3gp": ("libopencore_amrnb", 8_000, None),
        "adpcm.wav": ("adpcm_ima_wav", 22_050, None),
        "a.ac3": ("ac3", 48_000, None),
        "a.au": ("pcm_s16be", 8_000, None),
        "a.w64": ("pcm_s16le", 16_000, None),
    }
    found: dict[str, bytes] = {}
    with TemporaryDirectory() as folder:
        for name, (codec, rate_hz, container) in coded.items():
            path = write_coded(Path(folder, name), codec, rate_hz, sound(), container=container)
            found[name] = path.read_bytes()
        found["a.wav"] = write_wav(Path(folder, "a.wav"), sound()).read_bytes()
        found["film.mp4"] = write_media(Path(folder, "film.mp4"), [sound()], picture=True).read_bytes()
        found["two.mov"] = write_media(Path(folder, "two.mov"), [sound(), sound()]).read_bytes()
    return found


def truncated(good: dict[str, bytes]) -> Iterator[Malformed]:
    for name, data in good.items():
        for place in (17, len(data) // 8, len(data) // 2, len(data) - 5):
            yield Malformed(name=f"cut-at-{place}-{name}", data=data[:place])


def flipped(good: dict[str, bytes], chance: random.Random) -> Iterator[Malformed]:
    for name, data in good.items():
        for count in (3, 200):
            bits = bytearray(data)
            for _ in range(count):
                bits[chance.randrange(len(bits))] ^= 1 << chance.randrange(8)
            yield Malformed(name=f"flipped-{count}-{name}", data=bytes(bits))


def overwritten(good: dict[str, bytes], chance: random.Random) -> Iterator[Malformed]:
    """Lies in headers: fields of the first bytes, where sizes, rates and counts stand, set to extremes."""
    for name, data in good.items():
        for value in (b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00"):
            lying = bytearray(data)
            for _ in range(3):
                place = chance.randrange(4, min(200, len(data) - 4))
                lying[place : place + 4] = value
            yield Malformed(name=f"header-{value.hex()}-{name}", data=bytes(lying))


def misnamed(good: dict[str, bytes]) -> Iterator[Malformed]:
    endings = [Path(name).suffix for name in good]
    for (name, data), ending in zip(good.items(), endings[7:] + endings[:7], strict=True):
        yield Malformed(name=f"really-{name.replace('.', '-')}{ending}", data=data)


def joined(good: dict[str, bytes]) -> Iterator[Malformed]:
    """Containers one behind the other, and inside one another."""
    names = list(good)
    for first, second in zip(names, names[5:] + names[:5], strict=True):
        yield Malformed(name=f"joined-{first}", data=good[first] + good[second])
    riff = good["a.wav"]
    for name in ("a.mp3", "a.flac", "film.mp4", "a.ogg"):
        inside = riff[:36] + b"data" + struct.pack("<I", len(good[name])) + good[name]
        yield Malformed(name=f"inside-{name}.wav", data=inside)
    deep = b"LIST" + struct.pack("<I", 4) + b"INFO"
    for _ in range(500):
        deep = b"LIST" + struct.pack("<I", len(deep) + 4) + b"INFO" + deep
    yield Malformed(name="deep.wav", data=b"RIFF" + struct.pack("<I", len(deep) + 4) + b"WAVE" + deep)


def holed(good: dict[str, bytes]) -> Iterator[Malformed]:
    for name, data in good.items():
        third = len(data) // 3
        yield Malformed(name=f"zeros-{name}", data=data[:third] + bytes(third) + data[2 * third :])


def wav_header(
    *, code: int = 1, channels: int = 1, rate_hz: int = RATE_HZ, bits: int = 16, align: int = 2, size: int = 9600
) -> bytes:
    form = struct.pack("<HHIIHH", code, channels, rate_hz, (rate_hz * align) & 0xFFFFFFFF, align, bits)
    return (
        b"RIFF"
        + struct.pack("<I", (size + 36) & 0xFFFFFFFF)
        + b"WAVEfmt \x10\0\0\0"
        + form
        + b"data"
        + struct.pack("<I", size)
    )


def wav_lies() -> Iterator[Malformed]:
    lies: dict[str, dict[str, int]] = {
        "no-channels": {"channels": 0},
        "many-channels": {"channels": 65_535, "align": 65_535},
        "512-channels": {"channels": 512, "align": 1024},
        "no-rate": {"rate_hz": 0},
        "one-hertz": {"rate_hz": 1},
        "fastest": {"rate_hz": 0xFFFFFFFF},
        "two-gigahertz": {"rate_hz": 0x7FFFFFFF},
        "no-bits": {"bits": 0},
        "odd-bits": {"bits": 13},
        "many-bits": {"bits": 65_535},
        "no-align": {"align": 0},
        "wide-align": {"align": 65_535},
        "no-size": {"size": 0},
        "largest": {"size": 0xFFFFFFFF},
        "negative": {"size": 0x80000000},
        "unknown-codec": {"code": 0x4242},
        "float-of-16-bits": {"code": 3},
        "extensible-without-its-rest": {"code": 0xFFFE},
        "mp3-inside": {"code": 0x55},
        "g726-one-bit": {"code": 0x45, "bits": 1, "align": 1},
    }
    noise = random.Random(SEED).randbytes(9600)  # noqa: S311
    for name, lie in lies.items():
        yield Malformed(name=f"{name}.wav", data=wav_header(**lie) + noise)
    yield Malformed(name="only-a-head.wav", data=wav_header())
    yield Malformed(name="only-riff.wav", data=b"RIFF\xff\xff\xff\xffWAVE")


def flac_lies(good: bytes) -> Iterator[Malformed]:
    """STREAMINFO: block sizes, rate, channels and the number of samples; a metadata block longer than the file."""
    info = 8
    for name, place, value in (
        ("no-blocks", info, b"\x00\x00\x00\x00"),
        ("no-rate", info + 10, b"\x00\x00\x00"),
        ("a-year", info + 13, b"\x0f\xff\xff\xff\xff"),
        ("eight-channels", info + 12, b"\x0e"),
        ("long-metadata", 5, b"\xff\xff\xff"),
    ):
        lying = bytearray(good)
        lying[place : place + len(value)] = value
        yield Malformed(name=f"{name}.flac", data=bytes(lying))


def boxes(good: bytes) -> Iterator[Malformed]:
    """MP4 boxes: of no size, of huge size, nested without end, tables with more entries than bytes."""
    head = b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42"
    yield Malformed(name="no-box-size.mp4", data=head + b"\0\0\0\0moov")
    yield Malformed(name="huge-box.mp4", data=head + b"\0\0\0\x01moov\x7f\xff\xff\xff\xff\xff\xff\xff")
    nested = b""
    for _ in range(2000):
        nested = struct.pack(">I", len(nested) + 8) + b"moov" + nested
    yield Malformed(name="nested.mp4", data=head + nested)
    for table in (b"stts", b"stsz", b"stsc", b"stco", b"elst", b"mdhd", b"tkhd", b"mvhd", b"stsd", b"esds"):
        at = good.find(table)
        if at > 0:
            lying = bytearray(good)
            lying[at + 8 : at + 20] = b"\x7f" * 12
            yield Malformed(name=f"lying-{table.decode()}.m4a", data=bytes(lying))


def elements(good: bytes) -> Iterator[Malformed]:
    """Matroska elements: of unknown length, longer than the file, nested, with a duration of centuries."""
    head = good[: good.find(b"\x18\x53\x80\x67")]
    yield Malformed(name="unknown-length.mkv", data=head + b"\x18\x53\x80\x67\x01" + b"\xff" * 7)
    yield Malformed(name="too-long.mkv", data=head + b"\x18\x53\x80\x67\x08" + b"\xff" * 7)
    yield Malformed(
        name="nested.mkv", data=head + b"\x18\x53\x80\x67\x01" + b"\xff" * 7 + b"\x1f\x43\xb6\x75\x01\xff" * 3000
    )
    at = good.find(b"\x44\x89\x88")
    if at > 0:
        lying = bytearray(good)
        lying[at + 3 : at + 11] = struct.pack(">d", 1e15)
        yield Malformed(name="centuries.mkv", data=bytes(lying))


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packed = zlib.compress(bytes(1 << 20))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) * 8 + chunk(b"IEND", b"")


def pictures(good: bytes) -> Iterator[Malformed]:
    """Pictures of huge dimensions: alone, and as the cover of a song."""
    for width, height in ((65_000, 65_000), (30_000, 30_000), (0x7FFFFFFF, 1)):
        picture = png(width, height)
        yield Malformed(name=f"picture-{width}.png", data=picture)
        frame = b"\0image/png\0\x03\0" + picture
        tag = b"APIC" + struct.pack(">I", len(frame)) + b"\0\0" + frame
        size = bytes((len(tag) >> shift) & 0x7F for shift in (21, 14, 7, 0))
        yield Malformed(name=f"cover-{width}.mp3", data=b"ID3\x03\0\0" + size + tag + good)
    video = b"\0\0\x01\xb3" + b"\xff\xff\xff\x15" + bytes(200)
    yield Malformed(name="huge.mpg", data=b"\0\0\x01\xba\x44" + bytes(9) + video * 20)
    yield Malformed(name="huge.y4m", data=b"YUV4MPEG2 W65000 H65000 F25:1\nFRAME\n" + bytes(5000))


def endless(good: dict[str, bytes]) -> Iterator[Malformed]:
    """Files that never come to their end, or to their first sample; the holes take no room."""
    yield Malformed(name="silence-of-weeks.wav", data=wav_header(size=0xFFFFFFFF), grown_to=40 * GIB)
    yield Malformed(name="chunks.wav", data=good["a.wav"], grown_to=20 * GIB)
    yield Malformed(name="resync.mp3", data=good["a.mp3"], grown_to=4 * GIB)
    yield Malformed(name="packets.ts", data=good["a.ts"], grown_to=4 * GIB)
    yield Malformed(name="pages.ogg", data=good["a.ogg"], grown_to=4 * GIB)
    yield Malformed(name="nothing.raw", data=b"\0", grown_to=8 * GIB)
    yield Malformed(name="loop.aac", data=good["a.aac"] * 150)
    yield Malformed(name="loop.ogg", data=good["a.ogg"] * 100)
    yield Malformed(name="streams.ogg", data=b"".join(stream_of(good["a.ogg"], number) for number in range(200)))


def stream_of(ogg: bytes, serial: int) -> bytes:
    """Return the first page of an Ogg file as that of another stream (with its checksum wrong)."""
    page = bytearray(ogg[: ogg.find(b"OggS", 4)])
    page[14:18] = struct.pack("<I", serial)
    return bytes(page)


def not_media() -> Iterator[Malformed]:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(zipfile.ZipInfo("bomb"), bytes(10 << 20), zipfile.ZIP_DEFLATED)
    yield Malformed(name="empty.wav", data=b"")
    yield Malformed(name="one-byte.mp3", data=b"\xff")
    yield Malformed(name="letter.mp3", data=b"Dear Sir or Madam,\n" * 500)
    yield Malformed(name="page.m4a", data=b"<!doctype html><html><body>404 Not Found</body></html>\n" * 20)
    yield Malformed(name="archive.flac", data=packed.getvalue())
    yield Malformed(name="bomb.ogg", data=zlib.compress(bytes(50 << 20), 9))
    yield Malformed(name="paper.wav", data=b"%PDF-1.7\n" + bytes(range(256)) * 30)
    yield Malformed(name="program.mp4", data=b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 30)
    yield Malformed(name="table.ogg", data=b"SQLite format 3\0" + bytes(4000))
    yield Malformed(name="data.json", data=json.dumps({"a": [1] * 3000}).encode())
    yield Malformed(name="subtitles.mp3", data=b"1\n00:00:01,000 --> 00:00:02,000\nHello\n\n" * 100)
    yield Malformed(name="subtitles.ass", data=b"[Script Info]\nScriptType: v4.00+\n[Events]\n" * 10)
    yield Malformed(name="tags-alone.mp3", data=b"ID3\x04\0\0\0\0\x7f\x76" + bytes(16_374))
    yield Malformed(name="unicode.wav", data="🎙️ ".encode() * 1000)


def playlists() -> Iterator[Malformed]:
    """Text that makes FFmpeg open other files and addresses, if it is let."""
    secret, host = "/etc/passwd", "http://127.0.0.1:9/secret"
    texts = {
        "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "net.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{host}\n#EXT-X-ENDLIST\n",
        "keyed.m3u8": f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{host}"\n#EXTINF:9,\n{host}\n#EXT-X-ENDLIST\n',
        "subfile.m3u8": f"#EXTM3U\n#EXTINF:9,\nsubfile,,start,0,end,99,,:{secret}\n#EXT-X-ENDLIST\n",
        "concat.m3u8": f"#EXTM3U\n#EXTINF:9,\nconcat:{secret}|{secret}\n#EXT-X-ENDLIST\n",
        "concat.txt": f"ffconcat version 1.0\nfile '{secret}'\n",
        "concat.wav": f"ffconcat version 1.0\nfile 'concat:{secret}'\ninpoint 0\n",
        "list.pls": f"[playlist]\nFile1={host}\nNumberOfEntries=1\n",
        "list.asx": f'<asx version="3.0"><entry><ref href="{host}"/></entry></asx>',
        "list.xspf": f"<?xml?><playlist><trackList><track><location>{host}</location></track></trackList></playlist>",
        "list.mpd": f"<?xml?><MPD><Period><AdaptationSet><BaseURL>{host}</BaseURL></AdaptationSet></Period></MPD>",
        "entity.mpd": f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]><MPD>&e;</MPD>',
        "call.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
        "stream.ram": "rtsp://127.0.0.1:9/secret\n",
        "url.mp3": f"{host}\n",
        "image.txt": "# image2\n/etc/%05d.png\n",
    }
    for name, text in texts.items():
        yield Malformed(name=name, data=text.encode())


def garbage(chance: random.Random) -> Iterator[Malformed]:
    """Random bytes behind the first bytes of everything that FFmpeg knows how to recognise."""
    marks = {
        "wav": b"RIFF\x00\x10\x00\x00WAVEfmt ",
        "flac": b"fLaC\x00\x00\x00\x22",
        "ogg": b"OggS\x00\x02",
        "mp3": b"\xff\xfb\x90\x00",
        "mp4": b"\0\0\0\x20ftypisom",
        "mkv": b"\x1a\x45\xdf\xa3",
        "aiff": b"FORM\0\0\x10\0AIFFCOMM",
        "caf": b"caff\0\x01\0\0desc",
        "asf": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
        "amr": b"#!AMR\n",
        "au": b".snd\0\0\0\x18",
        "avi": b"RIFF\xff\xff\xff\x7fAVI LIST",
        "flv": b"FLV\x01\x05\0\0\0\x09",
        "ts": b"\x47\x40\x00\x10",
        "rm": b".RMF\0\0\0\x12",
        "voc": b"Creative Voice File\x1a",
        "ape": b"MAC \x96\x0f",
        "wv": b"wvpk\0\x10\0\0",
        "tta": b"TTA1\x01\x00",
        "mpc": b"MPCK",
        "dsf": b"DSD \x1c\0\0\0",
        "gxf": b"\0\0\0\0\x01\xbc",
        "nut": b"nut/multimedia container\0",
        "swf": b"FWS\x09",
        "mxf": b"\x06\x0e\x2b\x34\x02\x05\x01\x01",
        "spx": b"OggS\0\x02" + bytes(20) + b"\x01\x50Speex   ",
        "mod": b"IMPM",
        "raw": b"",
    }
    for name, mark in marks.items():
        yield Malformed(name=f"garbage.{name}", data=mark + chance.randbytes(4000))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for each in corpus():
        each.write(target)
