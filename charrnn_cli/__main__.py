"""`python -m charrnn_cli` is the `charrnn` command."""

from charrnn_cli.cli import main

main()
