"""What people say of recordings: notes, comments and highlights, tags, summaries."""
