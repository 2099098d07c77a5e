"""Texts that several pages and components share."""

from dashboards.strings.translated_module import translate_constants
from storage.accounts.registration_policy import Registration
from storage.domain.export_formats import SINGLE_FORMATS
from storage.domain.records import JobState, Role
from storage.domain.translation import gettext as _
from storage.domain.translation import ngettext

translate_constants(__name__)

APP = "Whisper Transcriber"

PAGE: dict[str, str] = {
    "jobs": "Recordings",
    "upload": "Upload",
    "search": "Search",
    "job": "Recording",
    "settings": "Settings",
    "overview": "Overview",
    "all_jobs": "All recordings",
    "people": "People",
    "machines": "Machines",
    "queues": "Queues",
    "incoming": "Unfinished uploads",
    "retention": "Retention",
    "campaigns": "Campaigns",
    "system": "System",
    "performance": "Performance",
    "datasets": "Datasets",
    "audit": "Audit log",
    "security": "Security events",
    "site": "Sign-in",
    "configuration": "Configuration",
    "join": "Join",
    "reset": "New password",
    "login": "Log in",
    "first_password": "New password",
    "nowhere": "Page not found",
}
GROUP: dict[str, str] = {"own": "", "operations": "Operations", "accounts": "Accounts", "platform": "Platform"}
"""The groups of the navigation; the first has no title."""

STATE: dict[JobState, str] = {
    JobState.QUEUED: "Waiting",
    JobState.INGESTING: "Reading",
    JobState.TRANSCRIBING: "Transcribing",
    JobState.EXPORTING: "Finishing",
    JobState.COMPLETED: "Ready",
    JobState.FAILED: "Failed",
    JobState.CANCELLED: "Cancelled",
}

ROLE: dict[Role, str] = {Role.ADMIN: "Administrator", Role.MEMBER: "Member", Role.READER: "Read-only"}

ROLE_HELP = (
    "Members upload and manage their own recordings. Read-only users view and download theirs. "
    "Administrators see everything and manage accounts."
)

DOWNLOADS = {
    "captions": "Caption settings",
    "max_line_count": "Lines",
    "max_line_width": "Characters per line",
    "max_chars_per_s": "Maximum characters per second",
    "max_duration_s": "Maximum seconds on screen",
    "highlight_words": "Highlight each word while it is spoken",
    "speakers": "Include speaker names",
    "byte_order_mark": "Byte order mark, for programs that show ä as Ã¤",
    "reset": "Reset to defaults",
    "about": "For subtitles and text files, also inside the ZIP. The recording is not transcribed again.",
    "making": "Preparing the {format} file…",
    "away": "The server did not answer. Try again in a moment.",
}

UNKNOWN_LANGUAGE = "Language unknown"

FINDING: dict[str, str] = {
    "times not measured": "The times of these words were not measured; transcribe the recording again to get them",
    "doubted throughout": "The model was unsure of most words; it may not know this language",
    "speech with no text": "Speech was detected here, but it has no text",
    "possible speech with no text": "This may be quiet speech, and it has no text",
    "text with no speech": "Text without detected speech; it may be invented",
    "text left out": "The corrected text leaves out what is said here",
    "text without sound": "The corrected text has more words here than can be said in this time",
    "repetition": "Repeated words; some may be invented",
    "low confidence": "The model was uncertain about these words",
    "seam": "Two parts meet here; a word may be missing or repeated",
    "another language": "This sounds like a language other than the chosen one",
    "too fast": "More words than can be spoken in this time; some may be invented",
}

MISHAP = (
    "Something went wrong on this page. Reload it. If it happens again, give your administrator "
    "this error number, which is also in the log: **{ident}**"
)

START_WORKERS = (
    "To start workers, run `transcriber up`, or `transcriber worker --pool cpu` and `transcriber worker --pool gpu` on "
    "any machine. End a frozen worker first."
)

LOGIN: dict[str, str] = {
    "submit": "Log in",
    "busy": "Checking…",
    "show": "Show",
    "hide": "Hide",
    "wrong": "That name and password do not match. Check both, then try again.",
    "refused": "The server refused this",
    "offline": "The server cannot be reached. Check your connection, then try again.",
}
SIGN_IN_REFUSED: dict[str, str] = {
    "not_signed_in": LOGIN["wrong"],
    "sign_in_failed": "The login through your provider failed. Start it again.",
    "provider_unreachable": "Your provider did not respond correctly. Try again, or log in with a password.",
    "registration_closed": "Your provider knows you, but you have no account here yet. Ask an administrator for one.",
}
TOO_MANY: dict[str, str] = {
    "title": "Please wait a moment",
    "tries": "There were too many failed attempts. Wait {time}, then try again.",
    "requests": "Too many requests came from your address. Wait {time}, then try again.",
    "again": "Try again",
}
REGISTRATION: dict[Registration, str] = {
    Registration.OPEN: "Anyone who can reach this page",
    Registration.INVITED: "People with an invitation",
    Registration.CLOSED: "Nobody",
}

NO_WEBSOCKET: dict[str, str] = {
    "title": "This page cannot be shown yet",
    "words": "The server answers, but the connection that pages need (a WebSocket) does not get through. Ask your "
    "administrator to let WebSockets through the proxy in front of the app, as its documentation describes under "
    "“Behind a proxy” (docs/proxy.md). The page then opens by itself.",
}

SESSION: dict[str, str] = {
    "title": "Are you still there?",
    "idle": "You will be logged out in {time} because of inactivity.",
    "old": "Your session ends in {time}. Enter your password to continue; nothing on this page is lost.",
    "old_elsewhere": "Your session ends in {time}. Save your work, then log in again.",
    "stay": "Stay logged in",
    "renew": "Stay logged in",
    "later": "Not now",
    "password": "Password",
    "wrong": "Wrong password. Enter it again.",
    "offline": "The server cannot be reached. Try again.",
    "lost": "The server cannot be reached. This page reconnects by itself; unsaved edits and uploads are kept.",
    "no_websocket": "This page cannot update itself, because the WebSocket to the server does not get through. Reload "
    "it to see what is new, and ask your administrator to let WebSockets to /events through the proxy (docs/proxy.md).",
    "completed": "{name} is ready.",
    "failed": "{name} has failed.",
    "commented": "{by} commented on {name}: {text}",
    "open": "Open",
    "close": "Close",
}

DOCK: dict[str, str] = {
    "leave": "Log out",
    "leave_while_sending": "Files are still uploading. Log out and pause them?",
    "leave_failed": "You could not be logged out because the server cannot be reached. Try again.",
    "sending": "Uploading {n} files",
    "sending_one": "Uploading 1 file",
}

LIMIT = "Up to {size} and {hours} hours per file."
LIMIT_BY_ROOM = "Up to {hours} hours per file; {free} of space are free."
LIMIT_OF_HOURS = "You have used {used} of your {quota} hours this month."
GO_ON_WORKING = "You can continue working meanwhile."
TOO_LARGE = "This file is larger than the limit of {size}. Compress the audio, or split it."
NO_ROOM = "Only {free} are free, too little for this file. Delete recordings you no longer need, or ask for more space."

ABOUT = "Recordings in, exact transcripts and subtitles out, on your own hardware."
UPLOAD_SHORTCUT = "Upload a recording"
OFFLINE: dict[str, str] = {
    "offline": "Offline",
    "title": "The server cannot be reached",
    "words": "Your recordings and transcripts are safe there. Uploads will resume where they stopped. "
    "This page tries again every 15 seconds.",
    "again": "Try again",
}

SHARED: dict[str, str] = {
    "missed": "The app was not ready for the file that you shared. It is now: share it once more.",
    "failed": "The shared file could not be kept, probably because this device is full. Choose the file here instead.",
}

UPLOADER: dict[str, str] = {
    "lead": "Drop recordings or folders here",
    "lead_touch": "Choose recordings to transcribe",
    "formats": "Audio or video: MP3, M4A, WAV, FLAC, OGG, MP4, MOV, MKV and more",
    "choose_files": "Choose files",
    "choose_folder": "Choose a folder",
    "one_file": "1 file",
    "files": "{n} files",
    "clear": "Clear finished",
    "unfinished": "Unfinished uploads",
    "choose_again": "Choose the file again to continue",
    "discard": "Discard",
    "open": "Open",
    "pause": "Pause",
    "resume": "Resume",
    "cancel": "Cancel",
    "again": "Try again",
    "remove": "Remove",
    "waiting": "waiting",
    "paused": "paused",
    "offline": "no network; resumes automatically",
    "waiting_server": "the server is unavailable; resumes automatically",
    "checking": "checking the recording…",
    "uploaded": "Uploaded",
    "left": "{time} left",
    "empty": "This file is empty. Check that the recording was saved, then choose it again.",
    "no_answer": "The server did not answer for ten minutes. The uploaded part is kept; try again to resume.",
    "signed_out": "You have been logged out. Log in, then choose the file again: the upload resumes.",
    "refused": "The server rejected this file (status {status}).",
    "record": "Record",
    "record_stop": "Stop and upload",
    "record_on": "Continue recording",
    "mic_recording": "Recording",
    "mic_paused": "Paused",
    "recording_name": "Recording {when}",
    "recording_kept": "The recording is kept in this browser until it is uploaded.",
    "level": "Input level",
    "mic_saving": "Saving…",
    "not_allowed": "The browser may not use the microphone. Allow it in the address bar, then press Record again.",
    "no_microphone": "No microphone was found. Connect one, then press Record again.",
    "not_kept": "This browser has no space to back up the recording. Stop and upload it soon.",
    "kept": "In this browser, not uploaded yet",
    "send": "Upload",
    "discard_sure": "Delete this recording permanently? It exists only in this browser.",
    "looking": "checking whether it is already uploaded",
    "known": "You transcribed this on {date}, as “{name}”.",
    "known_waiting": "You uploaded this on {date}, as “{name}”. It is being transcribed.",
    "open_it": "Open it",
    "hear_again": "Transcribe again",
    "skip_known": "Remove the {n} that are already uploaded",
    "all_files": "All files",
    "left_out": "{n} files in the folder are neither audio nor video and were skipped.",
    "left_out_one": "1 file in the folder is neither audio nor video and was skipped.",
    "header_missing": "This file does not say which format it has. Whoever recorded it can tell you; choose it here.",
    "input_format": "Format",
    "sample_rate": "Sample rate (Hz)",
    "input_channels": "Channels",
    "describe": "Transcribe",
}

LINK_TO_RECORDING: dict[str, str] = {
    "lead": "Anyone with a link can listen, read and download without an account until it expires.",
    "fresh": "Here is the link. Copy it now: it cannot be shown again.",
    "until": "Shared until {until}",
    "over": "This link is no longer valid",
    "over_help": "It has expired or was revoked. Ask the sender for a new one.",
    "unknown": "This link does not exist",
    "unknown_help": "Check that you copied all of it, or ask the sender.",
    "locked": "This recording is protected by a password",
    "locked_help": "The person who sent you the link can give it to you.",
    "password": "Password",
    "open": "Open",
    "wrong": "Wrong password. Check it, then try again.",
}


SEARCH: dict[str, str] = {
    "label": "Search in all transcripts",
    "placeholder": "Spoken words",
    "submit": "Search",
    "everybody": "Everyone’s recordings",
    "pages": "Pages of results",
    "before": "Back",
    "after": "More",
    "recent": "Recent searches",
    "examples": "Search syntax",
    "nothing": "No results. Try fewer words, or the start of a word with an asterisk: invest*",
    "nothing_asked": "Enter at least one word to search for.",
    "starting": "The search index is starting. Try again in a moment.",
    "behind": "Some transcripts are not searchable yet: the index is being updated.",
}

NOTHING: dict[str, str] = {
    "all": "You have reached the end of the list. Use “Back to the top”.",
    "going": "Nothing is in progress. New recordings start automatically once they are uploaded.",
    "ready": "No transcript is ready yet. Look under “In progress”.",
    "failed": "Nothing has failed. Failed recordings appear here with the reason and what to do.",
    "cancelled": "Nothing was cancelled.",
    "shared": "Nobody has shared a recording with you.",
    "deleted": "Nothing was deleted recently. Deleted recordings stay here for a while and can be restored.",
}
NOTHING_LEFT = "There are no recordings left. Those deleted recently can be restored under “Deleted”."
NOTHING_FITS = "No recording matches these filters. Clear them to see all."

LIST: dict[str, object] = {
    "name": "Find by name",
    "sort": "Order",
    "from": "From",
    "to": "Until",
    "language": "Language",
    "model": "Model",
    "tag": "Tag or folder",
    "owner": "Owner",
    "any": "Any",
    "filter": "Filter",
    "clear": "Clear filters",
    "pages": "Pages of the list",
    "top": "Back to the top",
    "next": "More",
    "sorts": {
        "newest": "Newest first",
        "oldest": "Oldest first",
        "name": "By name",
        "longest": "Longest first",
        "shortest": "Shortest first",
        "state": "By state",
    },
    "all": "Select all on this page",
    "chosen": "{n} selected",
    "several": "{n} recordings",
    "format": "Format",
    "usual_formats": "Default formats",
    "formats": {fmt.value: fmt.value.upper() for fmt in SINGLE_FORMATS},
    "keep": "Keep",
    "tags_field": "Tags, with commas between them",
    "tags_add": "Add",
    "tags_remove": "Remove",
}


def waiting(seconds: int) -> str:
    """Return a time to wait, rounded up."""
    if seconds > 7200:
        return _("{hours} hours", hours=-(-seconds // 3600))
    if seconds > 120:
        return _("{minutes} minutes", minutes=-(-seconds // 60))
    return ngettext("1 second", "{n} seconds", seconds)
