"""Upkeep by the web process: backups and drills, the canary, the guard of the disk."""
