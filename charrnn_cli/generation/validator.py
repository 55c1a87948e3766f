"""A command that accepts or refuses texts."""

import shlex
import shutil

from charrnn_cli.errors import UsageError

VALIDATE_SECONDS = 60.0  # a command that takes longer refuses the text


class Validator:
    """Runs a command for each text. A shell starts it only if the command says so, as in `sh -c '...'`."""

    def __init__(self, command: str) -> None:
        """Raises UsageError if the command does not exist."""
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"`validate` {command!r} is not a command: {error}.") from error
        if not self._words or shutil.which(self._words[0]) is None:
            raise UsageError(f"`validate` {command!r}: the command was not found. Install it, or type its path.")

    def accepts(self, text: str) -> bool:
        """Whether the command ends with exit code 0 when the text is its standard input. Raises UsageError."""
        import subprocess  # most texts are written without it

        content = text if text.endswith("\n") else f"{text}\n"
        try:
            done = subprocess.run(
                self._words,
                input=content.encode("utf-8", "replace"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=VALIDATE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        except OSError as error:
            raise UsageError(f"`validate` {shlex.join(self._words)!r} cannot be run: {error.strerror}.") from error
        return done.returncode == 0
