"""Exporting datasets, and asking them."""
