"""The administrators' pages about campaigns."""
