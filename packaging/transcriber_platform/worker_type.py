"""Make the warm worker type known to Prefect, which loads this entry point."""

from transcriber_platform.start import put_on_path

put_on_path()

from flows.worker import warm_worker  # noqa: E402 - it is on the path only now

__all__ = ["warm_worker"]
