"""Texts of the page about datasets and queries over them."""

from dashboards.strings.translated_module import translate_constants
from storage.domain.translation import gettext as _
from storage.domain.translation import ngettext

translate_constants(__name__)

NOTHING_EXPORTED = "Nothing has been exported yet. An export writes Parquet files, which you can query here with SQL."
EXPORT_NOW = "Export now"
EXPORTING = "Exporting what changed…"
EXPORTED = "Datasets exported."
COLUMNS = "Datasets and their columns"
DATASET = "Dataset"
ROWS = "Rows"
SIZE = "Size"
CONTENTS = "Contents"
COLUMN = "Column"
TYPE = "Type"
MEANING = "Meaning"
QUERY = "Query"
QUERY_ABOUT = (
    "One SELECT in DuckDB's SQL over jobs, segments, words, speakers, usage and audit. Each query is recorded in the "
    "audit log."
)
START_WITH = "Start with"
OWN = "Your own query"
EXAMPLE = {
    "hours": "Hours by person and month",
    "cost": "Usage and cost by person, key and model",
    "pace": "Words a minute by model",
    "failures": "Failures by reason",
    "doubtful": "Words that models were least sure of",
}
STATEMENT = "SQL"
RUN = "Run"
RUNNING = "Running the query…"
NO_ROWS = "The query found no rows."
DOWNLOAD = "Download as CSV"
TABLE = "Table"
CHART = "Chart"
CHART_KIND = "Chart type"
CHART_KINDS = {"bar": "Bars", "line": "Lines"}
ACROSS = "Horizontal axis"
UP = "Vertical axis"
NO_NUMBERS = "A chart needs a column of numbers."
SAVE = "Save this query"
NAME = "Name"
SAVED = "Saved queries"
SAVED_TOAST = "Query saved."
SAVE_BUTTON = "Save"
DELETE = "Delete"
DELETED_TOAST = "Query deleted."


def exported(when: str, url: str) -> str:
    return _("Exported {when} to {url}. Later changes are in the next export.", when=when, url=url)


def found(rows: int, seconds: float) -> str:
    return ngettext("1 row in {s:.1f} s", "{n:,} rows in {s:.1f} s", rows, s=seconds)


def cut(rows: int) -> str:
    return _("These are the first {n:,} rows; there are more. Aggregate them, or add LIMIT.", n=rows)


def by(owner: str) -> str:
    return _("by {owner}", owner=owner)
