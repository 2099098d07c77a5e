"""Routes of passages: comments, highlights and summaries."""
