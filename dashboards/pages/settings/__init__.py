"""The reader's own settings."""
