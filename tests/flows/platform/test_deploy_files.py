"""The files of `deploy/` name settings, modules and paths that there are."""

import json
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from pydantic_settings import BaseSettings

from flows.platform.prefect_server import ui_place
from storage.domain import settings

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
HELM = DEPLOY / "helm"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OF_THE_FILES = {"TRANSCRIBER_VERSION", "TRANSCRIBER_UPSTREAM"}
"""Variables of Compose and of the Caddyfile alone."""


def test_every_setting_that_is_named_is_one() -> None:
    classes = [kind for kind in vars(settings).values() if isinstance(kind, type) and issubclass(kind, BaseSettings)]
    known = {f"TRANSCRIBER_{name.upper()}" for kind in classes for name in kind.model_fields}
    for path in (path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".json"):
        named = set(re.findall(r"TRANSCRIBER_[A-Z_]+", path.read_text()))
        assert named - known - OF_THE_FILES == set(), path


def test_services_cannot_write_their_root_and_have_a_limit() -> None:
    assert {"web", "prefect", "worker-cpu", "worker-transcribe", "worker-gpu"} <= set(COMPOSE["services"])
    for name, service in COMPOSE["services"].items():
        assert service["deploy"]["resources"]["limits"]["memory"], name
        if "whisper-transcriber" in service["image"]:
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("./") and "secrets" not in source:
                assert (DEPLOY / source).exists(), volume


def test_commands_of_units_and_images_are_there() -> None:
    units = list((DEPLOY / "systemd").glob("*.service"))
    assert len(units) == 4
    told = "\n".join(path.read_text() for path in (*units, DEPLOY / "Dockerfile", DEPLOY / "compose.yaml"))
    for module in set(re.findall(r"-m[\" ,]+(flows[\w.]+)", told)):
        assert find_spec(module), module


def test_the_charts_values_fit_their_schema_and_each_is_described() -> None:
    """`make chart` renders it; the three values that have no default are all that is missing."""
    schema = json.loads((HELM / "values.schema.json").read_text())
    values = yaml.safe_load((HELM / "values.yaml").read_text())
    wrong = {error.json_path for error in Draft7Validator(schema).iter_errors(values)}
    assert wrong == {"$.secretName", "$.publicUrl", "$.storage.url"}
    assert list(undescribed(schema, "values")) == []


def undescribed(schema: dict[str, Any], name: str) -> Iterator[str]:
    if not schema.get("description"):
        yield name
    for key, below in schema.get("properties", {}).items():
        yield from undescribed(below, f"{name}.{key}")


def test_the_chart_scales_on_metrics_that_there_are() -> None:
    asked = re.findall(r"valueLocation: (\w+)", (HELM / "templates" / "scaling.yaml").read_text())
    gauges = (ROOT / "dashboards" / "runtime" / "gauges" / "platform_gauges.py").read_text()
    assert set(asked) == {"transcriber_queue_oldest_seconds", "transcriber_jobs"}
    assert all(f'"{name}"' in gauges for name in asked)


def test_prefects_pages_go_to_the_data_dir_where_its_package_is_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prefect" / "server").mkdir(parents=True)
    set_to = []
    for writable in (True, False):
        monkeypatch.setattr("os.access", lambda *_, writable=writable: writable)
        set_to.append(ui_place(tmp_path / "home", tmp_path))
    assert set_to == [{}, {"PREFECT_SERVER_UI_STATIC_DIRECTORY": str(tmp_path / "home" / "ui")}]
