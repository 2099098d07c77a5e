"""Let a Dask cluster's scheduler and workers import the platform: `--preload transcriber_platform.dask_preload`.

They import it before the first span, during which a scheduler would answer nobody.
"""

from transcriber_platform.start import put_on_path

put_on_path()

from flows.runs import cluster_spans  # noqa: E402 - it is on the path only now

__all__ = ["cluster_spans"]
