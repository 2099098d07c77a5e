"""Downloads of recordings, looked after in the background."""

import logging

from dashboards.services import url_download
from storage.domain.errors import TranscriberError

logger = logging.getLogger(__name__)


async def continue_downloads() -> None:
    """Continue downloads that are due, also those that an earlier process began."""
    try:
        await url_download.resume()
    except TranscriberError as error:
        logger.warning("downloads could not be looked after, and are later: %s", error)
