"""The words that readers see: here those of several pages and of the components, beside it those of the pages."""

from storage.choices import Registration
from storage.records import ExportFormat, JobState, Role

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
    "incoming": "Uploads in progress",
    "system": "System",
    "performance": "Performance",
    "audit": "Audit log",
    "site": "Access",
    "configuration": "Configuration",
    "join": "Join",
    "reset": "New password",
    "login": "Log in",
    "first_password": "New password",
}

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
    "Members upload and manage their own recordings. Read-only people see theirs and download. "
    "Administrators see everything and manage people."
)

FORMAT: dict[ExportFormat, str] = {
    ExportFormat.SRT: "Subtitles for players and editors",
    ExportFormat.VTT: "Captions for the web",
    ExportFormat.TXT: "Plain text to read or paste",
    ExportFormat.JSON: "Everything, with word times",
    ExportFormat.TSV: "Table of lines for spreadsheets",
    ExportFormat.DOCX: "Document with times and speakers",
    ExportFormat.ZIP: "All of these in one file",
}

DOWNLOADS = {
    "captions": "Caption settings",
    "max_line_count": "Lines",
    "max_line_width": "Characters a line",
    "max_chars_per_s": "Characters a second, at most",
    "max_duration_s": "Seconds on screen, at most",
    "highlight_words": "Highlight each word while it is spoken",
    "speakers": "Say who speaks",
    "reset": "As usual",
    "about": "For SRT and VTT, also inside the ZIP. Nothing is listened to again.",
    "making": "Making the {format} file…",
    "away": "The server did not answer. Try again in a moment.",
}

FINDING: dict[str, str] = {
    "speech with no text": "Speech is heard here, but no words came out",
    "text with no speech": "Words where no speech is heard; they may be invented",
    "repetition": "The same words again and again; some may be invented",
    "low confidence": "The model was unsure of these words",
    "seam": "Two parts meet here; a word may be missing or there twice",
    "another language": "This sounds like another language than the one that was chosen",
    "too fast": "More words than anyone can say in this time; some may be invented",
}

MISHAP = (
    "Something on this page went wrong, and it is not your doing. Reload the page; if it happens again, tell your "
    "administrator the number **{ident}**, under which the log has the rest."
)

DEMO_WARNING = (
    "**Heard by the demo model.** It is tiny, knows a small English vocabulary and is here to show that everything "
    "works: expect wrong words in real recordings. Install a full model with `transcriber models fetch base`, "
    "then upload the recording again."
)

ONLY_DEMO = (
    "Recordings are heard by the demo model for now. It is tiny and knows a small English vocabulary, so expect wrong "
    "words. A full model is a matter for your administrator."
)
ONLY_DEMO_ADMIN = (
    "Recordings are heard by the **demo model**. It is tiny and knows a small English vocabulary, so expect wrong "
    "words. "
    "`transcriber models fetch base` brings a full one to this machine."
)

NO_WORKER = "No worker is running, so recordings wait in line. They start by themselves when one is back."
NO_WORKER_ADMIN = (
    "**No worker is running.** Recordings wait in line until one starts: run `transcriber up`, or "
    "`transcriber worker --pool cpu` and `transcriber worker --pool gpu` on any machine."
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
    "too_many_tries": "Too many failed tries. Wait five minutes, then try again.",
    "sign_in_failed": "The login at your provider did not work. Start it again.",
    "provider_unreachable": "Your provider did not answer as it should. Try again, or log in with a password.",
    "registration_closed": "You are known there, but have no account here yet. Ask an administrator for one.",
}
REGISTRATION: dict[Registration, str] = {
    Registration.OPEN: "Everybody who can reach this page",
    Registration.INVITED: "Whom an administrator has invited",
    Registration.CLOSED: "Nobody",
}

SESSION: dict[str, str] = {
    "title": "Are you still there?",
    "idle": "You will be logged out in {time}, because nothing has been done here for a while.",
    "old": "Your login ends in {time}. Type your password to go on; nothing on this page is lost.",
    "old_elsewhere": "Your login ends in {time}. Save what you are working on, then log in again.",
    "stay": "Stay logged in",
    "renew": "Stay logged in",
    "later": "Not now",
    "password": "Password",
    "wrong": "This is not your password. Type it again.",
    "offline": "The server cannot be reached. Try again.",
    "completed": "{name} is ready.",
    "failed": "{name} has failed.",
    "open": "Open",
    "close": "Close",
}

DOCK: dict[str, str] = {
    "leave": "Log out",
    "leave_while_sending": "Files are still being sent. Log out and pause them?",
    "leave_failed": "Logging out did not work, since the server cannot be reached. Try again.",
    "sending": "Sending {n} files",
    "sending_one": "Sending 1 file",
}

LIMIT = "Up to {size} and {hours} hours a file."
LIMIT_BY_ROOM = "Up to {hours} hours a file; there is room for {free} now."
LIMIT_OF_HOURS = "You have used {used} of your {quota} hours this month."
GO_ON_WORKING = "You can go on working meanwhile."
TOO_LARGE = "This file is larger than the limit of {size}. Compress the sound, or split it."
NO_ROOM = "There is room for {free}, which is too little for this file. Delete what you need no more, or ask for room."

SHARED: dict[str, str] = {
    "missed": "The app was not ready to take what you shared. It is now: share the file once more.",
    "failed": "What you shared could not be kept, most likely for lack of room on this device. Choose the file here.",
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
    "unfinished": "Not finished earlier",
    "choose_again": "Choose the file again to go on",
    "discard": "Discard",
    "open": "Open",
    "pause": "Pause",
    "resume": "Go on",
    "cancel": "Cancel",
    "again": "Try again",
    "remove": "Remove",
    "waiting": "waiting its turn",
    "paused": "paused",
    "offline": "no network; goes on by itself",
    "waiting_server": "the server is away; goes on by itself",
    "checking": "checking the recording…",
    "uploaded": "Sent",
    "left": "{time} left",
    "empty": "This file is empty. Check that the recording was saved, then choose it again.",
    "no_answer": "The server did not answer for ten minutes. What was sent is kept; try again to go on from there.",
    "signed_out": "You have been logged out. Log in, then choose the file again: it goes on where it stopped.",
    "refused": "The server refused this file (status {status}).",
    "record": "Record",
    "record_stop": "Stop and send",
    "record_on": "Go on recording",
    "mic_recording": "Recording",
    "mic_paused": "Paused",
    "recording_name": "Recording {when}",
    "recording_kept": "Each second is kept in this browser until it has been sent.",
    "level": "Loudness",
    "mic_saving": "Saving…",
    "not_allowed": "The browser may not use the microphone. Allow it in the address bar, then press Record again.",
    "no_microphone": "No microphone was found. Connect one, then press Record again.",
    "not_kept": "This browser has no room to keep the recording in case of a crash. Stop and send it soon.",
    "kept": "In this browser, not sent yet",
    "send": "Send",
    "discard_sure": "Throw this recording away for good? It is nowhere but in this browser.",
    "looking": "looking whether it is here already",
    "known": "You have transcribed this on {date}, as “{name}”.",
    "known_waiting": "You have sent this on {date}, as “{name}”. It is being transcribed.",
    "open_it": "Open it",
    "hear_again": "Transcribe again",
    "skip_known": "Remove the {n} that are here already",
    "all_files": "All files",
    "left_out": "{n} files in the folder are neither audio nor video and were left out.",
    "left_out_one": "1 file in the folder is neither audio nor video and was left out.",
}

LINK_TO_RECORDING: dict[str, str] = {
    "lead": "Whoever has a link can listen, read along and download, without an account, until it expires.",
    "fresh": "Here is the link. Copy it now: it cannot be shown again.",
    "until": "Shared until {until}",
    "over": "This link does not work any more",
    "over_help": "It has expired or was revoked. Ask whoever sent it to you for a new one.",
    "unknown": "There is nothing under this link",
    "unknown_help": "Check that it was copied completely, or ask whoever sent it to you.",
    "locked": "This recording has a password",
    "locked_help": "Whoever sent you the link can tell it to you.",
    "password": "Password",
    "open": "Open",
    "wrong": "That is not the password. Check it, then try again.",
}

PLAYER: dict[str, object] = {
    "play": "Play (space)",
    "pause": "Pause (space)",
    "back": "Back 10 seconds (j)",
    "ahead": "Ahead 10 seconds (l)",
    "seek": "Position in the recording",
    "speed": "Speed",
    "link": "Copy a link to this moment",
    "copied": "Copied",
    "keys": "Keyboard shortcuts",
    "close": "Close",
    "captions": "Transcript",
    "follow": "Back to where it plays",
    "loading": "Loading the transcript…",
    "no_transcript": "The transcript could not be loaded. Reload the page to try again.",
    "no_speech": "No speech was found in this recording.",
    "language": "Spoken in another language",
    "along": "Not final",
    "along_far": "{percent}% heard, up to {time}. More appears here as it is heard; then it can be corrected.",
    "along_waiting": "The text appears here as soon as something is heard.",
    "no_answer": "The server did not answer. Check your connection, then try again.",
    "play_from": "Play from {time}",
    "cannot_play": "This browser cannot play the recording's format. The transcript is complete all the same.",
    "download_original": "Download the original",
    "sheets": {
        "script": "Transcript",
        "cues": "Subtitles",
        "review": "Review",
        "notes": "Notes",
        "versions": "Versions",
    },
    "tools": {
        "edit": "Edit",
        "edit_end": "Stop editing",
        "find": "Find",
        "follows": "Follow",
        "shade": "Unsure words",
        "doubt": "Next doubtful",
    },
    "tool_help": {
        "edit": "Change text and speakers (e)",
        "find": "Find and replace (/)",
        "follows": "Keep the line that plays in view (f)",
        "shade": "Mark the words that the model was unsure of (u)",
        "doubt": "Go to the next word or stretch to check (n)",
    },
    "sure": "{percent}% sure",
    "no_doubts": "Nothing here was marked as doubtful.",
    "add_speaker": "Name the speaker",
    "speaker": "Speaker's name",
    "name_one": "Rename this one",
    "name_all": "Rename all {all}",
    "name_unnamed": "Name all {all} unnamed",
    "line_at": "Text at {time}",
    "find": "Find",
    "replace": "Replace with",
    "found": "{all} found",
    "found_at": "{at} of {all}",
    "replaced": "{all} places replaced.",
    "undo": "Undo",
    "no_pattern": "not a pattern",
    "endless": "too slow a pattern",
    "find_options": {
        "letters": ["Aa", "Upper and lower case as written"],
        "whole": ["W", "Whole words"],
        "pattern": [".*", "Regular expression"],
    },
    "find_acts": {"before": "↑", "next": "↓", "one": "Replace", "all": "Replace all", "close": "Close"},
    "save": {"undo": "Undo", "redo": "Redo", "discard": "Discard", "save": "Save"},
    "unsaved": "{all} changes not saved",
    "unsaved_one": "1 change not saved",
    "nothing_unsaved": "Everything is saved",
    "saved": "Saved as version {version}. The files to download follow.",
    "not_saved": "Not saved: {why} Your changes are kept in this browser.",
    "again": "Try again",
    "ask_discard": "Discard everything that is not saved?",
    "keep_editing": "Keep editing",
    "overtaken": "Somebody has saved version {version} while you were editing. Your changes are kept.",
    "put_on_top": "Put mine on top",
    "on_top": "Somebody has saved version {version} meanwhile. Your changes are on top of it now; nothing clashed.",
    "both_changed": "Somebody has saved version {version} meanwhile and changed {all} of the places that you changed. "
    "Yours are shown; theirs stay in version {version}. Look it over, then save.",
    "see_theirs": "See theirs",
    "draft": "This browser holds changes of {at} that were never saved.",
    "take_up": "Take them up",
    "save_first": "Save or discard your changes first.",
    "review_lead": "Listen to these first. Those that you have rewritten are grey.",
    "nothing_found": "Nothing in this transcript stood out. “Next doubtful” still finds unsure words.",
    "reheard": "{all} stretches were heard twice",
    "reheard_one": "1 stretch was heard twice",
    "kept": {"first": "First hearing kept", "second": "Second hearing kept"},
    "silence": "(nothing)",
    "seams": "{all} seams between parts that were heard apart",
    "seams_one": "1 seam between parts that were heard apart",
    "seam_silence": "Cut in a silence of {seconds} s",
    "seam_overlap": "Nobody paused here: both parts overlap, and {all} words were heard in both",
    "no_notes": "No notes yet. Write down what to remember about the recording or about one moment.",
    "note": "Write a note",
    "note_at": "About this moment, {time}",
    "add_note": "Add note",
    "change": "Change",
    "remove": "Remove",
    "sure_of_it": "Really?",
    "versions_lead": "Every version is kept. Restoring one makes it a new version.",
    "one_version": "This is what was heard. Each edit that is saved adds a version; this one stays.",
    "engine": "As it was heard",
    "current": "Current",
    "changed_one": "1 segment changed",
    "changed_all": "{all} segments changed",
    "see_changes": "Changes",
    "restore": "Restore",
    "restored": "Version {version} is current again.",
    "cues_loading": "Loading the subtitles…",
    "no_cues": "The subtitles are not here yet.",
    "cues_one": "1 subtitle",
    "cues_all": "{all} subtitles",
    "warned_one": "1 to look at",
    "warned_all": "{all} to look at",
    "next_warning": "Next warning",
    "rule": "At most {lines} lines of {width} characters, {cps} characters a second, {least} to {most} seconds.",
    "cps": "chars/s",
    "cue_at": "Subtitle at {time}",
    "edge": {"start": "Start", "end": "End"},
    "nudge": {"start": "Start {by} seconds", "end": "End {by} seconds"},
    "warnings": {
        "fast": "Too fast to read",
        "wide": "Line of {width} characters",
        "lines": "{lines} lines",
        "short": "Too short",
        "long": "Too long",
    },
    "shortcuts": [
        [["space", "k"], "Play or pause"],
        [["j", "l"], "Back or ahead 10 seconds"],
        [["←", "→"], "Back or ahead 5 seconds"],
        [["↑", "↓"], "Segment before or after"],
        [["<", ">"], "Slower or faster"],
        [["n", "N"], "Next or last doubtful place"],
        [["u"], "Mark unsure words"],
        [["f"], "Follow what plays"],
        [["/"], "Find and replace"],
        [["e"], "Edit; Enter splits a segment, Backspace at its start merges it"],
        [["Ctrl S"], "Save"],
        [["Ctrl Z", "Ctrl Y"], "Undo, redo"],
        [["?"], "This list"],
    ],
}

SEARCH: dict[str, str] = {
    "label": "Search in all transcripts",
    "placeholder": "Words that were said",
    "submit": "Search",
    "everybody": "Everybody’s recordings",
    "pages": "Pages of results",
    "before": "Back",
    "after": "More",
    "recent": "Searched before",
    "examples": "What can be asked",
    "nothing": "Nothing was found. Try fewer words, or the beginning of one with a star: invest*",
    "nothing_asked": "There is no word in this to search for.",
    "starting": "The search index is being opened.",
    "behind": "Not everything has been searched yet: the index is being brought up to date.",
}

NOTHING: dict[str, str] = {
    "all": "Nothing more is here. “Back to the top” leads there.",
    "going": "Nothing is in progress. New recordings start by themselves as soon as they are uploaded.",
    "ready": "No transcript is ready yet. Look under “In progress”.",
    "failed": "Nothing has failed. If something does, it says here why and what to do.",
    "cancelled": "Nothing was cancelled.",
    "deleted": "Nothing was deleted lately. What is deleted stays here for a while and can be brought back.",
}
NOTHING_FITS = "No recording fits these filters. Clear them to see all."

LIST: dict[str, object] = {
    "name": "Find by name",
    "sort": "Order",
    "from": "From",
    "to": "Until",
    "language": "Language",
    "model": "Model",
    "owner": "Owner",
    "any": "Any",
    "filter": "Filter",
    "clear": "Clear filters",
    "pages": "Pages of the list",
    "top": "Back to the top",
    "next": "More",
    "sorts": [
        ["newest", "Newest first"],
        ["oldest", "Oldest first"],
        ["name", "By name"],
        ["longest", "Longest first"],
        ["shortest", "Shortest first"],
        ["state", "By state"],
    ],
    "all": "Select all on this page",
    "chosen": "{n} selected",
    "several": "{n} recordings",
    "download": "Download",
    "format": "Format",
    "formats": [["", "Usual formats"], *([fmt.value, fmt.value.upper()] for fmt in ExportFormat if fmt.value != "zip")],
    "cancel": "Cancel",
    "retry": "Try again",
    "delete": "Delete",
    "restore": "Bring back",
    "purge": "Delete for good",
    "keep": "Keep",
    "sure": {
        "cancel": "Stop {n}? What was heard so far is kept for another try.",
        "delete": "Delete {n}? It can be brought back from “Deleted” for a while.",
        "purge": "Delete {n} for good, with transcript and files? This cannot be undone.",
    },
}
