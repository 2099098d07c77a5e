"""Files that never change under their addresses, compressed once."""
