"""Texts about webhooks."""

from dashboards.strings.translated_module import translate_constants
from storage.accounts.webhook_deliveries import DeliveryState
from storage.accounts.webhooks import DisabledBecause, WebhookEvent
from storage.domain.translation import gettext as _
from storage.domain.translation import ngettext

translate_constants(__name__)

WEBHOOKS = "Webhooks"
LEAD = "A webhook gets a signed message at an address of yours when a job ends or a transcript changes."
NEW_SECRET = "Here is the webhook's secret, which verifies its messages. Copy it now: it cannot be shown again."
SECRET_NOTED = "I have copied the secret"
URL = "Address of the webhook"
URL_EXAMPLE = "https://hooks.example.org/transcripts"
EVENTS = "Events"
EVENT_LABELS = {
    WebhookEvent.JOB_COMPLETED: "Completed",
    WebhookEvent.JOB_FAILED: "Failed",
    WebhookEvent.JOB_CANCELLED: "Cancelled",
    WebhookEvent.TRANSCRIPT_CHANGED: "Transcript changed",
}
EVERYBODY = "Events of all users' jobs"
MAKE = "Create a webhook"
DISABLED = "Disabled"
FAILING = "Failing"
BECAUSE = {
    DisabledBecause.GONE: "It was disabled because its server said that it is gone for good.",
    DisabledBecause.FAILING: "It was disabled because nothing could be delivered for a day.",
    DisabledBecause.SECRET_LOST: "It was disabled because its secret is lost. Rotate it, then enable the webhook.",
}
ENABLE = "Enable"
DISABLE = "Disable"
TEST = "Send a test"
TEST_SENT = "A test is on its way; see the deliveries."
ROTATE = "Rotate the secret"
ROTATE_HELP = "For one more day, messages are signed with both secrets."
ROTATE_SURE = "Create the next secret"
DELETE = "Delete"
DELETE_HELP = "Its pending messages are deleted, too."
DELETE_SURE = "Delete the webhook"
DELIVERIES = "Recent deliveries"
ALL_WEBHOOKS = "Webhooks"
NO_WEBHOOKS = "There are no webhooks."
NEWEST = "Newest"
OLDER = "Older"
NO_DELIVERIES = "Nothing has been sent yet."
REFRESH = "Refresh"
REPLAY = "Send again"
STATES = {
    DeliveryState.WAITING: "waiting",
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.FAILED: "failed",
}


def attempt(status: int | None, error: str | None, duration_ms: int) -> str:
    return _(
        "{what} after {seconds:.1f} s", what=error or _("status {status}", status=status), seconds=duration_ms / 1000
    )


def attempts(count: int) -> str:
    return ngettext("one attempt", "{n} attempts", count)
