"""`align-text`: gives a corrected text its times, from a transcript and the sound."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.runs.process_state import CancelFlag, Resident, current, in_thread
from flows.runs.run_outcomes import Stopped, cancelled, failed, may_pass, this_run, with_retries
from flows.worker.abandoned_runs import DEATHS
from storage.domain import names
from storage.domain.deployments import Deployment
from storage.domain.errors import AlreadyStored, TextDoesNotMatch, TranscriberError
from storage.domain.job_messages import encode, raised
from storage.domain.records import AlignedText, AlignmentState, Plan, Transcript, Word, from_json, to_json
from storage.remote.alignment_reports import AlignmentReporter

if TYPE_CHECKING:
    from tasks.asr.base import AsrEngine
    from tasks.assembly.text_alignment import Alignment
    from tasks.audio.recording_sound import RecordingSound

REPORT_EVERY_S = 1.0


class TextAlignmentRun:
    """The alignment of one text; blocking, for a thread."""

    def __init__(self, here: Resident, flag: CancelFlag, reporter: AlignmentReporter, *, deaths: int) -> None:
        self.here, self.flag, self.reporter, self.deaths = here, flag, reporter, deaths
        self._reported_at = time.monotonic()

    def run(self, stored_as: str, text: str, result: str) -> None:
        """Align the text, store the result and report it.

        Raises:
            TextDoesNotMatch: too little of it is said.
            Stopped: somebody cancelled it.
        """
        files = self.here.files
        if not files.exists(result):
            transcript = from_json(Transcript, files.read(names.required_in(names.TRANSCRIPTS, stored_as)))
            words = files.read(names.required_in(names.ALIGNMENTS, text)).decode(errors="replace")
            found = self._aligned(transcript, words)
            aligned = AlignedText(
                segments=found.transcript.segments,
                findings=found.transcript.findings,
                share=round(found.share, 4),
                words=found.words,
                timed=found.timed,
            )
            with contextlib.suppress(AlreadyStored):  # by a run that was thought to be lost
                files.create(names.required_in(names.ALIGNMENTS, result), to_json(aligned))
        self.reporter.send(AlignmentState.DONE)

    def _aligned(self, transcript: Transcript, text: str) -> "Alignment":
        from tasks.assembly.text_alignment import aligned_text
        from tasks.audio.recording_sound import RecordingSound

        sound = RecordingSound(self.here.files, self._plan(transcript))
        with self.here.engine_pool().borrow(transcript.model, transcript.fingerprint, deaths=self.deaths) as engine:

            def align(start_s: float, end_s: float, words: str) -> Sequence[Word]:
                return self._from_sound(engine, sound, transcript.language, start_s, end_s, words)

            return aligned_text(transcript, text, align=align, on_progress=self._progress)

    @staticmethod
    def _from_sound(  # noqa: PLR0917 - a closure's values
        engine: "AsrEngine", sound: "RecordingSound", language: str, start_s: float, end_s: float, words: str
    ) -> list[Word]:
        pcm, speech = sound.between(start_s, end_s)
        spoken = language if language in engine.languages() else None
        found = engine.align(pcm, words, language=spoken, speech=speech)
        return [replace(word, start_s=word.start_s + start_s, end_s=word.end_s + start_s) for word in found]

    def _plan(self, transcript: Transcript) -> Plan:
        """Return the plan of the recording, which is read again if its spans are gone."""
        from tasks.audio.ingest import ingest

        here = self.here
        with here.files.local(names.media_name(transcript.media_sha256)) as path:
            return ingest(
                path,
                name=transcript.name,
                files=here.files,
                options=transcript.options,
                span_max_s=here.settings.engine.span_max_s,
                max_hours=here.settings.web.max_hours,
                media_sha256=transcript.media_sha256,
                on_progress=lambda _: self._progress(0.0),
            )

    def _progress(self, share: float) -> None:
        if self.flag.is_raised():
            raise Stopped
        now = time.monotonic()
        if now - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = now
            if self.reporter.send(AlignmentState.RUNNING, progress=share).state.finished:
                raise Stopped


@flow(name=Deployment.ALIGN_TEXT.value, persist_result=False)
async def align_text(alignment_id: str, stored_as: str, text: str, result: str) -> State[Any] | None:
    """Align a stored text with the recording of a transcript, and store the result."""
    run = this_run()
    here, flag = current(), current().flag(run.id)
    with AlignmentReporter.from_settings(here.settings, alignment_id, here.name) as reporter:
        work = TextAlignmentRun(here, flag, reporter, deaths=int(run.labels.get(DEATHS, 0)))

        async def report(state: AlignmentState, error: TranscriberError) -> None:
            await in_thread(lambda: reporter.send(state, detail=encode(raised(error))))

        try:
            if (await in_thread(lambda: reporter.send(AlignmentState.RUNNING))).state.finished:
                return cancelled("cancelled before it began")
            await with_retries(lambda: in_thread(lambda: work.run(stored_as, text, result)), flag=flag)
        except Stopped:
            return cancelled("stopped on request before the text was aligned")
        except TextDoesNotMatch as refusal:
            await report(AlignmentState.REFUSED, refusal)
        except TranscriberError as error:
            if not may_pass(error):
                await report(AlignmentState.FAILED, error)
            return failed(error)
    return None
