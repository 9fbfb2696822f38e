"""`python -m controller.cli` is the `converge` command."""

from controller.cli import main

main()
