"""Draw the app's icons from its mark with Chromium.

Run `python -m dashboards.static.shell.icons.draw` after a change. A maskable icon fills its square, since phones cut
their own shapes out of it; the mark stays in the safe area.
"""

import shutil
from pathlib import Path

HERE = Path(__file__).parent
MARK = HERE.parents[2] / "components" / "shared" / "mark.svg"
BACKGROUND = "#0f6b5c"
PICTURES = {
    "icon-192.png": (192, False),
    "icon-512.png": (512, False),
    "maskable-192.png": (192, True),
    "maskable-512.png": (512, True),
    "apple-touch-icon.png": (180, True),
}


def main() -> None:
    """Write every icon next to this file."""
    from playwright.sync_api import sync_playwright

    svg = MARK.read_text(encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (size_px, fills) in PICTURES.items():
            page = browser.new_page(viewport={"width": size_px, "height": size_px})
            ground = BACKGROUND if fills else "transparent"
            share = "80%" if fills else "100%"
            page.set_content(
                f"<body style='margin:0;background:{ground};display:grid;place-items:center;height:100vh'>"
                f"<div style='width:{share};height:{share};line-height:0'>{svg}</div>"
            )
            page.screenshot(path=str(HERE / name), omit_background=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
