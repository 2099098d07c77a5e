"""Backups of the ledger: packed, checked against a manifest, kept by age, and restored."""
