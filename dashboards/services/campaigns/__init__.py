"""What administrators do with campaigns."""
