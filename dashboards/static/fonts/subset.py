"""Cut the fonts of the first page out of Streamlit's fonts.

Run it after an upgrade of Streamlit, and where a page uses a new icon:

    uv run --no-sync --with fonttools --with brotli python -m dashboards.static.fonts.subset

README.txt says what it writes.
"""

import hashlib
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import streamlit
from fontTools import subset
from fontTools.ttLib import TTFont

HERE = Path(__file__).parent
OURS = HERE.parents[1]
STREAMLIT = Path(streamlit.__file__).parent
MEDIA = STREAMLIT / "static" / "static" / "media"
STYLE = OURS / "components" / "shared" / "app.css"
ICON_NAMES = HERE / "icons.txt"
LITERAL = re.compile(r"""["'`/]([a-z0-9][a-z0-9_]*)["'`:]""")
ALL_NAMES = "material_icon_names.py"
RANGE = re.compile(r"U\+([0-9A-F]+)(?:-([0-9A-F]+))?")
FEATURES = ["ccmp", "kern", "liga", "locl", "mark", "mkmk"]
NAME = "Transcriber Sans"
"""The licence of Source Sans reserves the name "Source" for the original."""
FAMILY_IDS = {1, 3, 4, 6, 16, 25}


def main() -> None:
    """Write both fonts and the list of icons, and name the text font in app.css."""
    for old in HERE.glob("*.woff2"):
        old.unlink()
    cut_icons(next(MEDIA.glob("MaterialSymbols-Rounded.*.woff2")))
    cut_text(next(MEDIA.glob("SourceSansVF-Upright.*.woff2")))


def cut_icons(source: Path) -> None:
    """Write the icons that are named anywhere in Streamlit's code or ours.

    The file has the name of Streamlit's.
    """
    font = TTFont(source, recalcTimestamp=False)
    known = _ligatures(font)
    names = sorted(known.keys() & set(_literals()))
    letters = {ord(letter) for name in known for letter in name} | {ord(" ")}
    # a closure over the ligatures would take in every icon, since all are made of the same letters
    body = _cut(font, letters, ["*"], glyphs=[known[name] for name in names], layout_closure=False)
    (HERE / source.name).write_bytes(body)
    ICON_NAMES.write_text("\n".join(names) + "\n", encoding="ascii")


def cut_text(source: Path) -> None:
    """Write the characters of app.css under a name with a hash, and name it there."""
    font, style = TTFont(source, recalcTimestamp=False), STYLE.read_text(encoding="utf-8")
    for record in font["name"].names:
        if record.nameID in FAMILY_IDS:
            plain = NAME.replace(" ", "") if record.nameID in {3, 6, 25} else NAME
            font["name"].setName(plain, record.nameID, record.platformID, record.platEncID, record.langID)
    said = next(line for line in style.splitlines() if "unicode-range" in line)
    characters = {
        code for first, last in RANGE.findall(said) for code in range(int(first, 16), int(last or first, 16) + 1)
    }
    body = _cut(font, characters, FEATURES)
    name = f"TranscriberSans.{hashlib.sha256(body).hexdigest()[:12]}.woff2"
    (HERE / name).write_bytes(body)
    STYLE.write_text(re.sub(r"TranscriberSans\.\w+\.woff2", name, style), encoding="utf-8")


def _literals() -> Iterator[str]:
    for folder in (STREAMLIT, OURS):
        for path in (*folder.rglob("*.py"), *folder.rglob("*.js")):
            if path.name != ALL_NAMES:
                yield from LITERAL.findall(path.read_text(encoding="utf-8", errors="replace"))


def _ligatures(font: TTFont) -> dict[str, str]:
    """Return the glyph of each icon's name."""
    letters = {glyph: chr(code) for code, glyph in font.getBestCmap().items()}
    found = {}
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            for first, ligatures in getattr(table, "ExtSubTable", table).ligatures.items():
                for one in ligatures:
                    found["".join(letters[glyph] for glyph in (first, *one.Component))] = one.LigGlyph
    return found


def _cut(
    font: TTFont, codes: set[int], features: list[str], *, glyphs: list[str] | None = None, layout_closure: bool = True
) -> bytes:
    options = subset.Options(layout_features=features, layout_closure=layout_closure, name_IDs=["*"])
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=codes, glyphs=glyphs or [])
    cutter.subset(font)
    font.flavor = "woff2"
    written = BytesIO()
    font.save(written)
    return written.getvalue()


if __name__ == "__main__":
    main()
