"""What is done to audio and text: plain functions that a notebook could call."""

import os

# Threads of the engine that wait by spinning starve each other on a busy machine: the same span took 47 s instead of
# 10 s on four cores with a load of 12. Read by OpenMP when the engine's library is loaded, so it has to be set before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
