"""The DuckDB file: the database, its migrations, the audit chain and backups."""
