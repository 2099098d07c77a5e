"""`transcriber transcribe`: transcribes files without a server, with Whisper's usual flags."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import file_modes
from flows.cli.export_command import (
    ALL,
    ByteOrderMark,
    HighlightWords,
    MaxLineCount,
    MaxLineWidth,
    OutputDir,
    OutputFormats,
    formats_of,
    targets,
    write,
)
from flows.cli.headerless_options import ChannelsOption, FormatOption, RateOption, headerless_of
from storage.domain.durations import clock
from storage.domain.job_messages import TranscribedByCommand, texts_of
from storage.domain.model_names import display_name
from storage.domain.records import CueLimits, ExportFormat, Options

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from flows.cli.job_recorder import Destination, JobRecord
    from storage.domain.records import Plan, Transcript
    from storage.domain.settings import EngineSettings, Settings
    from storage.files.file_store import Files
    from storage.media.headerless import Headerless
    from tasks.asr.base import AsrEngine
    from tasks.asr.engine import Engine
    from tasks.models.catalogue import Resolved
    from tasks.pipeline import Progress


def transcribe(  # noqa: PLR0917 - a command's options are its parameters
    files: Annotated[
        list[Path], typer.Argument(help="Recordings: audio, or video with an audio track.", metavar="FILE…")
    ],
    output_dir: OutputDir = Path(),
    output_formats: OutputFormats = ALL,
    model: Annotated[
        str | None, typer.Option(help="Name, folder, or auto. Default: TRANSCRIBER_MODEL, which is auto.")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Code of the language spoken, such as en. Default: detected.")
    ] = None,
    diarize: Annotated[
        bool, typer.Option("--diarize", help="Identify the speakers; needs the extra of that name.")
    ] = False,
    speakers: Annotated[int, typer.Option(min=0, help="Number of speakers; 0: detected.")] = 0,
    language_per_span: Annotated[
        bool,
        typer.Option("--language-per-span", help="Detect the language of each span; use the given one if uncertain."),
    ] = False,
    task: Annotated[str, typer.Option(help="transcribe, or translate into English.")] = "transcribe",
    prompt: Annotated[
        str | None,
        typer.Option("--prompt", "--initial-prompt", "--initial_prompt", help="Text that sets style and spelling."),
    ] = None,
    hotwords: Annotated[str | None, typer.Option(help="Names and words to expect.")] = None,
    beam_size: Annotated[
        int, typer.Option("--beam-size", "--beam_size", min=1, max=20, help="Beam width of the search.")
    ] = 5,
    temperature: Annotated[float, typer.Option(min=0.0, max=1.0, help="0 gives the likeliest text.")] = 0.0,
    word_timestamps: Annotated[
        bool, typer.Option("--word-timestamps/--no-word-timestamps", help="Words with times in the JSON file.")
    ] = True,
    max_line_width: MaxLineWidth = 42,
    max_line_count: MaxLineCount = 2,
    highlight_words: HighlightWords = False,
    byte_order_mark: ByteOrderMark = False,
    audio_track: Annotated[
        int | None, typer.Option("--audio-track", min=0, help="Which audio track, from 0. Default: the one with sound.")
    ] = None,
    input_format: FormatOption = None,
    rate: RateOption = None,
    input_channels: ChannelsOption = None,
    list_tracks: Annotated[bool, typer.Option("--list-tracks", help="List the files' audio tracks and exit.")] = False,
    channels: Annotated[
        str, typer.Option(help="mix, or split: a transcript of each channel, each as a speaker (telephone recordings).")
    ] = "mix",
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N. Default: TRANSCRIBER_DEVICE.")] = None,
    compute_type: Annotated[
        str | None, typer.Option("--compute-type", "--compute_type", help="int8, float16, float32 …")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="Threads of one engine worker; 0: chosen by cores.")] = 0,
    batch_size: Annotated[
        int, typer.Option("--batch-size", "--batch_size", min=0, help="Windows decoded together; 0: chosen by device.")
    ] = 0,
) -> None:
    """Transcribe recordings on this machine; no server is needed.

    Spans that were transcribed before with the same model and options are reused. The work is recorded in the ledger,
    or by the web process if that is running. A failing file does not stop the others; the exit status is 0 only if
    every file succeeded.
    """
    from storage.domain.settings import Settings

    settings, headerless = Settings(), headerless_of(input_format, rate, input_channels)
    if list_tracks:
        raise typer.Exit(_list_tracks(files, headerless, max_hours=settings.web.max_hours))
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
            byte_order_mark=byte_order_mark,
        ),
    )
    run = LocalRun(
        settings=settings,
        engine_settings=engine,
        options=options,
        formats=formats_of(output_formats),
        headerless=headerless,
    )
    raise typer.Exit(run.all(files, output_dir))


@dataclass(kw_only=True)
class LocalRun:
    """One call of the command."""

    settings: "Settings"
    engine_settings: "EngineSettings"
    options: Options
    formats: tuple[ExportFormat, ...]
    headerless: "Headerless | None" = None
    stopped: threading.Event = field(default_factory=threading.Event)
    failures: int = 0
    checking: threading.Lock = field(default_factory=threading.Lock)
    language_checker: "AsrEngine | None" = None

    def all(self, paths: list[Path], output_dir: Path) -> int:
        """Transcribe every file, in parallel if the engine allows; return the exit status."""
        from rich.console import Console

        from flows.cli.job_recorder import open_destination
        from storage.files.file_store import Files
        from tasks.asr.selected_engine import SelectedEngine

        self.console = Console(stderr=True, highlight=False)
        with file_modes.as_the_user_wants():
            output_dir.mkdir(parents=True, exist_ok=True)
        files = Files.from_settings(self.settings.storage)
        destination = open_destination(self.settings, files)
        try:
            self.console.print(
                f"[dim]{destination.where}[/dim]" if destination.records else f"[yellow]{destination.where}[/yellow]"
            )
            resolved = self.choose_model()
            with _bars(self.console) as bars, SelectedEngine.from_settings(resolved, self.engine_settings) as engine:
                transcriber = FileTranscriber(run=self, engine=engine, stored=files, destination=destination, bars=bars)
                self.each(transcriber, list(zip(paths, targets(paths, output_dir), strict=True)))
            if destination.lost:
                self.console.print(f"[yellow]not everything was recorded: {destination.lost}[/yellow]")
        except KeyboardInterrupt:
            self.console.print("[yellow]stopped; finished spans are kept; repeat the command to continue[/yellow]")
            return 130
        finally:
            destination.close()
        return 1 if self.failures else 0

    def each(self, transcriber: "FileTranscriber", files: list[tuple[Path, Path]]) -> None:
        at_once = max(1, min(len(files), transcriber.engine.plan.num_workers))
        with ThreadPoolExecutor(at_once, thread_name_prefix="file") as workers:
            try:
                for outcome in workers.map(lambda pair: transcriber.one(*pair), files):
                    self.failures += not outcome
            except BaseException:
                self.stopped.set()
                workers.shutdown(wait=True, cancel_futures=True)
                raise

    @contextmanager
    def lend_multilingual(self) -> "Iterator[AsrEngine | None]":
        """Lend the smallest multilingual model on this machine, if there is one."""
        from tasks.asr.language_check import multilingual_model
        from tasks.asr.selected_engine import SelectedEngine
        from tasks.models.catalogue import Resolved

        with self.checking:
            found = multilingual_model(self.settings.model_dir)
            if self.language_checker is None and found is not None:
                model = Resolved(name=found.name, path=found.path, fingerprint=found.fingerprint)
                self.language_checker = SelectedEngine.from_settings(model, self.engine_settings)
            yield self.language_checker

    def choose_model(self) -> "Resolved":
        """Return the model, downloaded if necessary with a progress bar; prints its warning."""
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        from tasks.asr.base import Capabilities
        from tasks.models.catalogue import is_multilingual
        from tasks.models.model_choice import resolve

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
        Capabilities(model=resolved.name, multilingual=is_multilingual(resolved.path)).check(self.options)
        return resolved


@dataclass(kw_only=True)
class FileTranscriber:
    """Transcribes the files of one call with a shared engine."""

    run: LocalRun
    engine: "Engine"
    stored: "Files"
    destination: "Destination"
    bars: "Bars"

    def one(self, path: Path, target: Path) -> bool:
        """Transcribe one file, and return whether it worked; file errors are printed."""
        from storage.domain.errors import TranscriberError
        from storage.media.added_header import with_header
        from tasks.asr.base import DecodingStopped

        bar = self.bars.add_task(path.name, total=None)
        entry: JobRecord | None = None
        try:
            with with_header(path, self.run.headerless) as recording:
                entry, transcript = self.transcript(recording, bar)
            written = write(transcript, target, self.run.formats)
            entry.completed(transcript)
        except DecodingStopped:
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

    def transcript(self, path: Path, bar: "TaskID") -> "tuple[JobRecord, Transcript]":
        from storage.domain.errors import TranscriberError
        from storage.media.probe import check
        from tasks.audio.ingest import file_sha256
        from tasks.diarization.speakers import LocalDiarizer
        from tasks.pipeline import transcribe_file

        hours = self.run.settings.web.max_hours
        check(path, path.name, max_hours=hours, options=self.run.options)
        sha256 = file_sha256(path)
        entry = self.destination.accept(path, sha256, self.run.options)
        hotwords = (
            entry.job.options.hotwords if entry.job else self.run.options.hotwords
        )  # includes the owner's vocabulary
        language = self.run.options.language

        def on_progress(now: "Progress") -> None:
            total_s = now.plan.speech_s if now.plan else None
            self.bars.update(bar, total=total_s, completed=now.transcribed_s)
            entry.note(TranscribedByCommand(done_s=now.transcribed_s, speech_s=now.speech_s))

        def on_plan(plan: "Plan") -> None:
            entry.planned(plan, language if self.engine.capabilities.multilingual else "en", None)

        try:
            transcript = transcribe_file(
                path,
                engine=self.engine,
                files=self.stored,
                options=replace(self.run.options, hotwords=hotwords),
                diarizer=LocalDiarizer.from_settings(self.run.settings),
                lend_multilingual=self.run.lend_multilingual,
                on_progress=on_progress,
                on_plan=on_plan,
                on_transcribed=entry.span_done,
                should_stop=lambda: self.run.stopped.is_set() or entry.stale,
                media_sha256=sha256,
                job_id=entry.job_id,
                span_max_s=self.run.engine_settings.span_max_s,
                max_hours=hours,
            )
        except TranscriberError as error:
            entry.failed(error)
            raise
        return entry, transcript


def _task(option: str) -> str:
    if option not in {"transcribe", "translate"}:
        raise typer.BadParameter("choose transcribe or translate", param_hint="--task")
    return option


def _channels(option: str) -> str:
    if option not in {"mix", "split"}:
        raise typer.BadParameter("choose mix or split", param_hint="--channels")
    return option


def _list_tracks(paths: list[Path], headerless: "Headerless | None", *, max_hours: float) -> int:
    """Print the audio tracks of each file and return the exit status."""
    from storage.domain.errors import TranscriberError
    from storage.media.added_header import with_header
    from storage.media.probe import check

    failures = 0
    for path in paths:
        try:
            with with_header(path, headerless) as recording:
                info = check(recording, recording.name, max_hours=max_hours)
        except (TranscriberError, OSError) as error:
            typer.echo(_plain(error, path), err=True)
            failures += 1
            continue
        typer.echo(f"{path}")
        for track in info.tracks:
            typer.echo(f"  {track} ({track.codec}, {track.sample_rate_hz} Hz, channels: {track.channels})")
    return 1 if failures else 0


def _language(option: str | None) -> str | None:
    return None if option is None or option.lower() in {"", "auto"} else option.lower()


def _bars(console: "Console") -> "Bars":
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    return Progress(*columns, TimeElapsedColumn(), console=console, transient=True)


def _summary(path: Path, transcript: "Transcript", written: list[Path]) -> str:
    from rich.markup import escape

    where = ", ".join(map(str, written))
    facts = f"{clock(round(transcript.duration_s))}, {transcript.language}, {display_name(transcript.model)}"
    if not transcript.segments and not transcript.speech_s:
        facts += ", no speech found"
    elif transcript.findings:
        facts += f", {len(transcript.findings)} to review"
    notes = "".join(f"\n  [yellow]{escape(note)}[/yellow]" for note in texts_of(transcript.given_up))
    return f"[green]✓[/green] {escape(str(path))} ({escape(facts)}) → {escape(where)}{notes}"


def _plain(error: Any, path: Path) -> str:
    from rich.markup import escape

    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        return escape(f"{path}: {reason[:1].lower()}{reason[1:]}")
    message = str(error)
    return escape(message if path.name in message else f"{path}: {message}")
