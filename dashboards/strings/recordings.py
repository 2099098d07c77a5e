"""Texts about recordings: lists, uploads and their defaults, a recording, share links, search."""

from dashboards.strings.translated_module import translate_constants
from storage.domain.export_formats import ExportFormat
from storage.domain.job_actions import JobAction
from storage.domain.model_names import display_name, only_english
from storage.domain.records import JobState, Lane
from storage.domain.tags import MAX_TAG_CHARS, MAX_TAGS
from storage.domain.translation import gettext as _
from storage.domain.translation import ngettext
from storage.media.headerless import InputFormat

translate_constants(__name__)

# On several of these pages
TRY_AGAIN = "Try again"
SAVE = "Save"
MODEL = "Model"


def part_of(part: str, whole: str) -> str:
    return _("{part} of {whole}", part=part, whole=whole)


# Lists of recordings
FILTER = {
    "all": "All",
    "going": "In progress",
    "ready": "Ready",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "shared": "Shared with me",
    "deleted": "Deleted",
}
THIS_MONTH = "This month"
HEARD = "Transcribed"
SUCCESS = "Success rate"
HOURS_USED = "Hours used this month"
SPACE_USED = "Space used"
NOTHING_YET = "Nothing here yet"
NOTHING_YET_READER = "Recordings that are added to your account appear here, with transcript and subtitles."
NOTHING_YET_HELP = "Upload a recording and its transcript appears here, ready to read, play and download."
FIRST_UPLOAD = "Upload a recording"
CACHE = {"facts": "Figures above the list", "choices": "Filter choices", "places": "Queue positions"}


def model_coming(model: str, share: float | None) -> str:
    percent = "" if share is None else f" ({100 * share:.0f}%)"
    return _(
        "The model **{model}** is being downloaded{percent}. Recordings start when it is ready.",
        model=display_name(model),
        percent=percent,
    )


def done(action: JobAction, n: int, refusals: list[str]) -> str:
    did = _(action.spec.done)
    if refusals and not n:
        return _("Nothing was changed: {reason}.", reason=refusals[0])
    if not refusals:
        return ngettext("1 recording was {done}.", "{n} recordings were {done}.", n, done=did)
    return ngettext(
        "1 recording was {done}; {others} could not be: {reason}.",
        "{n} recordings were {done}; {others} could not be: {reason}.",
        n,
        done=did,
        others=len(refusals),
        reason=refusals[0],
    )


# Upload
SPOKEN_LANGUAGE = "Spoken language"
DETECT = "Detect automatically"
BEST = "Best available"
MODEL_HELP = "Larger models make fewer mistakes and take longer."
TASK = "Output"
TASKS = {"transcribe": "Transcript", "translate": "Translation into English"}
MORE_CHOICES = "More options"
HOTWORDS = "Names and terms"
HOTWORDS_EXAMPLE = "Nuuk, Grønlandsbanken, qPCR"
PROMPT = "Context"
PROMPT_EXAMPLE = "A board meeting of a bank in Nuuk, in Danish with some Greenlandic."
PROMPT_HELP = "A sentence or two in the recording's language, in the style that the transcript should have."
CHANNEL = "Channels"
CHANNELS = {"mix": "Mixed", "split": "Separate"}
CHANNELS_HELP = "“Separate” if each channel is one speaker, as in recorded calls: each gets its own name and times."
TRACK = "Audio track"
TRACK_HELP = "For files with several audio tracks, such as films. If empty, the one with sound is transcribed."
OTHER_TRACK = "Another audio track"
TRANSCRIBE_TRACK = "Transcribe this track"
INPUT_FORMATS = {
    InputFormat.S16LE: "PCM, 16 bits, little-endian",
    InputFormat.S16BE: "PCM, 16 bits, big-endian",
    InputFormat.S24LE: "PCM, 24 bits, little-endian",
    InputFormat.F32LE: "PCM, 32-bit float",
    InputFormat.ALAW: "A-law (G.711)",
    InputFormat.MULAW: "µ-law (G.711)",
    InputFormat.G722: "G.722",
    InputFormat.GSM: "GSM 06.10",
}
TRACK_CHOSEN = "Automatic"
SPEAKER = "Speakers"
SPEAKERS = {"no": "Not identified", "any": "Identify speakers"} | {str(n): f"{n} speakers" for n in range(2, 11)}
LANGUAGE_CHANGES = "The language changes within the recording"
LANGUAGE_CHANGES_HELP = "The language chosen above is then used only where detection is uncertain."
FILES_READY = "Files to prepare"
USUAL_FILES = "Default formats"
FILES_READY_HELP = "All other formats are made on request."
LINE_LENGTH = "Subtitle line length"
LINE_LENGTH_HELP = "In characters."
LINE_COUNT = "Lines in a subtitle"
LANE = "Start"
LANES = {Lane.INTERACTIVE: "Now", Lane.BATCH: "When the machine is free"}
MAY_NOT_UPLOAD = "Your account can read and download, but not upload. Ask an administrator if you need to."


TAGS = "Tags"
TAGS_NEW = "Type a tag and press Enter"
TAGS_UPLOAD_HELP = (
    "For the files that you add next. Lists can be filtered by tag; a tag such as board/2026 is a folder."
)
TAGS_HELP = (
    f"Up to {MAX_TAGS}, of up to {MAX_TAG_CHARS} characters. Lists can be filtered by tag; a tag such as board/2026 is "
    "a folder."
)


def best(model: str) -> str:
    return f"{_(BEST)} ({model_named(model)})"


def model_named(model: str) -> str:
    """Return a model's name, and that it knows English alone if so."""
    return _("{model}, English only", model=display_name(model)) if only_english(model) else display_name(model)


def hotwords_help(own_terms: int) -> str:
    also = " " + _("Your own vocabulary ({terms} terms) is always included.", terms=own_terms) if own_terms else ""
    return _("Helps the model spell them correctly. Separate them with commas.{also}", also=also)


def file_format(fmt: ExportFormat) -> str:
    return f"{fmt.upper()}: {_(fmt.spec.label)}"


# What uploads start from
DEFAULTS_ABOUT = "Defaults of the upload page; each upload can override them."
FILES_MADE = "Files to prepare for each recording"
FILES_MADE_HELP = "All other formats can still be downloaded; they are made on request."
SUBTITLES = "Subtitles"
MAX_WIDTH = "Characters per line"
MAX_LINES = "Lines"
MAX_PACE = "Characters per second"
SHORTEST = "Minimum duration, in seconds"
LONGEST = "Maximum duration, in seconds"
GAP = "Minimum gap between subtitles, in seconds"
DEFAULTS_SAVED = "Saved. New uploads use these defaults."
VOCABULARY_ABOUT = "Names and terms that occur in your recordings. They are used for every new recording."
VOCABULARY = "One per line"
VOCABULARY_EXAMPLE = "Nuuk\nGrønlandsbanken\nqPCR"
VOCABULARY_SAVED = "Saved. New recordings use this vocabulary."


def vocabulary_help(max_chars: int) -> str:
    return _("Up to {max_chars} characters in total, which is what a model can read.", max_chars=max_chars)


# One recording
NAME = "Name"
NOT_HERE = "Recording not found"
NOT_HERE_HELP = "It was deleted, belongs to someone else, or the link is incomplete."
NO_PAGE = "There is no page at this address, or your account may not open it."
BACK_TO_OWN = "Go to your recordings"
UNDER_WAY = {
    JobState.QUEUED: "Waiting in the queue.",
    JobState.INGESTING: "Decoding the recording and detecting speech.",
    JobState.EXPORTING: "Transcription is done. Stitching the text and writing the files.",
}
LISTENING = "Transcribing."
PRIORITY = "Priority"
PRIORITIES = {Lane.INTERACTIVE: "Now", Lane.BATCH: "When the machine is free", Lane.BACKFILL: "Last"}
PRIORITY_HELP = "“Now” comes before everything else. Text that is already transcribed is kept."
NO_REASON = "It failed for an unknown reason"
CANCELLED = "This recording was cancelled. It is kept and can be started again."
DOWNLOAD = "Download"
TO_FILES = "Downloads and sharing"
ORIGINAL = "The original recording"
FILES_COME = "Downloads are available once the transcript is complete."
DELETE_RECORDING = "Delete recording"


def heard(done: str, whole: str | None, left: str | None) -> str:
    so_far = (
        _("Transcribed {done} of {whole} of speech", done=done, whole=whole)
        if whole
        else _("Transcribed {done} of speech, still decoding", done=done)
    )
    return f"{so_far}." if left is None else _("{so_far}, about {left} left.", so_far=so_far, left=left)


def attempt(n: int) -> str:
    return _("Attempt {n}. Parts that are already transcribed are reused.", n=n)


def id_for_help(ident: str) -> str:
    return _("The recording is kept. If you ask for help, quote this id: `{ident}`", ident=ident)


def made_do(given_up: str) -> str:
    return _("Notes on this transcript: {given_up}.", given_up=given_up)


def delete_sure(name: str, days: float) -> str:
    return _(
        "**{name}**, its transcript and its files go to “Deleted”. You can restore them for {days:g} days.",
        name=name,
        days=days,
    )


def deleted(when: str, until: str) -> str:
    return _(
        "This recording was deleted {when}. It can be restored until {until}; after that it is deleted permanently.",
        when=when,
        until=until,
    )


# Links to a recording
SHARE = "Share"
MAKE_LINK = "Create a link"
LINK_LASTS = "Valid for"
LASTS = {1: "1 day", 7: "7 days", 30: "30 days", 90: "90 days", 365: "1 year"}
LINK_LOCK = "Password (optional)"
MAKE_THE_LINK = "Create link"
REVOKE = "Revoke"


def link(made: str, until: str, opened: int, *, locked: bool) -> str:
    times = _("opened {opened}×", opened=opened) if opened else _("not opened yet")
    lock = " · " + _("with password") if locked else ""
    return _("Created {made} · until {until} · {times}{lock}", made=made, until=until, times=times, lock=lock)


def links_over(n: int) -> str:
    return ngettext(
        "{n} earlier link has expired or been revoked.", "{n} earlier links have expired or been revoked.", n
    )


COLLEAGUES = "Colleagues"
COLLEAGUES_HELP = "Colleagues find it in their own list. Only you can delete, rename or share it."
COLLEAGUE = "Username"
COLLEAGUE_RIGHT = "Access"
RIGHTS = {False: "read", True: "read and edit"}
END_SHARING = "Stop sharing"


def colleague(name: str, *, may_edit: bool) -> str:
    return _("**{name}** may {right}", name=name, right=_(RIGHTS[may_edit]))


ALL_LINKS = "Share links"
NO_LINKS = "There are no share links."
NEWEST_LINKS = "Newest"
OLDER_LINKS = "Older"


def whose_link(owner: str, maker: str) -> str:
    return owner if owner == maker else _("{owner} · shared by {maker}", owner=owner, maker=maker)


# How a recording was heard
HOW_HEARD = "How it was transcribed"
EVERYTHING = "All details"
LANGUAGE = "Language"
SPEECH = "Speech"
PARTS = "Parts"
LISTENING_TOOK = "Transcription took"
UPLOAD_TO_TEXT = "Upload to transcript"
MACHINE = "Machine"
ASKED_FOR = "Options"
ATTEMPTS = "Attempts"
GIVEN_UP = "Reduced settings"
UPLOADED_BY = "Uploaded by"
UPLOADED = "Uploaded"
BEGUN = "Started"
FINISHED = "Finished"
WAY = "Source"
ENGINE = "Engine"
DEVICE = "Device"
ALSO_POSSIBLE = "Alternatives"
ENGINE_SETTINGS = "Settings"
TRANSCRIPT = "Transcript"
FINGERPRINT = "Model fingerprint"
METADATA = "Metadata"
SHA256 = "Recording SHA-256"
ID = "ID"
TRANSLATED = "translated into English"
WITH_PROMPT = "with a prompt"
PART_COLUMNS = ("Part", "From–to", "Took", MACHINE)
KNOWN = "reused"


def language_sure(language: str, probability: float | None) -> str:
    return (
        _("{language} ({percent:.0f}% sure)", language=language, percent=100 * probability) if probability else language
    )


def parts(n: int, known: int) -> str:
    return _("{n}, {known} reused", n=n, known=known) if known else str(n)


def took(span: str, times_real: float) -> str:
    return _("{span}, {times_real:.1f}× real time", span=span, times_real=times_real)


def vocabulary(hotwords: str) -> str:
    return _("vocabulary: {hotwords}", hotwords=hotwords)


def audio_track(n: int, about: str = "") -> str:
    if about:
        return _("audio track {n}: {about}", n=n, about=about)
    return _("audio track {n}", n=n)


def threads(n: int) -> str:
    return _("{n} threads", n=n)


def windows(n: int) -> str:
    return _("batches of {n} windows", n=n)


def engine_settings(model: str, language: str | None, beam: int, temperature: float, *, word_times: bool) -> str:
    times = _("word times") if word_times else _("no word times")
    return _(
        "model {model}, language {language}, beam {beam}, temperature {temperature:g}, {times}",
        model=model,
        language=language or _("detected"),
        beam=beam,
        temperature=temperature,
        times=times,
    )


def version(n: int) -> str:
    return _("version {n}", n=n)


def more_parts(n: int) -> str:
    return _("and {n} more", n=n)


# Search
SEARCH_EXAMPLES = (
    ('"next steps"', "these words in this order"),
    ("budget*", "budget, budgets, budgeting"),
    ("invoice OR receipt", "either word"),
    ("contract -draft", "the first word without the second"),
    ("speaker:anna deadline", "spoken by Anna"),
    ("language:de after:2026-01", "in German, since January 2026"),
)


def found(n: int) -> str:
    return ngettext("1 recording", "{n:,} recordings", n)


def more_moments(n: int) -> str:
    return ngettext("1 more match", "{n:,} more matches", n)


def index_behind(share: float, to_go: int) -> str:
    return _("{share:.0f}% done, {to_go:,} to go.", share=100 * share, to_go=to_go)
