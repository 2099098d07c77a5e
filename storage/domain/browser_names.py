"""Names of browsers and systems by user agent, for pages and mails."""

BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)
UNKNOWN_BROWSER = "Browser"


def browser_of(client: str) -> str:
    """Return browser and system in words, from address and user agent."""
    browser = next((name for mark, name in BROWSERS if mark in client), UNKNOWN_BROWSER)
    system = next((name for mark, name in SYSTEMS if mark in client), "")
    return f"{browser} on {system}" if system else browser


def address_of(client: str) -> str:
    """Return the address of a client, which stands before its user agent."""
    return client.split(" ", 1)[0]
