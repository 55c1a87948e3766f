"""A model that reads primes and writes texts. Every way to use a model, such as a command, goes through it."""

import dataclasses
import secrets
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from charrnn_cli.config import EngineName, SamplingSettings, Unknown
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.generation.engine import Engine
from charrnn_cli.generation.engines import load_engine
from charrnn_cli.generation.prime import EncodedPrime, encode_prime
from charrnn_cli.generation.reading import Prime, ReadProgress, ignore_progress, read_prime
from charrnn_cli.generation.sampling import allowed_tokens, unknown_tokens
from charrnn_cli.generation.texts import Piece, Sample, in_order, likeliest, write_texts
from charrnn_cli.network.weights import load_checked_model
from charrnn_cli.runs.folders import RUNS, Run, run_to_sample
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.text.copies import Original
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.reader import read_whole_text
from charrnn_cli.wording import network_shape

MAX_TEXTS = 1_000_000
TOKENS_PER_LINE = 1000  # `lines` without `length` sets the length to this many tokens per line


class Model:
    """A model in memory and the engine that computes it. The engine is loaded when it is first needed."""

    def __init__(
        self,
        run: Run,
        stored: StoredModel,
        engine: EngineName = "auto",
        gpu: bool = False,
        device: str | None = None,
        threads: int | None = None,
    ) -> None:
        self.run, self.stored, self.vocabulary = run, stored, stored.vocabulary
        self._engine_name, self._gpu, self._device, self._threads = engine, gpu, device, threads

    @classmethod
    def open(
        cls,
        model: Run | str | None = None,
        *,
        checkpoint: int | str | None = None,
        engine: EngineName = "auto",
        gpu: bool = False,
        device: str | None = None,
        threads: int | None = None,
        root: Path = RUNS,
    ) -> "Model":
        """Loads a run in `root`, a bundled model or a model's folder; None is the run that was trained last.

        Raises RunError, UsageError if there is no such checkpoint.
        """
        run = model if isinstance(model, Run) else run_to_sample(model, root)
        return cls(run, load_checked_model(run, checkpoint), engine, gpu, device, threads)

    @cached_property
    def engine(self) -> Engine[Any]:
        """What computes the model. Raises UsageError, DeviceError."""
        return load_engine(self.stored, self._engine_name, self._gpu, self._device, self._threads)

    @property
    def writes_lines(self) -> bool:
        """Whether each text is a line, such as a name of a list, because the model learned from such documents."""
        return self.stored.text.documents == "line"

    @property
    def description(self) -> str:
        """The model and its engine in one line. Loads the engine."""
        summary = self.stored.summary
        loss = "" if summary.valid_loss is None else f", validation loss {summary.valid_loss:.3f}"
        where = "bundled" if self.run.bundled else self.run.folder
        shape = network_shape(self.stored.settings)
        return f"{self.run.name} ({where}): {shape}, step {summary.step:,}{loss}; {self.engine.name}"

    def encode(self, text: str, unknown: Unknown = "error", before: str = "") -> EncodedPrime:
        """The ids of the prime `before` + `text`. Raises UsageError for tokens of `text` that the model does not know.

        Loads no engine, so mistakes show early.
        """
        return encode_prime(text, self.vocabulary, unknown, before)

    def text_of(self, file: Path | str) -> str:
        """The text of a file of any input format, or of standard input (`-`), as a prime.

        Raises TextError, UsageError, DiskError.
        """
        return read_whole_text(file, self.stored.text)

    def read(
        self, prime: EncodedPrime, *, after: Prime | None = None, progress: ReadProgress = ignore_progress
    ) -> Prime:
        """Reads a prime. If it starts with the prime `after`, reads only the rest."""
        return read_prime(self.engine, self.vocabulary, prime.ids, after, progress, prime.unknown)

    def read_prime(self, text: str, unknown: Unknown = "error", *, progress: ReadProgress = ignore_progress) -> Prime:
        """Reads a text that the model will continue. Raises UsageError for tokens that the model does not know."""
        return self.read(self.encode(text, unknown), progress=progress)

    def write(
        self,
        prime: Prime,
        settings: SamplingSettings,
        *,
        seed: int,
        num: int = 1,
        best_of: int | None = None,
        scored: bool = False,
    ) -> Iterator[Piece | Sample]:
        """Writes `num` texts after a prime, one after the other: yields pieces, and a `Sample` at the end of each.

        With `best_of`, writes that many texts and yields the `num` likeliest per token, the likeliest first. `scored`
        adds log-probabilities. Text k of a seed is the same for every `num`. If each text is a line, writes `num` times
        the `lines` of the settings. Raises UsageError, RunError.
        """
        if self.writes_lines and settings.lines:
            num, settings = num * settings.lines, dataclasses.replace(settings, lines=0)
        check_texts(num, best_of, seed)
        if best_of is None:
            return in_order(write_texts(self.engine, self.vocabulary, prime, settings, seed, num, scored))
        return likeliest(write_texts(self.engine, self.vocabulary, prime, settings, seed, best_of, True), num)

    def check(self, settings: SamplingSettings) -> dict[str, list[str]]:
        """The tokens of `ban` and `allow_only` that the model does not know, by setting.

        Raises UsageError if the settings leave no token to write.
        """
        allowed_tokens(settings, self.vocabulary)
        named = {name: unknown_tokens(getattr(settings, name), self.vocabulary) for name in ("ban", "allow_only")}
        return {name: tokens for name, tokens in named.items() if tokens}

    def original(self, files: Sequence[str] | None = None) -> Original:
        """The text that may have been copied: that of `files`, or the one that the model was trained on.

        Raises RunError if the model comes without it, UsageError, TextError, DiskError.
        """
        if files:
            return Original.from_files(files, self.stored.text)
        if not self.run.prepared:
            raise RunError(f"{self.run.name} comes without its training text. Pass a text: `copies_from=FILE.txt`.")
        return Original.from_split(Corpus(self.run.corpus).split("train"), self.vocabulary)


def sampling_settings(settings: Mapping[str, Any]) -> SamplingSettings:
    """Settings by name. With `lines` but without `length`, the length is enough for all lines. Raises UsageError."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    lines = values.get("lines", 0)
    if lines > 0 and "length" not in values:
        values["length"] = lines * TOKENS_PER_LINE
    return SamplingSettings(**values)


def random_seed() -> int:
    """A seed that differs from call to call."""
    return secrets.randbelow(2**32)


def check_texts(num: int, best_of: int | None, seed: int | None) -> None:
    """Raises UsageError for a number of texts or a seed that is out of range."""
    if seed is not None and seed < 0:
        raise UsageError(f"`seed` must be at least 0, got {seed}.")
    if not 1 <= num <= MAX_TEXTS:
        raise UsageError(f"`num` must be between 1 and {MAX_TEXTS:,}, got {num}.")
    if best_of is not None and not num <= best_of <= MAX_TEXTS:
        raise UsageError(f"`best_of` must be between `num` ({num}) and {MAX_TEXTS:,}, got {best_of}.")
