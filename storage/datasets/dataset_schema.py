"""The datasets and their columns: what is exported, as which type, and what it means.

`docs/datasets.md` has these tables, and a test compares them with the document and with written files.
"""

from dataclasses import dataclass

DATASET_VERSION = 1
"""Increment it when a column is removed, renamed or means something else; every partition is then written again."""
TEXT, INTEGER, BIG, REAL, TRUTH, MOMENT = (
    "VARCHAR",
    "INTEGER",
    "BIGINT",
    "DOUBLE",
    "BOOLEAN",
    "TIMESTAMP WITH TIME ZONE",
)
TEXTS, MAP = "VARCHAR[]", "MAP(VARCHAR, VARCHAR)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column, with its type as DuckDB names it."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """One dataset; `month_of` says which moment decides its partition."""

    name: str
    holds: str
    month_of: str
    columns: tuple[Column, ...]


def _columns(*rows: tuple[str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(name=name, type=kind, meaning=meaning) for name, kind, meaning in rows)


_JOB_ID = ("job_id", TEXT, "The recording's id, as its page's address has it.")
_KEY = (
    ("api_key_id", TEXT, "The API key that uploaded it; empty for the page and the command line."),
    ("api_key", TEXT, "The key's name."),
)
_MODEL = ("model", TEXT, "The model that transcribed it.")
_START, _END = "Start, in seconds on the recording's clock.", "End, in seconds on the recording's clock."

DATASETS = (
    Dataset(
        name="jobs",
        holds="A row for each recording that is not deleted.",
        month_of="the upload",
        columns=_columns(
            _JOB_ID,
            ("name", TEXT, "The file's name."),
            ("owner_id", TEXT, "The account that owns it."),
            ("owner", TEXT, "The account's name."),
            *_KEY,
            ("lane", TEXT, "`interactive`, `batch` or `backfill`."),
            ("state", TEXT, "As in the API: `queued` … `completed`, `failed`, `cancelled`."),
            ("held", TRUTH, "Whether somebody paused it."),
            _MODEL,
            ("fingerprint", TEXT, "What decoded it: model, engine and options."),
            ("language", TEXT, "The code of the recording's language."),
            ("language_probability", REAL, "How certain the language is, from 0 to 1."),
            ("duration_s", REAL, "Length in seconds."),
            ("speech_s", REAL, "Seconds of speech."),
            ("spans", INTEGER, "Parts that it was cut into."),
            ("spans_reused", INTEGER, "Parts whose result was there already."),
            ("device_s", REAL, "Seconds that devices worked on it; reused results cost none."),
            ("media_sha256", TEXT, "Checksum of the file."),
            ("media_bytes", BIG, "Size of the file."),
            ("attempt", INTEGER, "How often it was started."),
            ("error_code", TEXT, "Why it failed, as a code."),
            ("error", TEXT, "Why it failed, in words."),
            ("tags", TEXTS, "Its tags."),
            ("metadata", MAP, "What came with the file, such as a manifest's columns `meta_…`."),
            ("transcript_version", INTEGER, "The version of its text; above 1 if it was edited."),
            ("created_at", MOMENT, "When it was uploaded."),
            ("started_at", MOMENT, "When work on it began."),
            ("finished_at", MOMENT, "When it was completed, failed or cancelled."),
        ),
    ),
    Dataset(
        name="segments",
        holds="A row for each segment of a current transcript.",
        month_of="the upload",
        columns=_columns(
            _JOB_ID,
            ("segment", INTEGER, "Its place in the transcript, from 0."),
            ("start_s", REAL, _START),
            ("end_s", REAL, _END),
            ("speaker", TEXT, "Who speaks, if speakers were told apart."),
            ("language", TEXT, "Its language, if it is not the recording's."),
            ("text", TEXT, "What is said."),
            ("words", INTEGER, "How many words it has."),
            ("avg_logprob", REAL, "The model's mean log probability."),
            ("compression_ratio", REAL, "How repetitive the text is."),
            ("no_speech_prob", REAL, "How probably it is no speech."),
            ("temperature", REAL, "The temperature that it was decoded at."),
        ),
    ),
    Dataset(
        name="words",
        holds="A row for each word of a current transcript.",
        month_of="the upload",
        columns=_columns(
            _JOB_ID,
            ("segment", INTEGER, "The segment that it is in."),
            ("word", INTEGER, "Its place in the segment, from 0."),
            ("start_s", REAL, _START),
            ("end_s", REAL, _END),
            ("text", TEXT, "The word, with the space before it and its punctuation."),
            ("probability", REAL, "How certain the model is, from 0 to 1."),
            ("speaker", TEXT, "Who speaks, if speakers were told apart."),
        ),
    ),
    Dataset(
        name="speakers",
        holds="A row for each speaker of a current transcript.",
        month_of="the upload",
        columns=_columns(
            _JOB_ID,
            ("speaker", TEXT, "The speaker's name in this recording."),
            ("segments", INTEGER, "How many segments are the speaker's."),
            ("words", INTEGER, "How many words are the speaker's."),
            ("spoken_s", REAL, "Seconds of these segments."),
            ("first_s", REAL, "When the speaker speaks first."),
            ("last_s", REAL, "When the speaker speaks last."),
        ),
    ),
    Dataset(
        name="usage",
        holds="What was transcribed in a month, by account, API key and model; deleted recordings do not count.",
        month_of="the end of the work",
        columns=_columns(
            ("owner_id", TEXT, "The account."),
            ("owner", TEXT, "The account's name."),
            *_KEY,
            _MODEL,
            ("recordings", INTEGER, "Completed recordings."),
            ("failed", INTEGER, "Failed recordings."),
            ("audio_s", REAL, "Seconds of the completed recordings."),
            ("speech_s", REAL, "Seconds of speech in them."),
            ("device_s", REAL, "Seconds that devices worked, also on what failed."),
            ("cost", REAL, "`device_s` at TRANSCRIBER_DEVICE_HOUR_COST; empty without this setting."),
        ),
    ),
    Dataset(
        name="audit",
        holds="The audit log.",
        month_of="the action",
        columns=_columns(
            ("seq", BIG, "The row's number in the log."),
            ("happened_at", MOMENT, "When it happened."),
            ("actor", TEXT, "Who did it, such as `user:…` or `worker:…`."),
            ("action", TEXT, "What was done."),
            ("subject", TEXT, "To what, often a job's id."),
            ("detail", TEXT, "More about it, as JSON."),
            ("address", TEXT, "The client's address."),
            ("agent", TEXT, "The client's program."),
            ("request_id", TEXT, "The request."),
            ("key_id", TEXT, "The API key of the request."),
            ("hash", TEXT, "The row's hash in the chain."),
        ),
    ),
)
BY_NAME = {one.name: one for one in DATASETS}
