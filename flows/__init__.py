"""What runs, in which order: one flow a file, the warm worker, the command line."""
