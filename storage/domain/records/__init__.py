"""The domain: frozen records that the ledger, the flows and the pages share.

Times are seconds on the recording's clock; instants are UTC-aware; ids are UUIDv7 strings.
"""

from storage.domain.export_formats import USUAL_FORMATS, ExportFormat
from storage.domain.records.account_records import ApiKey, AuditRow, KeyGrant, Role, Session, User
from storage.domain.records.job_options import CueLimits, JobState, Lane, Options
from storage.domain.records.job_records import Job, SpanRow
from storage.domain.records.json_codec import from_json, to_json
from storage.domain.records.span_results import (
    FileNote,
    LanguageGuess,
    LanguageMismatch,
    Part,
    Plan,
    Redecoding,
    Segment,
    Span,
    SpanResult,
    Stretch,
    Turn,
    Turns,
    Untranscribed,
    Word,
)
from storage.domain.records.transcript_records import (
    NOT_TIMED,
    AlignedText,
    AlignmentState,
    Chapter,
    Finding,
    HighlightColour,
    Note,
    PinnedCue,
    Seam,
    StoredSummary,
    Summary,
    TextAlignment,
    Transcript,
    Version,
)

__all__ = [
    "NOT_TIMED",
    "USUAL_FORMATS",
    "AlignedText",
    "AlignmentState",
    "ApiKey",
    "AuditRow",
    "Chapter",
    "CueLimits",
    "ExportFormat",
    "FileNote",
    "Finding",
    "HighlightColour",
    "Job",
    "JobState",
    "KeyGrant",
    "Lane",
    "LanguageGuess",
    "LanguageMismatch",
    "Note",
    "Options",
    "Part",
    "PinnedCue",
    "Plan",
    "Redecoding",
    "Role",
    "Seam",
    "Segment",
    "Session",
    "Span",
    "SpanResult",
    "SpanRow",
    "StoredSummary",
    "Stretch",
    "Summary",
    "TextAlignment",
    "Transcript",
    "Turn",
    "Turns",
    "Untranscribed",
    "User",
    "Version",
    "Word",
    "from_json",
    "to_json",
]
