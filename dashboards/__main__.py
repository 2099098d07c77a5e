"""`python -m dashboards`: serves the web process until it is told to stop."""

import sys

from dashboards.serve import serve

if __name__ == "__main__":
    sys.exit(serve())
