"""Background loops: dispatcher, reconciler, search indexer, mail sender."""
