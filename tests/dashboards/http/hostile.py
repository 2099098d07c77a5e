"""Hostile requests, made by generators: what they send, and that nothing good may come of it.

They are bytes, since clients refuse to send most of them. Each is one request on a connection of its own.
"""

import asyncio
import gzip
import io
import json
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

AT_ONCE = 24
ANSWER_BYTES = 1 << 20
WITHIN_S = 240.0
BOUNDARY = "b0undary"
JSON, OCTETS = "application/json", "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """One request: its kind, what it tries, and the bytes; `pauses` says that it is sent slowly and not to its end."""

    kind: str
    name: str
    raw: bytes
    pauses: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back; the status is 0 if the server closed the connection without an answer."""

    asked: Hostile
    status: int
    body: bytes


def raw(method: str, target: str | bytes, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """Return a request as it stands on the line."""
    path = target if isinstance(target, bytes) else target.encode("utf-8", "surrogatepass")
    told = {"Host": "127.0.0.1", "Connection": "close"} | (headers or {})
    if body and not {"content-length", "transfer-encoding"} & {name.lower() for name in told}:
        told["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return method.encode() + b" " + path + b" HTTP/1.1\r\n" + head.encode("latin-1", "replace") + b"\r\n" + body


def form(*parts: tuple[str, bytes], boundary: str = BOUNDARY, end: bool = True) -> bytes:
    """Return a multipart body of parts with their head lines."""
    body = b"".join(f"--{boundary}\r\n{head}\r\n\r\n".encode() + data + b"\r\n" for head, data in parts)
    return body + (f"--{boundary}--\r\n".encode() if end else b"")


def file_part(name: str, field: str = "file") -> str:
    """Return the head of a part that is a file."""
    return f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\nContent-Type: audio/wav'


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Whom the requests come from, and a job that is somebody else's."""

    key: str
    job: str
    others_job: str

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def sends(self, kind: str, body: bytes) -> dict[str, str]:
        return self.auth | {"Content-Type": kind, "Content-Length": str(len(body))}


def everything(site: Site) -> list[Hostile]:
    """Return all hostile requests, in an order that is always the same."""
    kinds = (paths, headers, framing, sql, templates, texts, multiparts, media, documents, large, slow)
    found = [one for kind in kinds for one in kind(site)]
    random.Random(7).shuffle(found)  # noqa: S311 - kinds meet each other, and every run is the same
    return found


DOTS = ("../", "..%2f", "%2e%2e/", "..%5c", "%252e%252e%252f", "....//", "%c0%ae%c0%ae/", "..%00/", "..;/", "\\..\\")
ROOTS = ("/static/", "/assets/", "/api/docs/assets/", "/recordings/", "/downloads/x/", "/shared/assets/", "/uploads/")
GOALS = ("etc/passwd", "data/ledger.duckdb", "data/worker-token")


def paths(site: Site) -> Iterator[Hostile]:
    for number, (dots, root) in enumerate(product(DOTS, ROOTS)):
        goal = GOALS[number % len(GOALS)]
        auth = site.auth if number % 2 else {}
        yield Hostile(kind="path", name=f"{root}{dots}{goal}", raw=raw("GET", root + dots * 6 + goal, auth))
    odd = ("//evil.example/", "http://evil.example/api/v1/me", "*", "/%", "/%zz", "/\x00", "/a b", "?", "", "/" * 3000)
    for target in odd:
        yield Hostile(kind="path", name=repr(target[:30]), raw=raw("GET", target, site.auth))
    for job in (site.others_job, f"{site.others_job}%00", site.others_job.upper(), f"{site.job}/../{site.others_job}"):
        for end in ("", "/transcript", "/recording", "/exports/srt"):
            yield Hostile(kind="path", name=f"another's {end}", raw=raw("GET", f"/api/v1/jobs/{job}{end}", site.auth))


def headers(site: Site) -> Iterator[Hostile]:
    forged = {
        "Host": ("evil.example", "127.0.0.1, evil.example", "", "a" * 5000, "[::1", "127.0.0.1:99999999"),
        "X-Forwarded-For": ("127.0.0.1", "' OR 1=1", "a" * 4000, "::ffff:127.0.0.1, 10.0.0.1"),
        "X-App-User-Id": ("root", site.others_job),
        "Authorization": (
            "Bearer",
            "Bearer ",
            f"Bearer {site.key}x",
            "Bearer wt_" + "a" * 8000,
            "Basic cm9vdDpyb290",
            "Bearer \xff\xfe",
            f"bearer\t{site.key}",
            "Digest username=root",
        ),
        "Cookie": ("transcriber_session=" + "a" * 4000, "transcriber_session=' OR ''='", "a[b]=1; =; ;;;", "\xff\xfe"),
        "Origin": ("http://evil.example", "null", "file://", "\xff"),
        "Range": ("bytes=0-", "bytes=-1", "bytes=" + ",".join(["0-0"] * 500), "bytes=9-1", "octets=0-1", "bytes=a-b"),
        "If-None-Match": ('"' * 3000, "W/", "*", '"a", ' * 900),
        "Accept-Encoding": ("gzip;q=nan", "a" * 3000, ", ,, ,"),
        "Content-Type": ("text/html", "multipart/form-data", "application/json; charset=utf-7", "\xff"),
        "Transfer-Encoding": ("chunked, chunked", "gzip", "identity, chunked", "xchunked"),
        "Content-Length": ("-1", "1e3", "9" * 40, "0x10", "1, 2", "+5"),
        "Expect": ("100-continue", "nothing"),
        "X-HTTP-Method-Override": ("DELETE", "\x01", "PATCH"),
        "Upload-Length": ("-1", "9" * 30, "NaN"),
        "Idempotency-Key": ("'" * 3000, "\xff", "a\tb"),
    }
    for name, values in forged.items():
        for number, value in enumerate(values):
            auth = {} if name == "X-App-User-Id" else site.auth
            method, target = ("GET", "/api/v1/jobs") if number % 2 else ("POST", "/uploads")
            request = raw(method, target, auth | {name: value})
            yield Hostile(kind="header", name=f"{name}: {value[:30]!r}", raw=request)
    lines = (
        b"X: a\r\n b\r\n",
        b"X : a\r\n",
        b": a\r\n",
        b"X\x00: a\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"X: a\nY: b\n",
        b"\r\n\r\n",
    )
    for line in lines:
        request = b"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n" + line + b"Connection: close\r\n\r\nhello"
        yield Hostile(kind="header", name=repr(line[:30]), raw=request)
    for first in (
        b"GET",
        b"GET /",
        b"GET / HTTP/9.9",
        b"\x16\x03\x01\x02\x00",
        b"PRI * HTTP/2.0",
        b"G\x00T / HTTP/1.1",
    ):
        yield Hostile(kind="header", name=repr(first), raw=first + b"\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")


def framing(site: Site) -> Iterator[Hostile]:
    """Yield bodies in odd chunks, trailers, doubled headers, and texts that are none."""
    head = "POST {} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nConnection: close\r\n"
    start = (head.format("/api/v1/webhooks", site.key) + "Content-Type: application/json\r\n").encode()
    chunked = start + b"Transfer-Encoding: chunked\r\n\r\n"
    chunks = {
        "an extension": b'2;a="\x00\r\nx=1\r\n{}\r\n0\r\n\r\n',
        "a long extension": b"2;" + b"a" * 200_000 + b"\r\n{}\r\n0\r\n\r\n",
        "many extensions": b"1;x\r\n \r\n" * 5000 + b"0\r\n\r\n",
        "a negative size": b"-2\r\n{}\r\n0\r\n\r\n",
        "a size with 0x": b"0x2\r\n{}\r\n0\r\n\r\n",
        "a size of 17 digits": b"10000000000000002\r\n{}\r\n0\r\n\r\n",
        "no size": b"\r\n{}\r\n0\r\n\r\n",
        "trailers": b"2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\nX-App-User-Id: root\r\nHost: evil.example\r\n\r\n",
        "many trailers": b"2\r\n{}\r\n0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        "a second request": b"0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    }
    for name, body in chunks.items():
        yield Hostile(kind="framing", name=f"chunks: {name}", raw=chunked + body)
    for coding in (b"\tchunked", b"chunked\x00", b'"chunked"', b"chunked;q=1", b"Chunked, identity", b" \r\n chunked"):
        request = start + b"Transfer-Encoding:" + coding + b"\r\n\r\n0\r\n\r\n"
        yield Hostile(kind="framing", name=repr(coding), raw=request)
    twice = (("Host", "evil.example"), ("Authorization", "Bearer x"), ("Content-Length", "2"), ("Content-Type", "x/y"))
    for name, value in twice:
        request = start + f"{name}: {value}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
        yield Hostile(kind="framing", name=f"{name} twice", raw=request)
    packed = gzip.compress(b"0" * 1_000_000)
    sends = site.sends(JSON, packed) | {"Content-Encoding": "gzip"}
    yield Hostile(kind="framing", name="a bomb", raw=raw("POST", "/api/v1/webhooks", sends, packed))
    fields = b'--x\r\nContent-Disposition: form-data; name="tags"\r\n\r\n1\r\n' * 10_000 + b"--x--\r\n"
    for path in ("/api/v1/jobs", "/v1/audio/transcriptions", "/uploads", "/share"):
        form_of_many = site.sends("multipart/form-data; boundary=x", fields)
        yield Hostile(kind="framing", name=f"10,000 parts to {path}", raw=raw("POST", path, form_of_many, fields))
    for told in ("filename \xff\xff", "filename _w", "filename Li4v,filename Li4v", "filename " + "A" * 9000):
        upload = site.auth | {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Metadata": told}
        yield Hostile(kind="framing", name=f"Upload-Metadata: {told[:20]!r}", raw=raw("POST", "/uploads", upload))
    for field in ("name", "password"):
        half = json.dumps({"name": "a", "password": "b"} | {field: "\ud800"}).encode()
        request = raw("POST", "/auth/session", {"Content-Type": JSON, "Content-Length": str(len(half))}, half)
        yield Hostile(kind="framing", name=f"half a character as {field}", raw=request)


QUERIES = (
    "' OR '1'='1",
    "'; DROP TABLE jobs; --",
    "1 UNION SELECT password_hash FROM users",
    "%27%20OR%201=1--",
    "') OR 1=1 --",
    "$owner_id",
    "a%00b",
    "\\x27",
    "0x7fffffff",
    "-1",
    "1e400",
    "99999999999999999999",
    "%",
    "COPY (SELECT 1) TO '/tmp/x'",
    "read_csv('/etc/passwd')",
)


def sql(site: Site) -> Iterator[Hostile]:
    for query, field in product(QUERIES, ("state", "tag", "before", "limit")):
        asked = f"/api/v1/jobs?{field}={query.replace(' ', '+')}"
        yield Hostile(kind="sql", name=f"{field}={query}", raw=raw("GET", asked, site.auth))
    for query in QUERIES:
        asked = f"/api/v1/search?q={query.replace(' ', '+')}"
        yield Hostile(kind="sql", name=f"q={query}", raw=raw("GET", asked, site.auth))
        path = f"/api/v1/batches/{query.replace(' ', '%20').replace('/', '%2f')}"
        yield Hostile(kind="sql", name=path, raw=raw("GET", path, site.auth))


SNIPPETS = (
    "{{7*7}}",
    "${7*7}",
    "<%= 7*7 %>",
    "{0.__class__.__mro__}",
    "%s%s%n",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{% include '/etc/passwd' %}",
    "#{7*7}",
    "`id`",
    "$(id)",
    "=cmd|'/c calc'!A1",
)


def templates(site: Site) -> Iterator[Hostile]:
    for snippet in SNIPPETS:
        for field in ("name", "tags"):
            body = json.dumps({field: snippet if field == "name" else [snippet]}).encode()
            request = raw("PATCH", f"/api/v1/jobs/{site.job}", site.sends(JSON, body), body)
            yield Hostile(kind="template", name=f"{field} {snippet}", raw=request)
        body = json.dumps({"url": f"http://{snippet}/", "events": ["job.completed"]}).encode()
        request = raw("POST", "/api/v1/webhooks", site.sends(JSON, body), body)
        yield Hostile(kind="template", name=f"webhook {snippet}", raw=request)


ODD_TEXTS = (
    "\u202egnp.wav",
    "a\u0000b",
    "\ufeff",
    "\u200b" * 50,
    "e" + "\u0301" * 2000,
    "\U0001f469\u200d\U0001f4bb" * 30,
    "\u0000",
    "CON",
    "..",
    ".",
    "/",
    "a/../b",
    "\u2028",
    "\ufdfa" * 100,
    "ﬀ",
    "İ",
    "\U000e0041",
    "\uffff",
)


def texts(site: Site) -> Iterator[Hostile]:
    for text in ODD_TEXTS:
        body = json.dumps({"name": text, "tags": [text]}).encode()
        request = raw("PATCH", f"/api/v1/jobs/{site.job}", site.sends(JSON, body), body)
        yield Hostile(kind="unicode", name=ascii(text[:20]), raw=request)
        words = json.dumps({"words": [text]}, ensure_ascii=False).encode()
        request = raw("PUT", "/api/v1/vocabulary", site.sends(JSON, words), words)
        yield Hostile(kind="unicode", name=f"word {text[:20]!a}", raw=request)
    for broken in (b"\xff\xfe", b"\xed\xa0\x80", b"\xc3", b"\xf5\x80\x80\x80"):
        body = b'{"words": ["' + broken + b'"]}'
        request = raw("PUT", "/api/v1/vocabulary", site.sends(JSON, body), body)
        yield Hostile(kind="unicode", name=repr(broken), raw=request)
        yield Hostile(kind="unicode", name=f"path {broken!r}", raw=raw("GET", b"/api/v1/jobs/" + broken, site.auth))


def multiparts(site: Site) -> Iterator[Hostile]:
    sound = b"RIFF"
    names = (
        "../../x.wav",
        "a\\b.wav",
        "\x00",
        "x" * 5000,
        '"; name="lane',
        "%00.wav",
        "/etc/passwd",
        "",
        "\r\nX: y",
        "ü.wav",
    )
    bodies: list[tuple[str, bytes]] = [(f"file {name[:20]!r}", form((file_part(name), sound))) for name in names]
    plain = 'Content-Disposition: form-data; name="{}"'
    fields = [
        ("options", b"{"),
        ("options", b"[]"),
        ("options", b'{"model": "../../x"}'),
        ("lane", b"x"),
        ("tags", b"," * 5000),
        ("nonsense", b"1"),
        ("options", b'{"beam_size": 1e99}'),
        ("sample_rate", b"1"),
        ("input_format", b"x"),
        ("options", b'{"cues": {"max_line_width": -1}}'),
        ("options", b"\xff\xfe"),
        ("options", b"{}" * 9000),
    ]
    bodies += [
        (f"{name} {value[:20]!r}", form((plain.format(name), value), (file_part("a.wav"), sound)))
        for name, value in fields
    ]
    bodies += [
        ("no end", form((file_part("a.wav"), sound), end=False)),
        ("nothing", b""),
        ("only the end", f"--{BOUNDARY}--\r\n".encode()),
        ("another boundary", form((file_part("a.wav"), sound), boundary="other")),
        ("no name", form(("Content-Disposition: form-data", sound))),
        ("no head", form(("", sound))),
        ("a head of 100 kB", form((f"X: {'a' * 100_000}", sound))),
        ("500 fields", form(*((plain.format("tags"), b"x") for _ in range(500)), (file_part("a.wav"), sound))),
        ("three files", form(*((file_part("a.wav"), sound) for _ in range(3)))),
        ("two options", form(*((plain.format("options"), b"{}") for _ in range(2)), (file_part("a.wav"), sound))),
        ("a form in a form", form(("Content-Type: multipart/mixed; boundary=x", b"--x\r\n\r\n--x--"))),
        ("bare line feeds", form((file_part("a.wav"), sound)).replace(b"\r\n", b"\n")),
    ]
    for name, body in bodies:
        for path in ("/api/v1/jobs", "/v1/audio/transcriptions")[: 1 + (len(name) % 2)]:
            kind = f"multipart/form-data; boundary={BOUNDARY}"
            yield Hostile(kind="multipart", name=f"{path} {name}", raw=raw("POST", path, site.sends(kind, body), body))
    for kind in (
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 300,
        "multipart/form-data;;",
    ):
        request = raw("POST", "/api/v1/jobs", site.sends(kind, sound), sound)
        yield Hostile(kind="multipart", name=kind[:50], raw=request)


def wav(
    *, rate: int = 16_000, channels: int = 1, bits: int = 16, tag: int = 1, size: int = 4000, claims: int | None = None
) -> bytes:
    """Return a WAV file whose header may lie."""
    block = max(1, channels * bits // 8) & 0xFFFF
    head = struct.pack("<IHHIIHH", 16, tag, channels, rate, (rate * block) & 0xFFFFFFFF, block, bits)
    length = size if claims is None else claims
    return (
        b"RIFF"
        + struct.pack("<I", 36 + size)
        + b"WAVEfmt "
        + head
        + b"data"
        + struct.pack("<I", length)
        + b"\x55" * size
    )


def media(site: Site) -> Iterator[Hostile]:
    noise = random.Random(3)  # noqa: S311
    zipped = io.BytesIO()
    with gzip.GzipFile(fileobj=zipped, mode="wb", mtime=0) as packed:
        packed.write(bytes(1 << 20))
    files = {
        "nothing.wav": b"",
        "one byte.wav": b"R",
        "1 Hz.wav": wav(rate=1),
        "4 GHz.wav": wav(rate=0xFFFFFFFF),
        "65535 channels.wav": wav(channels=65535),
        "no bits.wav": wav(bits=0),
        "odd format.wav": wav(tag=0xFFFE),
        "claims 4 GB.wav": wav(claims=0xFFFFFFFE),
        "playlist.m3u8": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        "concat.txt": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "dash.mpd": b'<?xml version="1.0"?><MPD><BaseURL>http://127.0.0.1:9/</BaseURL></MPD>',
        "entity.svg": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
        "bomb.gz": zipped.getvalue(),
        "ogg.ogg": b"OggS" + bytes(60) + b"\xff" * 200,
        "flac.flac": b"fLaC" + b"\xff" * 200,
        "mp4.mp4": struct.pack(">I", 0xFFFFFFF0) + b"ftypisom" + bytes(100),
        "moov.mp4": b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isommp42" + b"\x00\x00\x00\x08moov" * 50,
        "matroska.mkv": b"\x1aE\xdf\xa3" + b"\xff" * 300,
        "id3.mp3": b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f" + b"\xff\xfb\x90\x00" * 50,
        "avi.avi": b"RIFF\xff\xff\xff\xffAVI LIST" + b"\xff" * 100,
        **{f"noise {number}.wav": noise.randbytes(3000) for number in range(4)},
        **{f"cut {size}.wav": wav()[:size] for size in (11, 20, 43, 44)},
    }
    for name, data in files.items():
        body = form((file_part(name), data))
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        yield Hostile(kind="media", name=name, raw=raw("POST", "/api/v1/jobs", site.sends(kind, body), body))


def documents(site: Site) -> Iterator[Hostile]:
    deep = b"[" * 50_000
    bodies = (
        deep,
        b'{"a":' * 20_000,
        b"{",
        b"nul",
        b"NaN",
        b"1e999",
        b'{"url": NaN}',
        b'"' + b"a" * 5000,
        b"",
        b"\xef\xbb\xbf{}",
        b'{"url": "http://127.0.0.1:1/", "url": "http://x/"}',
        b'{"url": ' + b"9" * 5000 + b"}",
        b'{"\\ud800": 1}',
        b'{"name": "\\ud800", "items": [{"url": "http://127.0.0.1:1/"}]}',
        b"[]",
        b"null",
        b'{"words": ["\\u0000"]}',
        b'{"__proto__": {"x": 1}}',
        b'{"items": [{}]}',
        b'{"items": {}}',
        b'{"name": [[]]}',
    )
    routes = (
        ("POST", "/api/v1/jobs"),
        ("POST", "/api/v1/batches"),
        ("POST", "/api/v1/webhooks"),
        ("PUT", "/api/v1/vocabulary"),
        ("PATCH", f"/api/v1/jobs/{site.job}"),
    )
    for (method, path), body in product(routes, bodies):
        request = raw(method, path, site.sends(JSON, body), body)
        yield Hostile(kind="json", name=f"{method} {path} {body[:20]!r}", raw=request)
    inside = (
        "http://127.0.0.1:1/a.wav",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "http://[::1]/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://localhost#@evil.example/",
        "gopher://127.0.0.1/",
    )
    for url in inside:
        body = json.dumps({"url": url}).encode()
        yield Hostile(kind="json", name=url, raw=raw("POST", "/api/v1/jobs", site.sends(JSON, body), body))
        body = json.dumps({"items": [{"path": url.replace("http:/", "")}]}).encode()
        yield Hostile(kind="json", name=f"path {url}", raw=raw("POST", "/api/v1/batches", site.sends(JSON, body), body))


def large(site: Site) -> Iterator[Hostile]:
    two = bytes(2 << 20)
    for path in ("/api/v1/webhooks", "/api/v1/vocabulary", "/api/v1/search", "/auth/session", "/internal/v1/reports"):
        yield Hostile(kind="large", name=f"2 MiB to {path}", raw=raw("POST", path, site.sends(JSON, two), two))
        told = site.auth | {"Content-Type": JSON, "Content-Length": "99999999999"}
        yield Hostile(kind="large", name=f"100 GB promised to {path}", raw=raw("POST", path, told, b"{"), pauses=True)
        chunks = b"".join(f"{1 << 16:x}\r\n".encode() + bytes(1 << 16) + b"\r\n" for _ in range(20))
        told = site.auth | {"Content-Type": JSON, "Transfer-Encoding": "chunked"}
        yield Hostile(kind="large", name=f"chunks to {path}", raw=raw("PUT", path, told, chunks), pauses=True)
    yield Hostile(kind="large", name="a path of 200 kB", raw=raw("GET", "/api/v1/" + "a" * 200_000, site.auth))
    yield Hostile(
        kind="large", name="a query of 100 kB", raw=raw("GET", "/api/v1/jobs?tag=" + "a" * 100_000, site.auth)
    )
    many = site.auth | {f"X-{number}": "a" * 100 for number in range(2000)}
    yield Hostile(kind="large", name="2,000 headers", raw=raw("GET", "/api/v1/jobs", many))


def slow(site: Site) -> Iterator[Hostile]:
    whole = raw("POST", "/api/v1/webhooks", site.sends(JSON, b"x" * 100), b"x" * 100)
    for number, cut in enumerate(
        (1, 3, 5, 20, 40, 60, len(whole) - 101, len(whole) - 99, len(whole) - 50, len(whole) - 1)
    ):
        yield Hostile(kind="slow", name=f"stops at byte {cut}", raw=whole[:cut], pauses=True)
        upload = raw("PATCH", f"/uploads/{number:032x}", site.sends(OCTETS, b"x" * 1000), b"x" * number)
        yield Hostile(kind="slow", name=f"upload stops after {number}", raw=upload, pauses=True)


async def answers(port: int, requests: list[Hostile], *, pause_s: float = 0.5) -> list[Answered]:
    """Send all requests, some at a time; those that pause are given up after `pause_s`."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(asked: Hostile) -> Answered:
        async with gate:
            return await _answer(port, asked, pause_s)

    return await asyncio.gather(*map(one, requests))


async def _answer(port: int, asked: Hostile, pause_s: float) -> Answered:
    received = b""
    try:
        async with asyncio.timeout(WITHIN_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(asked.raw)
                received = await (_soon(reader, pause_s) if asked.pauses else reader.read(ANSWER_BYTES))
                while not asked.pauses and (more := await reader.read(ANSWER_BYTES)):
                    received = (received + more)[:ANSWER_BYTES]
            finally:
                writer.close()
    except (ConnectionError, TimeoutError):
        pass
    head, _, body = received.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    return Answered(asked=asked, status=int(words[1]) if len(words) > 1 and words[1].isdigit() else 0, body=body)


async def _soon(reader: asyncio.StreamReader, pause_s: float) -> bytes:
    try:
        async with asyncio.timeout(pause_s):
            return await reader.read(ANSWER_BYTES)
    except TimeoutError:
        return b""
