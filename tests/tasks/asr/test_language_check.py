"""What an English-only model transcribed may be another language, by what a multilingual one hears."""

import pytest

from storage.domain.records import LanguageMismatch, Plan, Span, Stretch
from tasks.asr.language_check import mostly_another

ENGLISH, GERMAN = Stretch(start_s=0.0, end_s=8.0), Stretch(start_s=12.0, end_s=19.0)


@pytest.mark.parametrize(("start_s", "language"), [(0.0, "de"), (9.0, None)])
def test_a_recording_sounds_like_what_most_of_its_speech_sounds_like(start_s: float, language: str | None) -> None:
    """The second half has less speech, and a window with long pauses."""
    span = Span(index=0, start_s=0.0, end_s=22.0, samples_sha256="s", speech=(ENGLISH, GERMAN))
    plan = Plan(media_sha256="m", duration_s=22.0, speech_s=15.0, spans=(span,))
    heard = LanguageMismatch(start_s=start_s, end_s=22.0, language="de", probability=0.97)
    assert mostly_another(plan, [heard]) == language
