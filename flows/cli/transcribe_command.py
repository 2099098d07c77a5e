"""`transcriber transcribe`: recordings into files here, with no server; flags as the Whisper family names them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.export_command import (
    HighlightWords,
    MaxLineCount,
    MaxLineWidth,
    OutputDir,
    OutputFormat,
    formats_of,
    targets,
    write,
)
from storage.records import CueLimits, ExportFormat, Options

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from flows.local_book import Book, Entry
    from storage.files import Files
    from storage.records import Plan, Transcript
    from storage.settings import EngineSettings, Settings
    from tasks.engine import Engine
    from tasks.models import Resolved
    from tasks.transcribe import Progress


def transcribe(  # noqa: PLR0917 - a command's options are its parameters
    files: Annotated[list[Path], typer.Argument(help="Recordings: audio, or video with sound.", metavar="FILE…")],
    output_dir: OutputDir = Path(),
    output_format: OutputFormat = "all",
    model: Annotated[
        str | None, typer.Option(help="Name, folder, or auto. Default: TRANSCRIBER_MODEL, which is auto.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Code of the language spoken, such as en. Default: found out.")
    ] = None,
    diarize: Annotated[
        bool, typer.Option("--diarize", help="Tell speakers apart; needs the extra of that name.")
    ] = False,
    speakers: Annotated[int, typer.Option(min=0, help="How many speakers there are; 0: found out.")] = 0,
    language_per_span: Annotated[
        bool, typer.Option("--language-per-span", help="Find out the language; a given one where unsure.")
    ] = False,
    task: Annotated[str, typer.Option(help="transcribe, or translate into English.")] = "transcribe",
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", "--initial-prompt", "--initial_prompt", help="Text that sets style and spelling."),
    ] = None,
    hotwords: Annotated[str | None, typer.Option(help="Names and words to expect.")] = None,
    beam_size: Annotated[int, typer.Option("--beam-size", "--beam_size", min=1, max=20, help="Width of search.")] = 5,
    temperature: Annotated[float, typer.Option(min=0.0, max=1.0, help="0 is the likeliest text.")] = 0.0,
    word_timestamps: Annotated[
        bool, typer.Option("--word-timestamps/--no-word-timestamps", help="Words with times in the JSON file.")
    ] = True,
    max_line_width: MaxLineWidth = 42,
    max_line_count: MaxLineCount = 2,
    highlight_words: HighlightWords = False,
    audio_track: Annotated[int, typer.Option("--audio-track", min=0, help="Which audio track, from 0.")] = 0,
    list_tracks: Annotated[
        bool, typer.Option("--list-tracks", help="Say which audio tracks the files have, and do nothing else.")
    ] = False,
    channels: Annotated[
        str, typer.Option(help="mix, or split: a transcript of each channel, each as a speaker (telephone recordings).")
    ] = "mix",
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N. Default: TRANSCRIBER_DEVICE.")] = None,
    compute_type: Annotated[
        str | None, typer.Option("--compute-type", "--compute_type", help="int8, float16, float32 …")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="Threads of one engine worker; 0: by the cores.")] = 0,
    batch_size: Annotated[
        int, typer.Option("--batch-size", "--batch_size", min=0, help="Windows decoded together; 0: by the device.")
    ] = 0,
) -> None:
    """Transcribe recordings here and now; no server is needed.

    What was heard before, with the same model and options, is not heard again. The work is recorded in the ledger,
    or by the web process if that is running. One file that fails does not stop the others; the exit status is 0
    only if every file succeeded.
    """
    from storage.settings import Settings

    settings = Settings()
    if list_tracks:
        raise typer.Exit(_list_tracks(files, max_hours=settings.web.max_hours))
    engine = settings.engine.model_copy(
        update={
            name: value
            for name, value in {
                "device": device,
                "compute_type": compute_type,
                "cpu_threads": threads,
                "batch_size": batch_size,
            }.items()
            if value
        }
    )
    options = Options(
        model=model or engine.model,
        language=_language(language),
        task=_task(task),
        prompt=prompt,
        hotwords=hotwords,
        beam_size=beam_size,
        temperature=temperature,
        word_timestamps=word_timestamps,
        audio_track=audio_track,
        channels=_channels(channels),
        language_per_span=language_per_span,
        diarize=diarize,
        speakers=speakers or None,
        cues=CueLimits(
            max_line_width=max_line_width,
            max_line_count=max_line_count,
            highlight_words=highlight_words,
        ),
    )
    run = Run(settings=settings, engine_settings=engine, options=options, formats=formats_of(output_format))
    raise typer.Exit(run.all(files, output_dir))


@dataclass(kw_only=True)
class Run:
    """One call of the command."""

    settings: "Settings"
    engine_settings: "EngineSettings"
    options: Options
    formats: tuple[ExportFormat, ...]
    stopped: threading.Event = field(default_factory=threading.Event)
    failures: int = 0

    def all(self, paths: list[Path], output_dir: Path) -> int:
        """Transcribe every file, several at once where the engine has several workers; return the exit status."""
        from rich.console import Console

        from flows.local_book import open_book
        from storage.files import Files
        from tasks.engine import Engine

        self.console = Console(stderr=True, highlight=False)
        output_dir.mkdir(parents=True, exist_ok=True)
        stored = Files.from_settings(self.settings.storage)
        book = open_book(self.settings, stored)
        try:
            self.console.print(f"[dim]{book.where}[/dim]" if book.kept else f"[yellow]{book.where}[/yellow]")
            resolved = self.choose_model()
            with _bars(self.console) as bars, Engine.by_settings(resolved, self.engine_settings) as engine:
                way = Way(run=self, engine=engine, stored=stored, book=book, bars=bars)
                self.each(way, list(zip(paths, targets(paths, output_dir), strict=True)))
            if book.lost:
                self.console.print(f"[yellow]not everything was recorded: {book.lost}[/yellow]")
        except KeyboardInterrupt:
            self.console.print("[yellow]stopped; finished spans are kept, the same call goes on from there[/yellow]")
            return 130
        finally:
            book.close()
        return 1 if self.failures else 0

    def each(self, way: "Way", files: list[tuple[Path, Path]]) -> None:
        at_once = max(1, min(len(files), way.engine.plan.num_workers))
        with ThreadPoolExecutor(at_once, thread_name_prefix="file") as workers:
            try:
                for outcome in workers.map(lambda pair: way.one(*pair), files):
                    self.failures += not outcome
            except BaseException:
                self.stopped.set()
                workers.shutdown(wait=True, cancel_futures=True)
                raise

    def choose_model(self) -> "Resolved":
        """Return the model, fetched if need be, with a bar; says so where it is not a good one."""
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        from storage.abilities import translates
        from storage.errors import ModelCannot
        from tasks.choice import resolve
        from tasks.models import is_multilingual

        with Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), console=self.console, transient=True
        ) as bars:
            bar = bars.add_task("fetching the model", total=None, visible=False)
            resolved = resolve(
                self.options.model,
                settings=self.engine_settings,
                model_dir=self.settings.model_dir,
                on_download=lambda name, here, total: bars.update(
                    bar, description=f"fetching model {name}", completed=here, total=total, visible=True
                ),
            )
        if self.options.task == "translate" and not (translates(resolved.name) and is_multilingual(resolved.path)):
            raise ModelCannot(resolved.name, "translate")
        if resolved.warning:
            self.console.print(f"[yellow]{resolved.warning}[/yellow]")
        return resolved


@dataclass(kw_only=True)
class Way:
    """What all files of one call share on their way."""

    run: Run
    engine: "Engine"
    stored: "Files"
    book: "Book"
    bars: "Bars"

    def one(self, path: Path, target: Path) -> bool:
        """Transcribe one file into its outputs and return whether it worked; never raises for what a file can be."""
        from storage.errors import TranscriberError
        from tasks.hearing import Stopped

        bar = self.bars.add_task(path.name, total=None)
        entry: Entry | None = None
        try:
            entry, transcript = self.transcript(path, bar)
            written = write(transcript, target, self.run.formats)
            entry.completed(transcript)
        except Stopped:
            if self.run.stopped.is_set():
                return False
            self.bars.console.print(f"[red]✗ {path}: its job was cancelled[/red]")
            return False
        except (TranscriberError, OSError) as error:
            if entry is not None and isinstance(error, TranscriberError):
                entry.failed(error)
            self.bars.console.print(f"[red]✗ {_plain(error, path)}[/red]", soft_wrap=True)
            return False
        finally:
            self.bars.remove_task(bar)
        self.bars.console.print(_summary(path, transcript, written), soft_wrap=True)
        return True

    def transcript(self, path: Path, bar: "TaskID") -> "tuple[Entry, Transcript]":
        from storage.errors import TranscriberError
        from storage.probe import check
        from tasks.ingest import file_sha256
        from tasks.speakers import LocalDiarizer
        from tasks.transcribe import transcribe_file

        hours = self.run.settings.web.max_hours
        check(path, path.name, max_hours=hours, options=self.run.options)
        sha256 = file_sha256(path)
        entry = self.book.accept(path, sha256, self.run.options)
        hotwords = entry.job.options.hotwords if entry.job else self.run.options.hotwords  # with the owner's vocabulary
        known = self.run.options.language

        def on_progress(now: "Progress") -> None:
            total_s = now.plan.speech_s if now.plan else None
            self.bars.update(bar, total=total_s, completed=now.heard_s)
            entry.note(f"{now.heard_s:.0f} of {now.speech_s:.0f} s heard by the command line")

        def on_plan(plan: "Plan") -> None:
            entry.planned(plan, known if self.engine.multilingual else "en", None)

        try:
            found = transcribe_file(
                path,
                engine=self.engine,
                files=self.stored,
                options=replace(self.run.options, hotwords=hotwords),
                diarizer=LocalDiarizer.by_settings(self.run.settings),
                on_progress=on_progress,
                on_plan=on_plan,
                on_heard=entry.heard,
                should_stop=lambda: self.run.stopped.is_set() or entry.stale,
                media_sha256=sha256,
                job_id=entry.job_id,
                span_max_s=self.run.engine_settings.span_max_s,
                max_hours=hours,
            )
        except TranscriberError as error:
            entry.failed(error)
            raise
        return entry, found


def _task(asked: str) -> str:
    if asked not in {"transcribe", "translate"}:
        raise typer.BadParameter("choose transcribe or translate", param_hint="--task")
    return asked


def _channels(asked: str) -> str:
    if asked not in {"mix", "split"}:
        raise typer.BadParameter("choose mix or split", param_hint="--channels")
    return asked


def _list_tracks(paths: list[Path], *, max_hours: float) -> int:
    """Print the audio tracks of each file and return the exit status."""
    from storage.errors import TranscriberError
    from storage.probe import check

    failures = 0
    for path in paths:
        try:
            info = check(path, path.name, max_hours=max_hours)
        except (TranscriberError, OSError) as error:
            typer.echo(_plain(error, path), err=True)
            failures += 1
            continue
        typer.echo(f"{path}")
        for track in info.tracks:
            typer.echo(f"  {track} ({track.codec}, {track.sample_rate_hz} Hz, channels: {track.channels})")
    return 1 if failures else 0


def _language(asked: str | None) -> str | None:
    return None if asked is None or asked.lower() in {"", "auto"} else asked.lower()


def _bars(console: "Console") -> "Bars":
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True)


def _summary(path: Path, transcript: "Transcript", written: list[Path]) -> str:
    from rich.markup import escape

    where = ", ".join(map(str, written))
    minutes, seconds = divmod(round(transcript.duration_s), 60)
    said = f"{minutes}:{seconds:02d}, {transcript.language}, {Path(transcript.model).name}"
    if not transcript.segments and not transcript.speech_s:
        said += ", no speech found"
    elif transcript.findings:
        said += f", {len(transcript.findings)} to review"
    notes = "".join(f"\n  [yellow]{escape(note)}[/yellow]" for note in transcript.given_up)
    return f"[green]✓[/green] {escape(str(path))} ({escape(said)}) → {escape(where)}{notes}"


def _plain(error: Any, path: Path) -> str:
    from rich.markup import escape

    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return escape(f"{path}: {reason[:1].lower()}{reason[1:]}")
    said = str(error)
    return escape(said if path.name in said else f"{path}: {said}")
