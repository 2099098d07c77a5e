"""What is wrong with storage and Prefect, in the words of pages and `doctor`."""

from collections.abc import Callable
from enum import StrEnum

from storage.domain.translation import gettext as _


class PlatformPart(StrEnum):
    """A part of the platform that can be away while the pages are there."""

    STORAGE = "storage"
    PREFECT = "prefect"


def storage_away() -> str:
    return _("storage cannot be reached, so recordings wait, and none can be played or downloaded, until it can")


def prefect_away() -> str:
    return _("the Prefect server, which hands out recordings, does not answer, so they wait until it does")


AWAY: dict[PlatformPart, Callable[[], str]] = {PlatformPart.STORAGE: storage_away, PlatformPart.PREFECT: prefect_away}
