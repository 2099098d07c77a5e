"""Datasets: the ledger's tables as partitioned Parquet on storage, and read-only SQL over them."""
