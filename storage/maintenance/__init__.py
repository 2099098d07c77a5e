"""Maintenance: backups and clean-up, deleting accounts, rebuilding the ledger."""
