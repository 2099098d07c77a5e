"""`transcriber export`: a JSON transcript in any other format and form, with no server and no listening."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from storage.records import CueLimits, ExportFormat

if TYPE_CHECKING:
    from storage.records import Transcript

EVERY_FORMAT = tuple(fmt for fmt in ExportFormat if fmt is not ExportFormat.ZIP)
OutputDir = Annotated[
    Path, typer.Option("--output-dir", "--output_dir", "-o", help="Folder for the files; made if need be.")
]
OutputFormat = Annotated[
    str,
    typer.Option(
        "--output-format", "--output_format", "-f", help="srt, vtt, txt, json, tsv, docx, zip, several, or all."
    ),
]
MaxLineWidth = Annotated[
    int, typer.Option("--max-line-width", "--max_line_width", min=8, max=200, help="Characters a subtitle line.")
]
MaxLineCount = Annotated[
    int, typer.Option("--max-line-count", "--max_line_count", min=1, max=6, help="Lines a subtitle.")
]
HighlightWords = Annotated[
    bool, typer.Option("--highlight-words", "--highlight_words", help="Mark each word while it is spoken (SRT, VTT).")
]
Speakers = Annotated[bool, typer.Option("--speakers/--no-speakers", help="Say who speaks, where that is known.")]


def export(  # noqa: PLR0917 - a command's options are its parameters
    transcripts: Annotated[
        list[Path], typer.Argument(help="JSON transcripts, from `-f json` or a download.", metavar="TRANSCRIPT…")
    ],
    output_dir: OutputDir = Path(),
    output_format: OutputFormat = "all",
    max_line_width: MaxLineWidth = 42,
    max_line_count: MaxLineCount = 2,
    min_duration: Annotated[float, typer.Option(min=0, max=10, help="Shortest seconds on screen.")] = 5 / 6,
    max_duration: Annotated[float, typer.Option(min=1, max=60, help="Longest seconds on screen.")] = 7.0,
    max_chars_per_s: Annotated[float, typer.Option(min=5, max=100, help="Reading speed, where there is room.")] = 20.0,
    min_gap: Annotated[float, typer.Option(min=0, max=2, help="Seconds between, where there is room.")] = 0.083,
    highlight_words: HighlightWords = False,
    speakers: Speakers = True,
) -> None:
    """Make subtitles and documents again from JSON transcripts, with other caption settings.

    A JSON file keeps all that was heard, so nothing is listened to again. One file that fails does not stop the others.
    """
    from storage.errors import TranscriberError

    if min_duration > max_duration:
        raise typer.BadParameter("it must not be above --max-duration", param_hint="--min-duration")
    limits = CueLimits(
        max_line_width=max_line_width,
        max_line_count=max_line_count,
        min_duration_s=min_duration,
        max_duration_s=max_duration,
        max_chars_per_s=max_chars_per_s,
        min_gap_s=min_gap,
        highlight_words=highlight_words,
        speakers=speakers,
    )
    formats = tuple(fmt for fmt in formats_of(output_format) if fmt is not ExportFormat.JSON)
    if not formats:
        raise typer.BadParameter("choose another format than json, which is what you have", param_hint="-f")
    output_dir.mkdir(parents=True, exist_ok=True)
    failures = 0
    for path, target in zip(transcripts, targets(transcripts, output_dir), strict=True):
        try:
            written = write(read(path), target, formats, limits)
        except (TranscriberError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            typer.echo(f"✗ {path}: {reason}", err=True)
            failures += 1
        else:
            typer.echo(f"✓ {path} → {', '.join(map(str, written))}", err=True)
    raise typer.Exit(1 if failures else 0)


def read(path: Path) -> "Transcript":
    """Read a transcript from a JSON file.

    Raises:
        BadRequest: it is none of ours.
        OSError: it cannot be read.
    """
    from tasks.document import from_text

    return from_text(path.read_bytes())


def write(
    transcript: "Transcript", target: Path, formats: tuple[ExportFormat, ...], limits: CueLimits | None = None
) -> list[Path]:
    """Write the files that were asked for, each whole or not at all, and return where they are."""
    from tasks.export import export as exported

    written: list[Path] = []
    for fmt in formats:
        path = target.with_name(f"{target.name}.{fmt.value}")
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(exported(transcript, fmt, limits=limits))
        part.replace(path)
        written.append(path)
    return written


def formats_of(asked: str) -> tuple[ExportFormat, ...]:
    """Return the formats of `-f`, in the order given."""
    if asked.strip() == "all":
        return EVERY_FORMAT
    names = [name.strip().lower() for name in asked.split(",") if name.strip()]
    unknown = [name for name in names if name not in set(ExportFormat)]
    if unknown or not names:
        raise typer.BadParameter(f"choose among {', '.join(ExportFormat)} and all", param_hint="-f")
    return tuple(dict.fromkeys(ExportFormat(name) for name in names))


def targets(paths: list[Path], output_dir: Path) -> list[Path]:
    """Return where each file's outputs go, without their endings; files of one name keep their own endings apart."""
    stems = [path.stem for path in paths]
    found: list[Path] = []
    for path in paths:
        wished = path.stem if stems.count(path.stem) == 1 else path.name
        number = 1
        while output_dir / wished in found:
            number += 1
            wished = f"{path.name}-{number}"
        found.append(output_dir / wished)
    return found
