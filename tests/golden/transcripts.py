"""The transcripts of the golden exports, with everything that affects a format."""

from itertools import accumulate

from storage.domain.records import (
    CueLimits,
    Finding,
    LanguageGuess,
    Options,
    Redecoding,
    Seam,
    Segment,
    Transcript,
    Untranscribed,
    Word,
)

NARROW = CueLimits(max_line_width=18, max_line_count=1, max_duration_s=2.5, highlight_words=True, speakers=False)
WORD_S = 0.375


def said(start_s: float, text: str, *, speaker: str | None = None, language: str | None = None) -> Segment:
    """Return a segment whose words follow each other without a pause."""
    words = text.split()
    starts_s = accumulate((WORD_S for _ in words), initial=start_s)
    timed = tuple(
        Word(start_s=at_s, end_s=at_s + WORD_S, text=f" {word}", probability=0.875)
        for at_s, word in zip(starts_s, words, strict=False)
    )
    return Segment(
        start_s=start_s,
        end_s=timed[-1].end_s,
        text=f" {text}",
        words=timed,
        speaker=speaker,
        language=language,
        avg_logprob=-0.25,
        compression_ratio=1.5,
        no_speech_prob=0.125,
    )


MEETING = Transcript(
    job_id="01a206c6-138a-7000-b90b-8b102bd49235",
    media_sha256="ab" * 32,
    name="weekly / meeting.mp3",
    duration_s=4000.5,
    speech_s=3900.25,
    language="en",
    language_probability=0.75,
    model="base",
    fingerprint="13a6fcd7757cc59e",
    engine="engine 1",
    options=Options(diarize=True, hotwords="Nuuk, qPCR"),
    segments=(
        said(0.0, "Good morning, everybody, and welcome to the third meeting of this week.", speaker="Ann"),
        said(5.0, "Thanks. We have {two} things <b>today</b> & tomorrow --> none \\N at all.", speaker="Ben <b>"),
        said(10.25, "Så kan vi begynde, hvis alle er her.", speaker="Ben <b>", language="da"),
        Segment(start_s=14.0, end_s=18.0, text=" No times of words here.", speaker="Ann"),
        said(3599.5, "これは 長い 会議 です。", language="ja"),
        said(3602.0, "Supercalifragilisticexpialidocious!", speaker="Ann"),
    ),
    findings=(Finding(kind="repetition", start_s=5.0, end_s=9.5, detail="the same words again"),),
    given_up=("batches of 4 windows instead of 8",),
    reheard=(
        Redecoding(
            start_s=5.0, end_s=9.5, doubts=("repetition",), first_text="two two", second_text="two", kept="second"
        ),
    ),
    other_languages=(LanguageGuess(language="da", probability=0.125),),
    seams=(
        Seam(at_s=30.5, overlap_s=0.0, silence_s=0.75, before="all", after="Så", before_gap_s=0.5, after_gap_s=None),
    ),
    untranscribed=(Untranscribed(start_s=20.0, end_s=25.5, reason="music"),),
)
TRANSLATED = Transcript(
    job_id="01a206c6-138a-7000-b90b-8b102bd49236",
    media_sha256="cd" * 32,
    name="مقابلة.wav",
    duration_s=12.0,
    speech_s=9.0,
    language="ar",
    language_probability=None,
    model="base",
    fingerprint="13a6fcd7757cc59e",
    engine="engine 1",
    options=Options(task="translate", word_timestamps=False, language="ar"),
    segments=(said(0.5, "مرحبا بكم في هذه المقابلة."), said(7.0, "Shukran.", language="en")),
)
CASES = {
    "meeting": (MEETING, MEETING.options.cues),
    "meeting-narrow": (MEETING, NARROW),
    "translated": (TRANSLATED, TRANSLATED.options.cues),
}
