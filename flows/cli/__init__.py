"""The command line `transcriber`."""
