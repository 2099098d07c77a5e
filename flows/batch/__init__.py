"""Batches: where their files come from, sending them, their results and schedules."""
