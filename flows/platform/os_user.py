"""Name the operating system user, for the audit log."""

import getpass


def operator() -> str:
    """Return `cli:` and the user's name in the operating system."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container may run as a user without a name
        return "cli:unknown"
