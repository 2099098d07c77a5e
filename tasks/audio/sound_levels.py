"""Peaks that tell sound from silence, as floats: full scale is 1."""

FULL_SCALE = 32768
"""The magnitude of a 16-bit sample that is 1 as a float."""
AUDIBLE = 8 / FULL_SCALE
"""A channel, or a frame, that was never louder is silent."""
SILENT_TRACK = 16 / FULL_SCALE
"""A track that was never louder is silent: quieter than any microphone that is switched on."""
FAINT_TRACK = 330 / FULL_SCALE
"""A track no louder than this, beside a far louder one, has noise alone."""
