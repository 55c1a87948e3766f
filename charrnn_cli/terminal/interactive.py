"""Writing in turns: a person types, the model goes on."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from charrnn_cli.errors import CharrnnError, UsageError
from charrnn_cli.generation.conversation import SETTINGS, Conversation
from charrnn_cli.wording import visible

if TYPE_CHECKING:
    from rich.console import Console

WARMER = 0.1  # the step of the keys for the temperature
SHOWN = 300  # characters of the text after a turn was taken back
HELP = f"""\
Type text and Enter: it is added, and the model goes on. Enter alone: it goes on.
/again  the last turn anew    /undo  take it back
/text   all of the text       /new   begin another
/set    show the settings; change one: /temperature 0.8
        ({", ".join(SETTINGS)})
/help   this                  /quit, Ctrl-D or Ctrl-C  the end
While it writes, Ctrl-C stops it there."""
KEYS = "Enter write  Tab again  Ctrl-Z undo  PgUp/PgDn temperature"


def converse(conversation: Conversation, prime: str, tint: "Console | None") -> None:
    """Takes turns until the person has enough: from a terminal with keys, else line by line from stdin."""
    if prime:
        _answer(conversation, "", prime, tint)
    if sys.stdin is None:
        raise UsageError("stdin is closed: nobody can type. Leave out --interactive, or type in a terminal.")
    lines = (
        _typed(conversation)
        if sys.stdin.isatty() and sys.stdout.isatty()
        else (line.rstrip("\n") for line in sys.stdin)
    )
    for line in lines:
        command, _, value = line.partition(" ")
        if command in ("/quit", "/exit"):
            break
        try:
            _answer(conversation, command, value if command.startswith("/") else line, tint)
        except CharrnnError as error:
            typer.echo(str(error), err=True)


def _answer(conversation: Conversation, command: str, value: str, tint: "Console | None") -> None:
    """Does what was typed. Raises UsageError."""
    match command:
        case "/again":
            _write(conversation, conversation.undo(), tint)
        case "/undo":
            conversation.undo()
            typer.echo(visible(conversation.text[-SHOWN:]))
        case "/text":
            typer.echo(visible(conversation.text))
        case "/new":
            conversation.new()
        case "/help":
            typer.echo(HELP, err=True)
        case "/set":
            typer.echo(conversation.shown_settings(), err=True)
        case _ if command[1:] in SETTINGS and command.startswith("/"):
            conversation.set(command[1:], value)
        case _ if command.startswith("/"):
            raise UsageError(f"{command} is no command. Known are:\n{HELP}")
        case _:
            _write(conversation, value, tint)


def _write(conversation: Conversation, typed: str, tint: "Console | None") -> None:
    """Shows what was typed and what the model goes on with; Ctrl-C stops it there. Raises UsageError."""
    try:
        for number, piece in enumerate(conversation.add(typed)):
            if number == 0:
                sys.stdout.write(typed)
            shown = visible(piece.text) if sys.stdout.isatty() else piece.text
            if tint:
                from charrnn_cli.terminal.colors import tinted

                tint.print(tinted(shown, piece.log_probability), end="", soft_wrap=True)
            else:
                sys.stdout.write(shown)
            sys.stdout.flush()
    except KeyboardInterrupt:
        pass
    sys.stdout.write("\n")
    sys.stdout.flush()


def _typed(conversation: Conversation) -> Iterator[str]:
    """What a person types in a terminal: a line, or a key for a command. Ends with Ctrl-D or Ctrl-C."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("tab")
    def again(event: KeyPressEvent) -> None:
        event.app.exit(result="/again")

    @keys.add("c-z")
    def undo(event: KeyPressEvent) -> None:
        event.app.exit(result="/undo")

    @keys.add("pageup")
    def warmer(event: KeyPressEvent) -> None:
        conversation.warm(WARMER)

    @keys.add("pagedown")
    def cooler(event: KeyPressEvent) -> None:
        conversation.warm(-WARMER)

    session: PromptSession[str] = PromptSession(
        key_bindings=keys, bottom_toolbar=lambda: f"{KEYS} {conversation.settings.temperature:g}  /help"
    )
    while True:
        try:
            yield session.prompt("> ")
        except (EOFError, KeyboardInterrupt):
            return
