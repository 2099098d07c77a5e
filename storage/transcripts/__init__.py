"""Transcripts: what the ledger keeps of them, their versions and edits."""
