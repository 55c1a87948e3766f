"""Writing in turns: a person types, the model goes on."""

import dataclasses
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from charrnn_cli.config import SamplingSettings, Unknown
from charrnn_cli.errors import CharrnnError, UsageError
from charrnn_cli.generation.engine import Engine
from charrnn_cli.generation.generate import Piece, generate, read, read_on
from charrnn_cli.generation.prime import first_token, read_prime
from charrnn_cli.text.visible import visible
from charrnn_cli.text.vocabulary import Vocabulary

if TYPE_CHECKING:
    from rich.console import Console

SETTINGS = {  # that can be changed between turns, with their types
    "temperature": float,
    "length": int,
    "top-n": int,
    "top-p": float,
    "min-p": float,
    "repetition-penalty": float,
}
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


class Conversation:
    """A text that a person and a model write in turns. The hidden state is kept from turn to turn."""

    def __init__(
        self, engine: Engine[Any], vocabulary: Vocabulary, settings: SamplingSettings, seed: int, unknown: Unknown
    ) -> None:
        self.settings = settings
        self._engine, self._vocabulary, self._seed, self._unknown = engine, vocabulary, seed, unknown
        self._drawn = 0  # turns that were written, those taken back among them
        self.new()

    def new(self) -> None:
        """Begins another text."""
        self.text = ""
        self._turns: list[tuple[str, str]] = []  # the text before each turn, and what was typed
        self._read: tuple[list[int], Any] = [], self._engine.start(1)  # tokens, and the state after them

    def add(self, typed: str) -> Iterator[Piece]:
        """Adds what was typed, and yields what the model goes on with; what was yielded is part of the text.

        Raises UsageError where the model does not know what was typed.
        """
        if self._vocabulary.level == "word" and self.text[-1:].isalnum() and typed[:1].isalnum():
            typed = f" {typed}"  # another word
        ids = read_prime(self.text + typed, self._vocabulary, self._unknown) or [first_token(self._vocabulary)]
        self._turns.append((self.text, typed))
        self.text += typed
        before, state = self._read
        if ids[: len(before)] == before and len(ids) > len(before):
            state = read_on(self._engine, ids[len(before) : -1], state)
        else:
            state = read(self._engine, ids[:-1])
        self._read = ids[:-1], state
        self._drawn += 1
        seed = self._seed + self._drawn - 1
        for event in generate(self._engine, self._vocabulary, ids, self.settings, seed, scored=True, state=state):
            if isinstance(event, Piece) and not event.prime:
                self.text += event.text
                yield event

    def undo(self) -> str:
        """Takes the last turn back: what was typed in it. Raises UsageError where there is none."""
        if not self._turns:
            raise UsageError("there is no turn to take back.")
        self.text, typed = self._turns.pop()
        return typed

    def set(self, name: str, value: str) -> None:
        """Changes a setting. Raises UsageError for what cannot be."""
        try:
            number = SETTINGS[name](value)
        except ValueError as error:
            raise UsageError(f"/{name} takes a number, not {value!r}.") from error
        self.settings = dataclasses.replace(self.settings, **{name.replace("-", "_"): number})

    def warm(self, by: float) -> None:
        """Raises or lowers the temperature."""
        temperature = max(0.0, round(self.settings.temperature + by, 6))
        self.settings = dataclasses.replace(self.settings, temperature=temperature)

    def shown_settings(self) -> str:
        """The settings that can be changed, with their values."""
        return "  ".join(f"{name} {getattr(self.settings, name.replace('-', '_')):g}" for name in SETTINGS)


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
                from charrnn_cli.display import tinted

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
