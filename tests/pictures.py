"""Renews the pictures in the documents: `make pictures`."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "pictures"
BROWSER = "tests/dashboards/browser/"
JOB, LISTS, CUES = (f"{BROWSER}test_browser_{name}.py::" for name in ("job", "lists", "cues"))
PICTURES = {
    "job-edited": f"{JOB}test_an_edit_is_saved_survives_a_reload_and_can_be_taken_back",
    "job-phone-script": f"{JOB}test_everything_fits_on_a_phone",
    "recordings": f"{LISTS}test_filters_are_in_the_address_and_the_way_back_works",
    "recordings-tags": f"{LISTS}test_several_recordings_get_tags_by_the_keyboard_and_are_found_by_them",
    "cues-desk-light": f"{CUES}test_cues_and_corrected_text_fit_and_pass_axe",
}
"""The names of pictures, and the test that takes each."""
COLOURS, MOST_BYTES = 128, 150_000


def take(folder: Path) -> None:
    """Run the tests that take the pictures into a folder."""
    tests = sorted(set(PICTURES.values()))
    environment = {**os.environ, "TRANSCRIBER_SCREENS": str(folder)}
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-n0", *tests], cwd=ROOT, env=environment, check=True)


def reduce(source: Path, to: Path) -> None:
    """Write a picture with a palette, which is enough for pages.

    Raises:
        ValueError: It is still too large for a repository.
    """
    with Image.open(source) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(to, optimize=True)
    if to.stat().st_size > MOST_BYTES:
        raise ValueError(f"{to.name} has {to.stat().st_size} bytes, more than {MOST_BYTES}")


def main() -> None:
    """Take all pictures, and replace those in the documents."""
    with tempfile.TemporaryDirectory() as folder:
        take(Path(folder))
        for name in PICTURES:
            reduce(Path(folder, f"{name}.png"), FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
