"""A platform with some workers, and a model of one with many."""
