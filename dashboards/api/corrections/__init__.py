"""Routes that put a corrected text in the place of a transcript."""
