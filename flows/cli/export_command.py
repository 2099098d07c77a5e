"""`transcriber export`: writes JSON transcripts in other formats, without server or model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import file_modes
from storage.domain.export_formats import SINGLE_FORMATS
from storage.domain.records import CueLimits, ExportFormat

if TYPE_CHECKING:
    from storage.domain.records import Transcript

OutputDir = Annotated[
    Path, typer.Option("--output-dir", "--output_dir", "-o", help="Folder for the files; created if necessary.")
]
OutputFormats = Annotated[
    list[str],
    typer.Option("--output-format", "--output_format", "-f", help=f"{', '.join(ExportFormat)}, several, or all."),
]
ALL = ["all"]
MaxLineWidth = Annotated[
    int, typer.Option("--max-line-width", "--max_line_width", min=8, max=200, help="Characters a subtitle line.")
]
MaxLineCount = Annotated[
    int, typer.Option("--max-line-count", "--max_line_count", min=1, max=6, help="Lines a subtitle.")
]
HighlightWords = Annotated[
    bool,
    typer.Option(
        "--highlight-words", "--highlight_words", help="Highlight each word while it is spoken (SRT, VTT, ASS)."
    ),
]
ByteOrderMark = Annotated[
    bool, typer.Option("--byte-order-mark", help="Start text files with a byte order mark, for older programs.")
]
Speakers = Annotated[bool, typer.Option("--speakers/--no-speakers", help="Name the speakers, if they are known.")]


def export(  # noqa: PLR0917 - a command's options are its parameters
    transcripts: Annotated[
        list[Path], typer.Argument(help="JSON transcripts, from `-f json` or a download.", metavar="TRANSCRIPT…")
    ],
    output_dir: OutputDir = Path(),
    output_formats: OutputFormats = ALL,
    max_line_width: MaxLineWidth = 42,
    max_line_count: MaxLineCount = 2,
    min_duration: Annotated[float, typer.Option(min=0, max=10, help="Shortest seconds on screen.")] = 5 / 6,
    max_duration: Annotated[float, typer.Option(min=1, max=60, help="Longest seconds on screen.")] = 7.0,
    max_chars_per_s: Annotated[float, typer.Option(min=5, max=100, help="Reading speed, where there is room.")] = 20.0,
    min_gap: Annotated[float, typer.Option(min=0, max=2, help="Seconds between, where there is room.")] = 0.083,
    highlight_words: HighlightWords = False,
    speakers: Speakers = True,
    byte_order_mark: ByteOrderMark = False,
) -> None:
    """Write subtitles and documents from JSON transcripts, with other caption settings.

    A JSON file holds the complete result, so nothing is transcribed again. A failing file does not stop the others.
    """
    from storage.domain.errors import TranscriberError

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
        byte_order_mark=byte_order_mark,
    )
    formats = tuple(fmt for fmt in formats_of(output_formats) if fmt is not ExportFormat.JSON)
    if not formats:
        raise typer.BadParameter("choose another format than json, which is what you have", param_hint="-f")
    with file_modes.as_the_user_wants():
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
        BadRequest: it is not a transcript of ours.
        OSError: it cannot be read.
    """
    from tasks.exports.transcript_json import from_text

    return from_text(path.read_bytes())


def write(
    transcript: "Transcript", target: Path, formats: tuple[ExportFormat, ...], limits: CueLimits | None = None
) -> list[Path]:
    """Write the requested files, each atomically, and return their paths."""
    from tasks.exports.writers import export as exported

    written: list[Path] = []
    for fmt in formats:
        path = target.with_name(f"{target.name}.{fmt.value}")
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(exported(transcript, fmt, limits=limits))
        file_modes.hand_over(part)
        part.replace(path)
        written.append(path)
    return written


def formats_of(options: list[str]) -> tuple[ExportFormat, ...]:
    """Return the formats of all `-f` in the order given, with commas or without."""
    names = [name.strip().lower() for option in options for name in option.split(",") if name.strip()]
    if names == ALL:
        return SINGLE_FORMATS
    unknown = [name for name in names if name not in set(ExportFormat)]
    if unknown or not names:
        raise typer.BadParameter(f"choose among {', '.join(ExportFormat)} and all", param_hint="-f")
    return tuple(dict.fromkeys(ExportFormat(name) for name in names))


def targets(paths: list[Path], output_dir: Path) -> list[Path]:
    """Return each file's output path without extension; equal names keep their extensions."""
    stems = [path.stem for path in paths]
    paths_found: list[Path] = []
    for path in paths:
        stem = path.stem if stems.count(path.stem) == 1 else path.name
        number = 1
        while output_dir / stem in paths_found:
            number += 1
            stem = f"{path.name}-{number}"
        paths_found.append(output_dir / stem)
    return paths_found
