"""Serves the components' JavaScript modules under the hash of all of them.

A module imports others by relative paths, so the modules below one hash are one build and never mix with another. The
bytes are read once, when the process starts, so they match the hash even if an upgrade replaces the files.
"""

import hashlib
import json
import re
from pathlib import Path, PurePosixPath
from posixpath import normpath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from storage.domain.errors import NotFound

HERE = Path(__file__).parent
PREFIX = "/assets/components"
IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
IMPORT = re.compile(r'^(?:import|export)\b[^"=]*?"(\.[^"]+)";', re.MULTILINE)
LOADER = """\
const manifest = document.querySelector("link[rel=manifest]"); // it lies at the root of the app
const base = new URL(".{prefix}/{build}/", manifest?.href ?? location.origin).href;
for (const path of {paths}) {{
  document.head.append(Object.assign(document.createElement("link"), {{ rel: "modulepreload", href: base + path }}));
}}
export default (mounted) =>
  import(`${{base}}shared/mount.js`).then(({{ mount }}) =>
    mount("{build}", "{entry}", {{ ...mounted, data: mounted.data?.[0] }}));
"""


def _read() -> dict[str, bytes]:
    return {path.relative_to(HERE).as_posix(): path.read_bytes() for path in sorted(HERE.rglob("*.js"))}


def _hash(modules: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for path, source in modules.items():
        digest.update(f"{path}\0{len(source)}\0".encode() + source)
    return digest.hexdigest()[:16]


MODULES = _read()
BUILD = _hash(MODULES)


def url_of(path: str) -> str:
    """Return the URL of a module of this build."""
    return f"{PREFIX}/{BUILD}/{path}"


def needed_by(entry: str) -> list[str]:
    """Return the module and all its imports, to be fetched together."""
    found = [entry]
    for path in found:
        folder = PurePosixPath(path).parent
        imported = IMPORT.findall(MODULES[path].decode())
        found += [one for one in dict.fromkeys(normpath(folder / name) for name in imported) if one not in found]
    return found


def loader_of(component: str) -> str:
    """Return the inline script that loads a component's modules and calls them.

    Its data comes in a list and is unpacked here; see `dashboards.components`.
    """
    entry = f"{component}/{component}.js"
    paths = json.dumps(["shared/mount.js", "shared/page_guard.js", *needed_by(entry)])
    return LOADER.format(prefix=PREFIX, build=BUILD, entry=entry, paths=paths)


async def module(request: Request) -> Response:
    """Return a module of this build, which browsers may cache forever.

    Raises:
        NotFound: it belongs to another build, or does not exist.
    """
    build, path = request.path_params["build"], request.path_params["path"]
    if build != BUILD or path not in MODULES:
        raise NotFound("module", path)
    return Response(MODULES[path], media_type="text/javascript", headers=IMMUTABLE)


ROUTES = [Route(f"{PREFIX}/{{build}}/{{path:path}}", module)]
