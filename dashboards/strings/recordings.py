"""The words around recordings: lists, uploads and their defaults, one recording, its links, search."""

from storage.records import JobState, Lane

# Navigation
ADMINISTRATION = "Administration"

# On several of these pages
CANCEL = "Cancel"
TRY_AGAIN = "Try again"
DELETE = "Delete"
RESTORE = "Restore"
SAVE = "Save"
MODEL = "Model"


def part_of(part: str, whole: str) -> str:
    return f"{part} of {whole}"


# Lists of recordings
FILTER = {
    "all": "All",
    "going": "In progress",
    "ready": "Ready",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "deleted": "Deleted",
}
THIS_MONTH = "This month"
HEARD = "Heard"
SUCCESS = "Success"
HOURS_USED = "Hours used this month"
SPACE_USED = "Space used"
NOTHING_YET = "Nothing here yet"
NOTHING_YET_READER = "Recordings that are put in your account appear here, with transcript and subtitles."
NOTHING_YET_HELP = "Upload a recording and its transcript appears here, ready to read, play along and download."
FIRST_UPLOAD = "Upload a recording"
DONE = {
    "cancel": "cancelled",
    "retry": "started again",
    "delete": "deleted",
    "restore": "brought back",
    "purge": "deleted for good",
}
CACHE = {"facts": "Figures above lists", "choices": "Choices of filters", "places": "Places in line"}


def model_coming(model: str, share: float | None) -> str:
    percent = "" if share is None else f" ({100 * share:.0f}%)"
    return f"The model **{model}** is being downloaded{percent}. Recordings start when it is here."


def hours(n: float) -> str:
    return f"{n:,.1f} h"


def done(act: str, n: int, refusals: list[str]) -> str:
    counted = "1 recording was" if n == 1 else f"{n} recordings were"
    if not refusals:
        return f"{counted} {DONE[act]}."
    return f"{counted} {DONE[act]}, {len(refusals)} not: {refusals[0]}."


# Upload
SPOKEN_LANGUAGE = "Spoken language"
DETECT = "Detect by itself"
BEST = "Best available"
MODEL_HELP = "Larger models make fewer mistakes and take longer."
TASK = "Write down"
TASKS = {"transcribe": "What was said", "translate": "A translation into English"}
MORE_CHOICES = "Vocabulary, speakers, sound, files, order"
HOTWORDS = "Names and terms that occur"
HOTWORDS_EXAMPLE = "Nuuk, Grønlandsbanken, qPCR"
PROMPT = "What it is about"
PROMPT_EXAMPLE = "A board meeting of a bank in Nuuk, in Danish with some Greenlandic."
PROMPT_HELP = "A sentence or two in the recording's language, written as the transcript should be."
CHANNEL = "Channels"
CHANNELS = {"mix": "Heard together", "split": "Each by itself"}
CHANNELS_HELP = "By itself where every channel is one speaker, as in recorded calls: each gets a name and times."
TRACK = "Audio track"
TRACK_HELP = "For files with several, such as films."
SPEAKER = "Speakers"
SPEAKERS = {"no": "Not told apart", "any": "Told apart"} | {str(n): f"{n} speakers" for n in range(2, 11)}
LANGUAGE_CHANGES = "The language changes within the recording"
LANGUAGE_CHANGES_HELP = "The spoken language chosen above is then only taken where the model is unsure."
FILES_READY = "Files to have ready"
USUAL_FILES = "The usual ones"
FILES_READY_HELP = "Every other format is made when you ask for it."
LINE_LENGTH = "Subtitle line length"
LINE_LENGTH_HELP = "In characters."
LINE_COUNT = "Lines in a subtitle"
LANE = "Start"
LANES = {Lane.INTERACTIVE: "Now", Lane.BATCH: "When the machine is free"}
MAY_NOT_UPLOAD = "Your account can read and download, but not upload. Ask an administrator if you need to."


def best(model: str) -> str:
    return f"{BEST} ({model})"


def hotwords_help(own_terms: int) -> str:
    also = f" Your own vocabulary ({own_terms} terms) is told anyway." if own_terms else ""
    return f"Helps the model to spell them right. Separate them by commas.{also}"


def file_format(fmt: str, about: str) -> str:
    return f"{fmt.upper()}: {about}"


# What uploads start from
DEFAULTS_ABOUT = "The upload page starts from these; each upload can still choose something else."
FILES_MADE = "Files to make when a recording is ready"
FILES_MADE_HELP = "Every other format can still be downloaded; it is made when it is asked for."
SUBTITLES = "Subtitles"
MAX_WIDTH = "Characters in a line"
MAX_LINES = "Lines"
MAX_PACE = "Characters a second"
SHORTEST = "Shortest, in seconds"
LONGEST = "Longest, in seconds"
GAP = "Gap between, in seconds"
DEFAULTS_SAVED = "Saved. New uploads start from this."
VOCABULARY_ABOUT = "Names and terms that occur in your recordings. Every recording of yours is heard with them in mind."
VOCABULARY = "One a line"
VOCABULARY_EXAMPLE = "Nuuk\nGrønlandsbanken\nqPCR"
VOCABULARY_SAVED = "Saved. Recordings from now on are heard with these words."


def vocabulary_help(max_chars: int) -> str:
    return f"Up to {max_chars} characters in all, which is what a model reads."


# One recording
NOT_HERE = "This recording is not here"
NOT_HERE_HELP = "It was deleted, it belongs to someone else, or the link is not complete."
BACK_TO_OWN = "Go to your recordings"
UNDER_WAY = {
    JobState.QUEUED: "Waiting in line.",
    JobState.INGESTING: "Reading the recording and looking for speech.",
    JobState.EXPORTING: "Everything is heard. Putting the text together and writing the files.",
}
LISTENING = "Listening."
NO_REASON = "It failed for a reason that was not told"
CANCELLED = "This recording was cancelled. It is kept, and can be started again."
DOWNLOAD = "Download"
ORIGINAL = "The original recording"
FILES_COME = "The files to download come when everything is heard."
DELETE_RECORDING = "Delete recording"


def heard(done: str, whole: str | None, left: str | None) -> str:
    so_far = f"Heard {done} of {whole} of speech" if whole else f"Heard {done} of speech, and still reading"
    return f"{so_far}." if left is None else f"{so_far}, about {left} left."


def attempt(n: int) -> str:
    return f"Attempt {n}. What was heard before is kept and not done again."


def id_for_help(ident: str) -> str:
    return f"The recording is kept. If you ask for help, give this id: `{ident}`"


def made_do(given_up: str) -> str:
    return f"To get through, the machine had to make do with less: {given_up}."


def delete_sure(name: str, days: float) -> str:
    return f"**{name}**, its transcript and its files go to “Recently deleted”. You can restore them for {days:g} days."


def deleted(when: str, until: str) -> str:
    return f"This recording was deleted {when}. It can be restored until {until}; then it is gone for good."


# Links to a recording
SHARE = "Share"
MAKE_LINK = "Make a link"
LINK_LASTS = "Works for"
LASTS = {1: "1 day", 7: "7 days", 30: "30 days", 90: "90 days", 365: "1 year"}
LINK_LOCK = "Password (optional)"
MAKE_THE_LINK = "Make the link"
REVOKE = "Revoke"


def link(made: str, until: str, opened: int, *, locked: bool) -> str:
    times = f"opened {opened}×" if opened else "not opened yet"
    lock = " · with password" if locked else ""
    return f"Made {made} · until {until} · {times}{lock}"


def links_over(n: int) -> str:
    return f"{n} earlier {'link has' if n == 1 else 'links have'} expired or been revoked."


# How a recording was heard
HOW_HEARD = "How it was heard"
EVERYTHING = "Everything about it"
LANGUAGE = "Language"
SPEECH = "Speech"
PARTS = "Parts"
LISTENING_TOOK = "Listening took"
UPLOAD_TO_TEXT = "From upload to text"
MACHINE = "Machine"
ASKED_FOR = "Asked for"
ATTEMPTS = "Attempts"
GIVEN_UP = "Given up"
UPLOADED_BY = "Uploaded by"
UPLOADED = "Uploaded"
BEGUN = "Begun"
FINISHED = "Finished"
WAY = "Way"
ENGINE = "Engine"
DEVICE = "Device"
ALSO_POSSIBLE = "Also possible"
ENGINE_SETTINGS = "Settings"
TRANSCRIPT = "Transcript"
FINGERPRINT = "Model's fingerprint"
SHA256 = "Recording's SHA-256"
ID = "Id"
DEMO_MODEL = "demo (built in)"
TRANSLATED = "translated into English"
WITH_PROMPT = "with a prompt"
PART_COLUMNS = ("Part", "From–to", "Took", MACHINE)
KNOWN = "known"


def language_sure(language: str, probability: float | None) -> str:
    return language + (f" ({100 * probability:.0f}% sure)" if probability else "")


def parts(n: int, known: int) -> str:
    return f"{n}" + (f", {known} known already" if known else "")


def took(span: str, times_real: float) -> str:
    return f"{span}, {times_real:.1f}× real time"


def vocabulary(hotwords: str) -> str:
    return f"vocabulary: {hotwords}"


def audio_track(n: int) -> str:
    return f"audio track {n}"


def threads(n: int) -> str:
    return f"{n} threads"


def windows(n: int) -> str:
    return f"{n} windows together"


def engine_settings(model: str, language: str | None, beam: int, temperature: float, *, word_times: bool) -> str:
    times = "word times" if word_times else "no word times"
    return f"model {model}, language {language or 'detected'}, beam {beam}, temperature {temperature:g}, {times}"


def version(n: int) -> str:
    return f"version {n}"


def more_parts(n: int) -> str:
    return f"and {n} more"


# Search
SEARCH_EXAMPLES = (
    ('"next steps"', "these words in this order"),
    ("budget*", "budget, budgets, budgeting"),
    ("invoice OR receipt", "either of them"),
    ("contract -draft", "the one without the other"),
    ("speaker:anna deadline", "said by Anna"),
    ("language:de after:2026-01", "in German, since January 2026"),
)


def found(n: int) -> str:
    return "1 recording" if n == 1 else f"{n:,} recordings"


def more_moments(n: int) -> str:
    return "1 more moment" if n == 1 else f"{n:,} more moments"


def index_behind(share: float, to_go: int) -> str:
    return f"{100 * share:.0f}% done, {to_go:,} to go."
