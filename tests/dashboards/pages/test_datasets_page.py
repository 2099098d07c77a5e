"""The page about datasets: an export, queries, and saved queries."""

import pyarrow
import pytest

from dashboards.presenters import csv_text
from dashboards.runtime import context
from dashboards.services.datasets import dataset_queries
from storage.datasets.saved_queries import MAX_NAME_CHARS
from storage.domain.errors import BadRequest, NotAllowed, NotFound
from storage.domain.records import JobState, Role, User
from storage.ledger import audit
from tests.dashboards.desk import Desk, button, words


@pytest.fixture
def root(desk: Desk) -> User:
    return desk.user("root", Role.ADMIN)


def recorded(action: str) -> list[dict[str, object]]:
    with context.ledger().read() as con:
        return [row.detail for row in audit.page(con, action=action)]


def test_an_administrator_exports_and_asks(desk: Desk, root: User) -> None:
    desk.job(desk.user("ada"), JobState.FAILED)
    at = desk.page("datasets", root)
    assert "Nothing has been exported yet" in words(at)
    at = button(at, "Export now").click().run()
    assert not at.exception
    assert len(recorded("datasets.export")) == 1

    at.selectbox(key="dataset-start").set_value("failures").run()
    at = button(at, "Run").click().run()
    assert not at.exception
    assert "1 row in" in words(at)
    assert at.selectbox(key="query-kind").value == "bar"
    assert not [box.key for box in at.selectbox if (box.key or "").startswith("chart-")]  # a place for a chart, in CSS
    (asked,) = recorded("datasets.query")
    assert (asked["rows"], asked["cut"]) == (1, False)
    assert str(asked["statement"]).startswith("SELECT error_code")

    at.text_area(key="dataset-statement").set_value("SELECT owner, api_key, attempt FROM jobs").run()
    at = button(at, "Run").click().run()
    (chart,) = at.get("vega_lite_chart")
    colors = pyarrow.ipc.open_stream(chart.proto.data.data).read_pandas()["color"].tolist()
    assert (at.dataframe[-1].value["api_key"].tolist(), colors) == ([None], ["–"])

    at.text_area(key="dataset-statement").set_value("COPY jobs TO '/tmp/jobs.csv'").run()
    at = button(at, "Run").click().run()
    assert "only SELECT may run" in words(at)
    assert "COPY" in str(recorded("datasets.query")[0]["refused"])


def test_members_may_neither_ask_nor_save(desk: Desk) -> None:
    ada = desk.user("ada")
    for refused in (
        lambda: dataset_queries.run(ada, "SELECT 1"),
        lambda: dataset_queries.save(ada, "mine", "SELECT 1"),
        lambda: dataset_queries.delete(ada, "1"),
    ):
        with pytest.raises(NotAllowed):
            refused()
    with pytest.raises(ValueError, match="is not registered"):
        desk.page("datasets", ada)


def test_queries_are_saved_and_deleted_by_their_owner(desk: Desk, root: User) -> None:
    ident = dataset_queries.save(root, " words  a day ", "SELECT 1")
    assert dataset_queries.save(root, "words a day", "SELECT 2") == ident
    with pytest.raises(NotFound):
        dataset_queries.delete(desk.user("rob", Role.ADMIN), ident)
    with pytest.raises(BadRequest):
        dataset_queries.save(root, "x" * (MAX_NAME_CHARS + 1), "SELECT 1")
    with pytest.raises(NotFound, match="export of datasets"):
        dataset_queries.run(root, "SELECT 1")
    dataset_queries.delete(root, ident)
    assert [len(recorded(action)) for action in ("query.save", "query.delete")] == [2, 1]


def test_spreadsheets_take_no_text_for_a_formula() -> None:
    found = dataset_queries.Answered(columns={"=a": ["=1+1", -1, None]}, rows=3, cut=False, took_s=0)
    assert csv_text.table(found.columns).decode("utf-8-sig").splitlines() == ["'=a", "'=1+1", "-1", '""']
