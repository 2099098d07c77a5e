"""Pages of readers avoid slow imports; administrators' tables and charts may use them."""

import os
from pathlib import Path

from tests.processes import ROOT, run_program

OPEN_ALL = """
import sys
from storage.domain.settings import Settings
from tests.dashboards.desk import sitting
with sitting(Settings()) as desk:
    ada = desk.user()
    job = desk.job(ada)
    for view, query in (("jobs", {}), ("upload", {}), ("search", {}), ("job", {"id": job.id})):
        desk.page(view, ada, **query)
        print(view, *sorted({"pandas", "pyarrow", "altair"} & set(sys.modules)))
"""


def test_the_pages_of_readers_import_no_data_frames(tmp_path: Path) -> None:
    env = os.environ | {"TRANSCRIBER_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = run_program(OPEN_ALL, env)
    assert done.stdout.splitlines() == ["jobs", "upload", "search", "job"], done.stderr
