"""Every action that is recorded stands in the one table."""

import ast
from collections.abc import Iterator
from pathlib import Path

from storage.domain.audit_actions import AuditAction, AuditKind, described, of_kinds

ROOT = Path(__file__).parents[3]


def recorded() -> Iterator[tuple[str, str]]:
    """Yield the place and value of every text that is given as an `action` of the audit log."""
    for package in ("storage", "dashboards", "flows"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.keyword) and node.arg == "action":
                    for text in texts(node.value):
                        yield f"{path.relative_to(ROOT)}:{node.value.lineno}", text


def texts(node: ast.expr) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def test_what_is_recorded_is_in_the_table() -> None:
    found = list(recorded())
    assert len(found) > 50
    assert [(place, text) for place, text in found if text not in set(AuditAction)] == []


def test_actions_have_labels_and_unknown_ones_their_names() -> None:
    assert described("job.accept") == "job.accept: recording accepted"
    assert described("job.of_an_older_version") == "job.of_an_older_version"
    assert len({action.spec.label for action in AuditAction}) == len(AuditAction)
    assert "job.state" not in of_kinds((AuditKind.SIGN_IN, AuditKind.REFUSAL))
