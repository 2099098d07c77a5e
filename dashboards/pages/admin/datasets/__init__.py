"""The administrators' page about datasets."""
