"""What watches the platform asks for metrics that there are, in words that Prometheus and Grafana read."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from dashboards.runtime import context
from storage.domain.settings import UpkeepSettings
from tests.dashboards.site import Site
from tests.factories import heartbeat

FOLDER = Path(__file__).parents[3] / "deploy" / "monitoring"
METRIC = re.compile(r"\b(?:transcriber|process)_\w+")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / "dashboards" / "transcriber.json").read_text())["panels"]
    return found


def asked() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel.get("targets", ()))


def series(site: Site) -> set[str]:
    """Return the names of all series of a process with a worker and a canary."""
    context.settings().__dict__["upkeep"] = UpkeepSettings(canary_minutes=60, _env_file=None)
    measured = {"free_bytes": 1, "spans_per_minute": 1.0, "speech_per_s": 1.0}
    context.workers().beat(heartbeat("gpu", **measured))
    site.client.get("/api/v1/jobs/none", headers=site.key_of(site.user("ada")))
    text = site.client.get("/metrics", headers=site.operator).text
    names = set()
    for family in text_string_to_metric_families(text):
        names |= {family.name} | {sample.name for sample in family.samples}
    return names


def test_every_metric_that_is_asked_for_is_exported(site: Site) -> None:
    wanted = {name for expression in asked() for name in METRIC.findall(expression)}
    assert len(wanted) > 30
    assert wanted - series(site) == set()


def test_alerts_say_what_is_wrong_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) > 10
    for rule in rules():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(rule["annotations"]) == {"summary", "description"}


def test_panels_have_places_of_their_own_and_say_what_they_show() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]
    assert len(set(places)) == len(places)
    assert len({panel["id"] for panel in panels()}) == len(places)
    assert [panel["title"] for panel in panels() if panel["type"] != "row" and not panel.get("description")] == []


def test_prometheus_reads_the_rules() -> None:
    if (promtool := shutil.which("promtool")) is None:
        pytest.skip("promtool is not installed")
    command = [promtool, "check", "rules", str(FOLDER / "alerts.yml")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
