"""The components' modules as browsers get them: one build below one hash, kept for good, and no other."""

import re
from pathlib import PurePosixPath

import pytest

from dashboards.components import modules
from dashboards.components.modules import BUILD, MODULES, PREFIX, loader_of, needed_by, url_of
from tests.dashboards.site import Site

COMPONENTS = sorted({path.parent.name for path in modules.HERE.glob("*/*.html")} | {"live"})
ROOTED = re.compile(
    r"""(?:fetch|location\.(?:assign|replace)|WebSocket|link_button)\((?:[^()"'`]*, )?["'`]/"""
    r"""|(?:href|src|action|endpoint)\s*[=:]\s*["'`]/"""
)
"""A path at the root of the host, where a browser goes."""
SPECIFIERS = re.compile(r'^(?:import|export)\b[^"=]*?"([^"]+)";', re.MULTILINE)


def test_every_module_is_there_for_everybody_and_may_be_kept_for_good(site: Site) -> None:
    for path, source in MODULES.items():
        answer = site.client.get(url_of(path))
        assert (answer.status_code, answer.content) == (200, source)
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path", ["player/player.html", "contracts.py", "contracts.d.ts", "../modules.py", "nothing.js"]
)
def test_nothing_else_of_the_folder_is_served(site: Site, path: str) -> None:
    assert site.client.get(url_of(path)).status_code == 404


def test_another_build_has_nothing_here(site: Site) -> None:
    """A page of before an upgrade gets an error, never half of what it was made for."""
    answer = site.client.get(f"{PREFIX}/{'0' * len(BUILD)}/player/player.js")
    assert answer.status_code == 404
    assert "immutable" not in answer.headers.get("cache-control", "")


def test_any_change_of_any_module_is_another_build() -> None:
    builds = [
        modules._hash(MODULES),
        modules._hash(MODULES | {"player/cues.js": MODULES["player/cues.js"] + b" "}),
        modules._hash({"a.js": b"bc", "d.js": b""}),
        modules._hash({"a.js": b"", "d.js": b"bc"}),
        modules._hash({"a.jsb": b"c", "d.js": b""}),
    ]
    assert len(set(builds)) == len(builds)


def test_modules_import_by_relative_paths_alone_and_only_what_is_there() -> None:
    for path, source in MODULES.items():
        if path.endswith(".min.js"):
            continue
        names = SPECIFIERS.findall(source.decode())
        assert [name for name in names if not name.startswith(("./", "../"))] == []
        assert len(needed_by(path)) > len(set(names)), path


def test_rooms_do_not_import_each_other_in_circles() -> None:
    edges = {
        (PurePosixPath(path).parts[0], PurePosixPath(needed).parts[0])
        for path in MODULES
        for needed in needed_by(path)
        if PurePosixPath(path).parts[0] != PurePosixPath(needed).parts[0]
    }
    assert {target for _, target in edges} <= {"shared", "vendor"}


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_asks_for_all_that_it_needs_at_once(component: str) -> None:
    loader = loader_of(component)
    assert f'"{component}/{component}.js"' in loader
    for path in needed_by(f"{component}/{component}.js"):
        assert f'"{path}"' in loader
    assert len(loader) < 3000


def test_browsers_are_sent_to_no_path_at_the_root_of_the_host() -> None:
    """Below a path of its host, the app has nothing there: `sitePath` and `site_path` say where it is."""
    ours = [path for kind in ("js", "html", "py") for path in modules.HERE.parent.rglob(f"*.{kind}")]
    places = [
        f"{path.name}: {found[0]}"
        for path in ours
        if not {"vendor", "swagger-ui"} & set(path.parts)
        for found in ROOTED.finditer(path.read_text(encoding="utf-8"))
    ]
    assert len(ours) > 150
    assert places == []
