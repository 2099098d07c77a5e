"""A batch of 100,000 files of which most are known, in a bucket and in a folder, beside an older commit in one run.

    python -m benchmarks batch [-- --objects 100000 --known 0.9 --baseline 01b573e --baseline-objects 300]

Both read the same S3 service (rclone over a folder), and have a web process and a data dir of their own; no worker
runs, so that jobs wait. What is known was put into our ledger and index by SQL. The older commit sends some of the
files, at the same share of known ones; it sends each, known or not, so that its time for all is reckoned from that.
"""

import argparse
import contextlib
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.batch_material import (
    KEYS,
    Measured,
    batch,
    environment,
    know,
    number_of,
    rclone,
    running,
    wav,
    web,
    write_files,
)
from benchmarks.bench_latency import REPO, free_port
from benchmarks.bench_speech import BASELINE, checked_out
from flows.batch.batch_upload import idempotency_key
from flows.batch.source_files import SourceReader
from storage.domain.settings import Settings
from storage.files.content_index import KnownContent

OPTIONS = {"model": "auto", "language": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A folder of recordings, as a bucket or as itself."""

    kind: str
    root: Path
    s3_url: str

    @property
    def folder(self) -> Path:
        return self.root / "store" / "in"

    @property
    def address(self) -> str:
        return "s3://store/in" if self.kind == "bucket" else str(self.folder)

    @contextlib.contextmanager
    def served(self) -> Iterator[None]:
        """Serve the files that are there now."""
        with running(rclone(self.root, self.s3_url), self.s3_url):
            yield


def known_files(source: Source, numbers: range) -> Iterator[KnownContent]:
    """Yield the contents of some files, with the versions that a listing says."""
    for file in SourceReader(Settings()).files(source.address, recursive=True):
        if (number := number_of(file.name)) in numbers:
            sha256 = hashlib.sha256(wav(number)).hexdigest()
            yield KnownContent(name=file.name, version=f"{file.version} ", sha256=sha256)


def ours(source: Source, data_dir: Path, objects: int, share: float) -> dict[int, Measured]:
    """Measure a tenth of the files, then all, then all once more with none that is new."""
    env, found, before = environment(REPO, data_dir, source.s3_url), dict[int, Measured](), 0
    with web(REPO, env):
        pass  # makes the ledger and its first account
    for count, known in ((objects // 10, share), (objects, share), (objects, 1.0)):
        write_files(source.folder, range(before, count))
        with source.served():
            know(data_dir, known_files(source, range(before, round(count * known))), key_of)
            with web(REPO, env) as server:
                measured = batch(REPO, env, server, source.address, "--recursive")
        before = count
        print(f"… {source.kind}, ours, {count:,}: {measured}", file=sys.stderr, flush=True)
        found[len(found)] = measured
    return found


def key_of(sha256: str) -> str:
    return idempotency_key(sha256, OPTIONS)


def theirs(source: Source, checkout: Path, data_dir: Path, objects: int, share: float) -> Measured:
    """Measure a batch after one that accepted the known files."""
    env, known = environment(checkout, data_dir, source.s3_url), round(objects * share)
    with web(checkout, env) as server:
        write_files(source.folder, range(known))
        with source.served():
            batch(checkout, env, server, source.address, "--recursive")
        write_files(source.folder, range(known, objects))
        with source.served():
            measured = batch(checkout, env, server, source.address, "--recursive")
    print(f"… {source.kind}, the baseline, {objects:,}: {measured}", file=sys.stderr, flush=True)
    return measured


def row(what: str, count: int, share: float, measured: Measured, factor: float | None = None) -> str:
    told = f"| {what} | {count:,} | {share:.0%} | {measured.seconds:.1f} | {1000 * measured.seconds / count:.2f} "
    told += f"| {1000 * measured.processor_s / count:.2f} | {measured.peak_mib:.0f} | {measured.web_mib:.0f} "
    return f"{told}| {f'{factor:.1f}' if factor else ''} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--known", type=float, default=0.9)
    parser.add_argument("--baseline", default=BASELINE, help="commit; empty: none")
    parser.add_argument("--baseline-objects", type=int, default=300)
    parser.add_argument("--kinds", nargs="+", default=["bucket", "folder"])
    asked = parser.parse_args()
    load_before, told = os.getloadavg()[0], list[str]()
    os.environ.update(KEYS)
    with tempfile.TemporaryDirectory(prefix="bench-batch-") as name:
        folder, s3_url = Path(name), f"http://127.0.0.1:{free_port()}"
        os.environ["TRANSCRIBER_STORAGE_ENDPOINT_URL"] = s3_url
        for kind in asked.kinds:
            source = Source(kind=kind, root=folder / kind / "ours", s3_url=s3_url)
            tenth, whole, again = ours(source, folder / kind / "data", asked.objects, asked.known).values()
            told += [row(f"{kind}", asked.objects // 10, asked.known, tenth)]
            its = None
            if asked.baseline:
                root, checkout = folder / kind / "its", checked_out(asked.baseline, folder)
                its_source, count = Source(kind=kind, root=root, s3_url=s3_url), asked.baseline_objects
                its = theirs(its_source, checkout, folder / kind / "its-data", count, asked.known)
            factor = its.seconds / asked.baseline_objects * asked.objects / whole.seconds if its else None
            told += [row(f"{kind}", asked.objects, asked.known, whole, factor)]
            told += [row(f"{kind}", asked.objects, 1.0, again)]
            told += [row(f"{kind}, {asked.baseline}", asked.baseline_objects, asked.known, its)] if its else []
    print(f"## A batch of {asked.objects:,} files, most of them known\n")
    print("| source | files | known | seconds | ms a file | processor, ms a file | command, MiB | web, MiB ", end="")
    print(f"| times as fast as {asked.baseline} (wanted: 5) |")
    print("|---|---|---|---|---|---|---|---|---|")
    print("\n".join(told))
    print(
        f"\nThe bucket is one of rclone on this machine. {asked.baseline} sent only {asked.baseline_objects:,} files,"
    )
    print(
        "and is compared by its time a file, of which the command's start is some 2 s in all. Memory is the peak of the"
    )
    print("command and of the web process; no worker ran, so that the new ones waited in the ledger.")
    print(f"Load average {load_before:.1f} before, {os.getloadavg()[0]:.1f} after. `python -m benchmarks batch`.")


if __name__ == "__main__":
    main()
