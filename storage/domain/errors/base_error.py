"""The base of all errors with a message for the user."""

from typing import ClassVar


class TranscriberError(Exception):
    """Base of all errors with a message for the user."""

    transient: ClassVar[bool] = False
    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
