"""python -m charrnn_cli, and the `charrnn` command. It imports late, so that Ctrl-C at the start ends it silently."""

import sys


def main() -> None:
    try:
        from charrnn_cli.cli import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
