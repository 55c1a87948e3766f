"""Writing in turns: a person types, and the model continues."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from charrnn_cli.errors import CharrnnError, UsageError
from charrnn_cli.generation.conversation import CHANGEABLE, Conversation
from charrnn_cli.setting import with_names
from charrnn_cli.wording import visible

if TYPE_CHECKING:
    from rich.console import Console

TEMPERATURE_STEP = 0.1  # of the keys PgUp and PgDn
SHOWN_AFTER_UNDO = 300  # characters at the end of the text
SETTING_COMMANDS = {f"/{name.replace('_', '-')}": name for name in CHANGEABLE}  # that change a setting
HELP = f"""\
Type text and press Enter: the model continues it. Enter alone: the model continues.
/again  write the last turn again    /undo  remove the last turn
/text   show the whole text          /new   start a new text
/set    show the settings; to change one, type for example: /temperature 0.8
        ({", ".join(command[1:] for command in SETTING_COMMANDS)})
/help   show this                    /quit, Ctrl-D or Ctrl-C  quit
Ctrl-C while the model writes stops only the writing."""
KEYS = "Enter write  Tab again  Ctrl-Z undo  PgUp/PgDn temperature"


def converse(conversation: Conversation, prime: str, colors: "Console | None") -> None:
    """Takes turns until the person quits: with keys in a terminal, otherwise line by line from standard input."""
    if prime:
        _write_turn(conversation, prime, colors)
    if sys.stdin is None:
        raise UsageError("standard input is closed, so you cannot type. Use a terminal, or leave out --interactive.")
    for line in _lines(conversation):
        if line.split(" ")[0] in ("/quit", "/exit"):
            break
        try:
            _answer(conversation, line, colors)
        except CharrnnError as error:
            typer.echo(as_commands(str(error)), err=True)


def as_commands(message: str) -> str:
    """The message with settings as they are typed here: `top_p` is /top-p, `top_p=0.9` is /top-p 0.9."""

    def typed(name: str, value: str | None) -> str:
        command = f"/{name.replace('_', '-')}" if name in CHANGEABLE else name
        return command if value is None else f"{command} {value}"

    return with_names(message, typed)


def _lines(conversation: Conversation) -> Iterator[str]:
    if sys.stdin.isatty() and sys.stdout.isatty():
        return _typed_lines(conversation)
    return (line.rstrip("\n") for line in sys.stdin)


def _answer(conversation: Conversation, line: str, colors: "Console | None") -> None:
    """Runs a command, or adds the line to the text. Raises UsageError."""
    command, _, value = line.partition(" ")
    match command:
        case "/again":
            _write_turn(conversation, conversation.undo(), colors)
        case "/undo":
            conversation.undo()
            typer.echo(visible(conversation.text[-SHOWN_AFTER_UNDO:]))
        case "/text":
            typer.echo(visible(conversation.text))
        case "/new":
            conversation.new()
        case "/help":
            typer.echo(HELP, err=True)
        case "/set":
            typer.echo(_settings_in_words(conversation), err=True)
        case _ if command in SETTING_COMMANDS:
            conversation.set(SETTING_COMMANDS[command], value)
        case _ if command.startswith("/"):
            raise UsageError(f"{command} is not a command.\n{HELP}")
        case _:
            _write_turn(conversation, line, colors)


def _settings_in_words(conversation: Conversation) -> str:
    return "  ".join(
        f"{command[1:]} {getattr(conversation.settings, name):g}" for command, name in SETTING_COMMANDS.items()
    )


def _write_turn(conversation: Conversation, typed: str, colors: "Console | None") -> None:
    """Shows what was typed and what the model writes after it; Ctrl-C stops the writing. Raises UsageError."""
    try:
        for number, piece in enumerate(conversation.add(typed)):
            if number == 0:
                sys.stdout.write(typed)
            shown = visible(piece.text) if sys.stdout.isatty() else piece.text
            if colors:
                from charrnn_cli.terminal.colors import tinted

                colors.print(tinted(shown, piece.log_probability), end="", soft_wrap=True)
            else:
                sys.stdout.write(shown)
            sys.stdout.flush()
    except KeyboardInterrupt:
        pass
    sys.stdout.write("\n")
    sys.stdout.flush()


def _typed_lines(conversation: Conversation) -> Iterator[str]:
    """The lines that a person types in a terminal; keys give commands. Ends with Ctrl-D or Ctrl-C."""
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
        conversation.change_temperature(TEMPERATURE_STEP)

    @keys.add("pagedown")
    def cooler(event: KeyPressEvent) -> None:
        conversation.change_temperature(-TEMPERATURE_STEP)

    session: PromptSession[str] = PromptSession(
        key_bindings=keys, bottom_toolbar=lambda: f"{KEYS} {conversation.settings.temperature:g}  /help"
    )
    while True:
        try:
            yield session.prompt("> ")
        except (EOFError, KeyboardInterrupt):
            return
