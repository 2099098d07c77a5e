"""What is kept: settings, records, the DuckDB ledger, and files on one fsspec root."""
