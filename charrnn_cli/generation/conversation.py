"""A text that a person and a model write in turns."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from charrnn_cli.config import SamplingSettings, Unknown
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.engine import Engine
from charrnn_cli.generation.generate import Piece, generate, read, read_on
from charrnn_cli.generation.prime import first_token, read_prime
from charrnn_cli.text.vocabulary import Vocabulary

SETTINGS = {  # that can be changed between turns, with their types
    "temperature": float,
    "length": int,
    "top-n": int,
    "top-p": float,
    "min-p": float,
    "repetition-penalty": float,
}


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
