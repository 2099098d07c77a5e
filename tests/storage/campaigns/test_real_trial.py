"""A trial that the real engine transcribes, with the tiny model."""

from dataclasses import replace

from storage.campaigns.campaign_rows import TrialState
from storage.domain.records import User
from storage.domain.settings import EngineSettings
from storage.files.file_store import Files
from storage.ledger.database import Ledger
from tasks import pipeline
from tasks.asr.engine import Engine
from tasks.models.catalogue import Resolved, fingerprint
from tests.conftest import TINY_MODEL, Clip
from tests.factories import DirectReporter, FlowRun
from tests.storage.campaigns.office import Office


def test_the_engine_is_measured_against_a_corrected_transcript(
    ledger: Ledger, files: Files, ann: User, speech: list[Clip]
) -> None:
    office, clip = Office(ledger, files, ann), speech[0]
    words = clip.text.split()
    job = office.job(text=" ".join(words[1:]))
    office.correct(job, clip.text)
    campaign = office.start()
    trial = office.begin(campaign)
    assert trial
    resolved = Resolved(name="tiny", path=TINY_MODEL, fingerprint=fingerprint(TINY_MODEL))
    engine = Engine.from_settings(resolved, EngineSettings(device="cpu", num_workers=1))
    heard = pipeline.transcribe_file(clip.path, engine=engine, files=files, options=trial.options, job_id=trial.id)
    whole = replace(heard, media_sha256=trial.media_sha256)
    FlowRun(DirectReporter(ledger, files), files, trial, whole).whole_way()
    (item,) = office.settle(campaign)
    assert item.state is TrialState.PROPOSED
    assert (item.said_words, item.old_errors, item.new_errors) == (len(words), 1, 0)
    assert item.new_confidence is not None
    assert 0.5 < item.new_confidence <= 1
