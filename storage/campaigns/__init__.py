"""Campaigns: recordings transcribed again with another model or settings, compared, accepted or kept."""
