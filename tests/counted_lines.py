"""Lines are counted at little cost: imported before the product, and does nothing where no lines are counted.

SlipCover takes its probe out of a line that was run so often. For that it goes through all functions of all modules,
which takes a tenth of a second, and fails the test that it is in where another thread imports something meanwhile. Its
default is 50, and its pytest plugin lets nobody choose for the processes of pytest-xdist.
"""

import sys

from slipcover.importer import SlipcoverMetaPathFinder

RUN_SO_OFTEN = 20_000
"""With 50, the tests of accounts and limits take 38 s of processor; with this, 33."""

for finder in sys.meta_path:
    if isinstance(finder, SlipcoverMetaPathFinder):
        finder.sci.d_miss_threshold = RUN_SO_OFTEN
