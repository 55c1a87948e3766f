"""python -m charrnn_cli, and the `charrnn` command: a door so light that Ctrl-C ends it in silence while it opens."""

import sys


def main() -> None:
    """Runs the command line."""
    try:
        from charrnn_cli.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
