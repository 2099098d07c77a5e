"""`python -m flows.cli …`: the command line, like the script `transcriber`."""

from flows.cli.main import main

main()
