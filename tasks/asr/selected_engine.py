"""The engine that workers and the command line use; this module alone selects it."""

from tasks.asr.engine import Engine as SelectedEngine

__all__ = ["SelectedEngine"]
