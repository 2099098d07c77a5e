"""Do what the argument says, as a child in the sandbox."""

import os
import signal
import sys
from pathlib import Path

from storage.media import sandbox


def main() -> None:
    sandbox.confine(1)
    match sys.argv[1]:
        case "arguments":
            sys.stdout.write(" ".join(sys.argv[2:]))
        case "environment":
            sys.stdout.write(" ".join(sorted(os.environ)))
        case "descriptors":
            sys.stdout.write(" ".join(sorted(one.name for one in Path("/proc/self/fd").iterdir())))
        case "raise":
            raise ValueError("odd")
        case "spin":
            while True:
                pass
        case "write":
            sys.stdout.write("begun\n")
            sys.stdout.flush()
            signal.pause()
        case name:
            os.kill(os.getpid(), getattr(signal, name))
