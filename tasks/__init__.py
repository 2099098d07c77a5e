"""Audio and text processing, as plain functions that a notebook could call."""

import os

# OpenMP threads that spin while they wait starve each other on a busy machine: the same span took 47 s instead of 10 s
# on four cores under a load of 12. OpenMP reads this when the engine's library loads, so it is set here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# onnxruntime 1.32 for Linux reports its use to mobile.events.data.microsoft.com unless this is set when it is imported,
# and keeps a device id and what is not sent yet in ~/.cache/Microsoft.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
