"""Pages of readers avoid slow imports; administrators' tables and charts may use them."""

import os
import subprocess
import sys
from pathlib import Path

from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[3]
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
    done = subprocess.run(
        [sys.executable, "-c", OPEN_ALL],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout.splitlines() == ["jobs", "upload", "search", "job"], done.stderr
