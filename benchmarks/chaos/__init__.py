"""Kill random processes of a whole platform while it works, and check what is left."""
