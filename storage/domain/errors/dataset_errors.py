"""Errors of datasets and of queries over them."""

from storage.domain.errors.base_error import TranscriberError
from storage.domain.errors.storage_errors import StorageUnreachable
from storage.domain.translation import gettext as _


class DatasetsRunning(TranscriberError):
    """Another export of datasets is running."""

    status, code, transient = 409, "datasets_running", True

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return _("an export of datasets is running; wait until it has ended")


class DatasetsFailed(TranscriberError):
    """An export of datasets that a flow began did not come to its end."""

    code = "datasets_failed"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return _("the datasets were not exported ({reason}); mend that, and run the export again", reason=self.reason)


class DatasetsOfAnother(TranscriberError):
    """The place of an export has the datasets of another ledger."""

    status, code = 409, "datasets_of_another"

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return _(
            "{url} has the datasets of another ledger; export to another place, or replace them with --full",
            url=self.url,
        )


class DatasetsUnreachable(StorageUnreachable):
    """The place of datasets did not answer, or takes no files."""

    code = "datasets_unreachable"

    def __str__(self) -> str:
        return _(
            "the datasets could not be written to {url} ({reason}); check that the place is there and takes files, "
            "then export again",
            url=self.name,
            reason=self.reason,
        )


class NoDatasetPlace(TranscriberError):
    """A place of an export has files of something else.

    An export would replace them, or mingle with them.
    """

    status, code = 409, "no_dataset_place"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def __str__(self) -> str:
        return _("{url} is no place for datasets: {reason}; name an empty folder", url=self.url, reason=_(self.reason))


class QueryRefused(TranscriberError):
    """A query is none that may run, or DuckDB refused it."""

    status, code = 400, "query_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return _("the query was refused ({reason}); correct it, and run it again", reason=self.reason)


class QueryStopped(TranscriberError):
    """A query was stopped at one of its limits."""

    status, code = 422, "query_stopped"

    def __init__(self, limit: str) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return _(
            "the query was stopped, since it {limit}; select fewer months or rows, or aggregate them", limit=self.limit
        )


class QueriesBusy(TranscriberError):
    """As many queries as may run are running."""

    status, code, transient = 503, "queries_busy", True

    def __init__(self, running: int) -> None:
        super().__init__(running)
        self.running = running

    def __str__(self) -> str:
        return _("{running} queries are running, which is as many as may; try again in a moment", running=self.running)
