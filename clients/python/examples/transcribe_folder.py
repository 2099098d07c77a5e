"""Transcribe a folder: an SRT appears beside each recording, and what has one already is left out.

    python transcribe_folder.py ~/recordings --language en

TRANSCRIBER_URL and TRANSCRIBER_API_KEY say where the platform is. Start it again after an interruption: what is sent
already is not sent again, and no recording is transcribed twice.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from transcriber.client import State, Transcriber, TranscriberClientError

ENDINGS = {".aac", ".flac", ".m4a", ".mkv", ".mov", ".mp3", ".mp4", ".ogg", ".opus", ".wav", ".webm", ".wma"}


def waiting_in(folder: Path) -> Iterator[Path]:
    """Yield the recordings that have no subtitles yet."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in ENDINGS and not path.with_suffix(".srt").exists():
            yield path


def main() -> int:
    """Transcribe what is waiting; return how many recordings could not be transcribed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--language", help="such as en; without it, it is detected")
    asked = parser.parse_args()
    options = {"language": asked.language} if asked.language else {}
    sent: dict[str, list[Path]] = {}
    failed = 0
    with Transcriber() as client:
        for path in waiting_in(asked.folder):
            try:
                job = client.upload(path, options=options, idempotency_key=client.content_key(path, options))
            except (TranscriberClientError, OSError) as error:
                failed += 1
                print(f"{path.name}: {error}", file=sys.stderr)
            else:
                sent.setdefault(job.id, []).append(path)  # two names may have the same content
        for job in client.as_completed(sent):
            for path in sent[job.id]:
                if job.state is State.COMPLETED:
                    client.save_export(job.id, "srt", path.with_suffix(".srt"))
                    print(f"{path.name}: {job.language}, {job.duration_s:.0f} s")
                else:
                    failed += 1
                    print(f"{path.name}: {job.error or job.state}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(min(main(), 100))
