"""The domain: records, errors, settings and the names of what is stored."""
