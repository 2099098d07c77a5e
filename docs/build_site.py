"""Builds the documentation site from `docs/` and the documents in the root: `make docs`."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "artifacts" / "docs"
PAGES = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""The documents outside `docs/`, and the pages that they become."""
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)")
"""The path in a Markdown link or picture to a file of this repository."""


def assemble() -> None:
    """Copy all documents into one folder, with links from page to page.

    Raises:
        ValueError: The contents of the site do not name a document.
    """
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(ROOT / "docs", SOURCE, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    pages = {ROOT / document: SOURCE / page for document, page in PAGES.items()}
    pages |= {path: SOURCE / path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    contents = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    for document, page in pages.items():
        if page.parent == SOURCE and f'"{page.name}"' not in contents:
            raise ValueError(f"zensical.toml does not name {page.name}")
        page.write_text(_as_page(document, page), encoding="utf-8")


def _as_page(document: Path, page: Path) -> str:
    """Return the document's text with the links that its page has to have."""
    return LINK.sub(lambda link: _relinked(link[0], document, page), document.read_text(encoding="utf-8"))


def _relinked(link: str, document: Path, page: Path) -> str:
    """Return the link of a document as its page has to have it.

    Raises:
        FileNotFoundError: It leads nowhere.
    """
    target = (document.parent / link).resolve(strict=True)
    inside = PAGES.get(str(target.relative_to(ROOT))) or str(target.relative_to(ROOT / "docs"))
    inside += "/README.md" if target.is_dir() else ""
    return os.path.relpath(SOURCE / inside, page.parent)


if __name__ == "__main__":
    assemble()
    subprocess.run([sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=ROOT, check=True)
