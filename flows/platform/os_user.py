"""Who gives orders on this command line, as the audit log names them."""

import getpass


def operator() -> str:
    """Return `cli:` and the name that the operating system knows."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container may run as a user without a name
        return "cli:unknown"
