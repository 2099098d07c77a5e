"""Jobs in the ledger: their rows, queue, progress, reports and deletion."""
