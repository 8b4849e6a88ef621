"""`python -m innkeeper` is the command line."""

from innkeeper.cli.main import main

main()
