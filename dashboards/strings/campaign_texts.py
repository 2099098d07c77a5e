"""Texts of the pages about campaigns."""

from dashboards.strings.translated_module import translate_constants
from storage.campaigns.campaign_rows import CampaignState, TrialState
from storage.domain.translation import gettext as _
from storage.domain.translation import ngettext

translate_constants(__name__)

ABOUT = (
    "A campaign transcribes recordings again with another model or other settings, when no one else needs the "
    "devices. The new transcripts are proposals: you compare them, and accept them or keep the old ones."
)
NONE_YET = "There is no campaign yet. Plan one below; nothing is transcribed before you start it."
CAMPAIGNS = "Campaigns"
STATE: dict[CampaignState, str] = {
    CampaignState.DRAFT: "Planned",
    CampaignState.RUNNING: "Running",
    CampaignState.PAUSED: "Paused",
    CampaignState.COMPLETED: "Finished",
    CampaignState.CANCELLED: "Cancelled",
}
TRIAL: dict[TrialState, str] = {
    TrialState.WAITING: "Waiting",
    TrialState.TRANSCRIBING: "Transcribing",
    TrialState.PROPOSED: "To decide",
    TrialState.ACCEPTED: "Accepted",
    TrialState.KEPT: "Old one kept",
    TrialState.ROLLED_BACK: "Rolled back",
    TrialState.FAILED: "Failed",
    TrialState.SKIPPED: "Left out",
    TrialState.CANCELLED: "Cancelled",
}
OPEN = "Open"
BACK = "All campaigns"
NOT_THERE = "There is no such campaign."

# Planning
PLAN = "Plan a campaign"
NAME = "Name"
MODEL = "New model"
MODEL_HELP = "One that a worker has, or type the name of another, such as large-v3: workers download it."
BEAM = "Beam size"
AS_BEFORE = "As before"
WHICH = "Which recordings"
WHICH_ABOUT = "Completed ones whose source is still stored. What you leave open matches all."
PERSON = "Person"
ANYBODY = "Anybody"
ANY = "Any"
OLD_MODEL = "Transcribed with"
LANGUAGE = "Language"
TAG = "Tag"
TEXT = "Part of the name"
SINCE = "Uploaded from"
UNTIL = "Uploaded until"
BATCH = "Batch"
BATCH_HELP = "The id of a batch, as the API returned it."
CONFIDENCE = "Confidence below (%)"
CONFIDENCE_HELP = "The mean probability that the model gave its segments. 0 includes all."
BUDGET = "Budget"
BUDGET_ABOUT = "Recordings in progress when the budget or the hours end are finished."
DEVICE_HOURS = "Device-hours"
DEVICE_HOURS_HELP = "0 means no limit."
ALL_DAY = "All day"
FROM_HOUR = "From hour"
UNTIL_HOUR = "Until hour"
ESTIMATE = "Estimate"
PLAN_BUTTON = "Plan"
PLANNED = "Campaign planned."

# One campaign
START = "Start the campaign"
RESUME = "Resume"
PAUSE = "Pause"
CANCEL = "Cancel the campaign"
CANCEL_ABOUT = "Unfinished recordings are cancelled. Proposals stay, and you can still decide on them."
STARTED = "The campaign is running."
PAUSED = "The campaign is paused."
CANCELLED = "The campaign is cancelled."
TRANSCRIBED = "Transcribed"
TO_DECIDE = "To decide"
USED = "Device time used"
LEFT = "Device time left"
LEFT_HELP = "Estimated from measured speed."
UNKNOWN = "unknown"
OUT_OF_BUDGET = "What is left of the budget is not enough for the next recording. Raise it to continue."
SAVE_BUDGET = "Save"
BUDGET_SAVED = "Budget changed."
RULES = "Decide by a rule"
RULES_ABOUT = "Corrections by people are never replaced: a rule that accepts leaves those transcripts out."
CHANGE_FROM = "Changed by at least (%)"
CHANGE_BELOW = "Changed by less than (%)"
CHANGE_HELP = "Share of the old words that differ."
CONFIDENCE_ROSE = "Only where the confidence rose"
ACCEPT_ALL = "Accept these"
KEEP_ALL = "Keep the old ones of these"
ROLL_BACK_ALL = "Roll everything back"
ROLL_BACK_ABOUT = "All accepted transcripts become the old ones again, except those that somebody changed since."
RECORDINGS = "Recordings"
RECORDINGS_ABOUT = "Those that changed most come first."
SHOW = "Show"
EVERYTHING = "All"
NOTHING_HERE = "This list is empty."
DELETED = "A deleted recording"
ACCEPT = "Accept"
KEEP = "Keep the old one"
ROLL_BACK = "Roll back"
ACCEPTED_TOAST = "Accepted."
KEPT_TOAST = "The old transcript is kept."
ROLLED_BACK_TOAST = "Rolled back."
DIFFERENCES = "Differences"
NO_DIFFERENCES = "Every word is the same."
CORRECTED = "Corrected by a person; the campaign never replaces it."
AT = "At"
BEFORE = "Old"
AFTER = "New"
NEXT = "Next page"
FIRST = "First page"

# Word error rates
RATES = "Word error rates"
RATES_ABOUT = (
    "Measured against transcripts that people corrected. Corrections start from the old model's text, so its mistakes "
    "that nobody noticed count in its favour."
)
NO_RATES = "No campaign has transcribed a corrected recording yet."
RATE_MODEL = "Model"
RATE_SETTINGS = "Changed settings"
RATE = "Word error rate"
RATE_WORDS = "Words"


def counted(recordings: int, audio: str) -> str:
    return ngettext("1 recording, {audio} of audio", "{n:,} recordings, {audio} of audio", recordings, audio=audio)


def estimated(device: str, devices: int, through: str) -> str:
    return ngettext(
        "About {device} of device time, {through} with the device that is available now.",
        "About {device} of device time, {through} with the {n} devices that are available now.",
        devices,
        device=device,
        through=through,
    )


def estimated_alone(device: str) -> str:
    return _("About {device} of device time. No worker that transcribes is running now.", device=device)


def not_measured() -> str:
    return _("There is no estimate, because this model has not run here yet. The first recordings will show its speed.")


def progress(done: int, total: int, deciding: int) -> str:
    return ngettext(
        "{done} of {total} transcribed, 1 to decide", "{done} of {total} transcribed, {n} to decide", deciding,
        done=done, total=total,
    )  # fmt: skip


def changed(percent: float, words: int) -> str:
    return ngettext("{percent:.1f} % changed (1 word)", "{percent:.1f} % changed ({n:,} words)", words, percent=percent)


def confidence(before: float, after: float) -> str:
    return _("confidence {before:.0f} → {after:.0f} %", before=before, after=after)


def models(before: str, after: str) -> str:
    return _("{before} → {after}", before=before, after=after)


def by_rule(count: int) -> str:
    return ngettext("1 recording decided on.", "{n:,} recordings decided on.", count)


def fits(count: int, acceptable: int) -> str:
    told = ngettext("1 recording fits this rule.", "{n:,} recordings fit this rule.", count)
    if count == acceptable:
        return told
    corrected = ngettext(
        "1 of them was corrected by a person, and would not be accepted.",
        "{n:,} of them were corrected by a person, and would not be accepted.",
        count - acceptable,
    )
    return f"{told} {corrected}"


def being_decided(count: int) -> str:
    return ngettext(
        "The decision on 1 recording is being carried out.",
        "Decisions on {n:,} recordings are being carried out.",
        count,
    )


def failed(count: int) -> str:
    return ngettext("1 recording failed; the list says why.", "{n:,} recordings failed; the list says why.", count)


def hours(start: int, end: int, zone: str) -> str:
    return _("from {start}:00 to {end}:00 ({zone})", start=start, end=end, zone=zone)


def hidden(count: int) -> str:
    return ngettext("There is 1 more difference.", "There are {n:,} more differences.", count)
