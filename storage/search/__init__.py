"""Full-text search: query parser, index, ranking and snippets."""
