"""`python -m slipway`: the command, with the Python that runs it."""

from slipway.cli.main import main

main()
