"""Exports of datasets over HTTP, by the flow and by the command line's token."""

import asyncio
from pathlib import Path

import pytest

from dashboards.runtime import context
from flows.flows.export_datasets import export
from storage.domain.errors import DatasetsFailed
from storage.ledger import audit
from storage.remote.web_client import WebClient
from tests.dashboards.site import Site

FLOWS, OPERATORS = "/internal/v1/datasets/exports", "/internal/v1/admin/datasets"


class AnsweredHere(WebClient):
    """A client whose calls the app in this process answers."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def call(self, method: str, path: str, body: object = None, *, patience_s: float | None = None) -> bytes:  # noqa: ARG002
        answer = self.site.client.request(method, path, json=body, headers=self.site.worker)
        assert answer.is_success, answer.text
        return answer.content


def test_the_flow_exports_and_follows(site: Site) -> None:
    told = asyncio.run(export(AnsweredHere(site), full=False, look_every_s=0.05))
    assert [one["partition"].split("/")[0] for one in told["written"]] == ["audit"]
    assert context.files().exists("datasets/manifest.json")
    with context.ledger().read() as con:
        assert [row.actor for row in audit.page(con, action="datasets.export")] == ["worker:http"]

    context.files().write("datasets/manifest.json", context.files().read("datasets/manifest.json").replace(
        b'"origin":"', b'"origin":"another'))  # fmt: skip
    with pytest.raises(DatasetsFailed, match="another ledger"):
        asyncio.run(export(AnsweredHere(site), full=False, look_every_s=0.05))


def test_only_the_operator_chooses_the_place(site: Site, tmp_path: Path) -> None:
    order = {"to": str(tmp_path / "lake"), "actor": "cli:ada"}
    assert site.client.post(FLOWS, json=order, headers=site.worker).status_code == 400
    assert site.client.post(OPERATORS, json=order, headers=site.worker).status_code in {401, 403}
    assert site.client.post(FLOWS, json={}, headers=site.key_of(site.user("root"))).status_code in {401, 403}
    assert site.client.post(OPERATORS, json=order, headers=site.operator).status_code == 202
    while (told := site.client.get(OPERATORS, headers=site.operator).json())["running"]:
        pass
    assert (told["error"], told["url"]) == (None, str(tmp_path / "lake"))
    assert (tmp_path / "lake" / "manifest.json").exists()
    assert site.client.post(OPERATORS, json={"to": "nosuch://x"}, headers=site.operator).status_code == 400
