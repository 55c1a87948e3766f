"""A text that a person and a model write in turns."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from charrnn_cli.config import SamplingSettings, Unknown
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.model import Model
from charrnn_cli.generation.prime import EncodedPrime, UnknownTokensError
from charrnn_cli.generation.state import State
from charrnn_cli.generation.texts import Piece

CHANGEABLE: dict[str, Callable[[str], float]] = {  # the settings that can change between turns, and their types
    "temperature": float,
    "length": int,
    "top_n": int,
    "top_p": float,
    "min_p": float,
    "repetition_penalty": float,
}


class Conversation:
    """A text that a person and a model write in turns. The model reads only what is new in each turn."""

    def __init__(self, model: Model, settings: SamplingSettings, seed: int, unknown: Unknown = "error") -> None:
        self.settings = settings
        self._model, self._seed, self._unknown = model, seed, unknown
        self._turns_written = 0  # including those that were undone
        self.new()

    def new(self) -> None:
        """Starts a new text."""
        self.text = ""
        self._turns: list[tuple[str, str]] = []  # the text before each turn, and what was typed
        self._read: list[int] = []  # what the model has read: the text before the last turn, and what was typed
        self._state: State | None = None  # after it

    def add(self, typed: str) -> Iterator[Piece]:
        """Adds what was typed, and yields what the model writes after it. Both become part of the text.

        Raises UsageError for tokens that the model does not know.
        """
        last, first = self.text[-1:], typed[:1]
        if self._model.vocabulary.level == "word" and last.isalnum() and first.isalnum():
            typed = f" {typed}"  # starts a new word
        try:
            prime = self._model.encode(typed, self._unknown, before=self.text)
        except UnknownTokensError as error:
            raise UsageError(f"{error.fact} Change what you typed.") from error
        self._turns.append((self.text, typed))
        self.text += typed
        state = self._read_on(prime)
        seed = self._seed + self._turns_written
        self._turns_written += 1
        for event in self._model.write(state, self.settings, seed=seed, scored=True):
            if isinstance(event, Piece) and not event.prime:
                self.text += event.text
                yield event

    def _read_on(self, prime: EncodedPrime) -> State:
        """Reads a prime, and only what is new in it if it continues what the model has read."""
        known = len(self._read) if prime.ids[: len(self._read)] == self._read else 0
        new = EncodedPrime(prime.ids[known:])
        self._state = self._model.read_prime(new, after=self._state if known else None)
        self._read = prime.ids
        return self._state

    def undo(self) -> str:
        """Removes the last turn and returns what was typed in it. Raises UsageError without a turn."""
        if not self._turns:
            raise UsageError("there is no turn to undo.")
        self.text, typed = self._turns.pop()
        return typed

    def set(self, name: str, value: str) -> None:
        """Changes a setting. Raises UsageError for an invalid value."""
        try:
            number = CHANGEABLE[name](value)
        except ValueError as error:
            kind = "a whole number" if CHANGEABLE[name] is int else "a number"
            raise UsageError(f"`{name}` must be {kind}, got {value!r}.") from error
        changes: dict[str, Any] = {name: number}
        self.settings = dataclasses.replace(self.settings, **changes)

    def change_temperature(self, amount: float) -> None:
        """Raises or lowers the temperature, at most down to 0."""
        temperature = max(0.0, round(self.settings.temperature + amount, 6))
        self.settings = dataclasses.replace(self.settings, temperature=temperature)
