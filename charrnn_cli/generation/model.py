"""A trained model that writes, reads and scores texts. Commands, the server and Python programs all use it."""

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from charrnn_cli.config import EngineName, SamplingSettings, SelectionSettings, Unknown, Unscorable
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.generation.arguments import (
    check_count,
    check_single,
    check_texts,
    check_threads,
    random_seed,
    sampling_settings,
)
from charrnn_cli.generation.engine import Engine
from charrnn_cli.generation.engines import load_engine
from charrnn_cli.generation.prime import EncodedPrime, encode_prime, prime_text
from charrnn_cli.generation.reading import ReadProgress, ignore_progress, read_tokens
from charrnn_cli.generation.results import Prediction, Text, TextScore, whole_texts
from charrnn_cli.generation.sampling import BROKEN, allowed_tokens, ladder, probabilities, unknown_tokens
from charrnn_cli.generation.selection import Selection, has_conditions, split_settings
from charrnn_cli.generation.state import State
from charrnn_cli.generation.texts import Piece, Sample, in_order, likeliest, write_texts
from charrnn_cli.network.weights import load_checked_model
from charrnn_cli.runs.folders import RUNS, Run, check_trained, run_to_sample
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.setting import check_choice, check_path, check_paths, check_text
from charrnn_cli.text.copies import Original
from charrnn_cli.text.corpus import SPLIT_NAMES, Corpus
from charrnn_cli.text.entries import Entries
from charrnn_cli.wording import network_shape

if TYPE_CHECKING:
    from charrnn_cli.generation.surprisal import TokenSurprisal
    from charrnn_cli.generation.word_surprisal import WordSurprisal


def load(
    model: Run | Path | str | None = None,
    *,
    checkpoint: int | str | None = None,
    engine: EngineName = "auto",
    gpu: bool = False,
    device: str | None = None,
    threads: int | None = None,
    root: Path | str = RUNS,
) -> "Model":
    """Loads a model: a run in the folder `root`, a bundled model, or the folder of a model.

    Without `model`, loads the run trained last, or the bundled model `anna` if there is none. `checkpoint` is a step,
    "first", "last" or "best"; by default it is the one with the lowest validation loss. `engine` is "numpy", "onnx",
    "torch" or "auto", which is ONNX Runtime if it is installed, else NumPy. `gpu` requires a CUDA GPU, and `device` is
    the name of any PyTorch device. `threads` is the number of CPU threads.

    Raises RunError if the model does not exist or is damaged, and UsageError for other wrong arguments.
    """
    check_choice("engine", engine, EngineName)
    check_threads(threads)
    if isinstance(model, Run):
        run = check_trained(model)
    else:
        run = run_to_sample(None if model is None else str(model), check_path("root", root))
    return Model(run, load_checked_model(run, checkpoint), engine, gpu, device, threads)


class Model:
    """A trained model in memory, as `load` returns it. Several threads can use it at the same time.

    `prime` is the text that the model continues, or a `State`. The keyword arguments `settings` are those of
    `SamplingSettings`, such as `length=300`. The same seed gives the same text, also in `charrnn sample`; without one,
    the seed is random. `unknown` says what to do with parts of a text that the model does not know: "error" reports
    them, "skip" leaves them out, and "replace" uses the closest known ones. Programs use the methods from `generate`
    to `score`; the commands are made of those below.
    """

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
        self.engine_name, self.gpu, self.device, self.threads = engine, gpu, device, threads
        self._loading = Lock()

    def __repr__(self) -> str:
        return f"<Model {self.run.name}: {network_shape(self.stored.settings)}>"

    def generate(
        self, prime: str | State = "", *, seed: int | None = None, unknown: Unknown = "error", **settings: Any
    ) -> Text:
        """Writes a text. `str()` of the result is what `charrnn sample` prints.

        Raises UsageError for wrong settings and unknown characters, RunError if the weights are corrupt, DeviceError.
        """
        check_single(settings, self.run.name, self.writes_lines)
        (text,) = self.generate_many(prime, 1, seed=seed, unknown=unknown, **settings)
        return text

    def stream(
        self, prime: str | State = "", *, seed: int | None = None, unknown: Unknown = "error", **settings: Any
    ) -> Iterator[Piece]:
        """Writes a text and yields its pieces as they are written, first the prime. Raises the same as `generate`."""
        check_single(settings, self.run.name, self.writes_lines)
        sampling = sampling_settings(settings)
        state, text = self._start(prime, unknown, sampling)
        events = self.write(state, sampling, seed=random_seed() if seed is None else seed, scored=True, prime=text)
        return (event for event in events if isinstance(event, Piece))

    def generate_many(
        self,
        prime: str | State = "",
        num: int = 1,
        *,
        seed: int | None = None,
        best_of: int | None = None,
        temperatures: Sequence[float] | None = None,
        copies_from: Sequence[str] | None = None,
        scored: bool = True,
        unknown: Unknown = "error",
        **settings: Any,
    ) -> list[Text]:
        """Writes `num` texts side by side, which takes much less time than one after the other.

        With `best_of`, writes that many and gives the `num` likeliest per token, the likeliest first. Without `scored`,
        the log-probabilities are left out, which takes less time and memory. If each text is a line of a list, gives
        `num` times `lines` texts; with `temperatures`, that many for each. The settings of `SelectionSettings` refuse
        texts; for `novel`, files in `copies_from` replace the training text. Raises SelectionError if too few are left,
        and the same as `generate`.
        """
        writing, conditions = split_settings(settings, Model.generate_many)
        sampling = sampling_settings(writing)
        seed = random_seed() if seed is None else seed
        check_texts(num, best_of, seed)
        selection = self.selection(conditions, copies_from)
        state, text = self._start(prime, unknown, sampling)
        texts: list[Text] = []
        for step in ladder(sampling, temperatures):
            events = self.write(state, step, selection, seed=seed, num=num, best_of=best_of, scored=scored, prime=text)
            texts += whole_texts(events, seed, step.temperature)
        if selection is not None:
            selection.check(texts)
        return texts

    def best_of(
        self,
        prime: str | State = "",
        count: int = 10,
        *,
        seed: int | None = None,
        unknown: Unknown = "error",
        **settings: Any,
    ) -> Text:
        """Writes `count` texts and returns the likeliest one, per token. Raises the same as `generate`."""
        check_count("count", count)
        check_single(settings, self.run.name, self.writes_lines)
        return self.generate_many(prime, 1, seed=seed, best_of=count, unknown=unknown, **settings)[0]

    def read(self, text: str, *, after: State | None = None, unknown: Unknown = "error") -> State:
        """Reads a text of any length, and returns the state after it. With `after`, continues from that state.

        A text can be read in parts, cut between any two characters, or before a space for a model of words or subwords.
        Raises UsageError for unknown characters and for the state of another model.
        """
        check_text("text", text)
        if after is not None and self._own(after).recent and self.vocabulary.level == "word":
            text = text.removeprefix(" ")  # the space between two words is not a token
        return self.read_prime(self.encode(text, unknown), after=after)

    def next(self, prime: str | State = "", *, unknown: Unknown = "error") -> Prediction:
        """The probability that each of the V tokens comes next, according to the model and without filters.

        Raises UsageError for unknown characters and for the state of another model, RunError if the weights are
        corrupt.
        """
        state = self._start(prime, unknown, SamplingSettings())[0]
        logits, _ = self.engine.step(np.array([state.last]), self.engine.from_array(state.hidden[None]))  # (1, V)
        if not np.isfinite(logits).all():
            raise RunError(BROKEN)
        return Prediction(self.vocabulary.tokens, probabilities(logits.astype(np.float64))[0])

    def score(self, text: str, *, unknown: Unscorable = "error", adapt: bool = False) -> TextScore:
        """How well the model predicts a text: bits per token and per character, and the log-probability of each token.

        The result is that of `charrnn evaluate` for a file with this text. The first token is context and not scored.
        With `adapt`, a copy of the model learns while it reads. With the engine "auto", torch computes. Raises
        TextError for a text that is too short or has unknown characters.
        """
        from charrnn_cli.generation.evaluation import evaluate_text

        return evaluate_text(self, text, unknown, adapt)

    def surprisals(self, text: str, *, unknown: Unscorable = "error", adapt: bool = False) -> list["TokenSurprisal"]:
        """How unexpected each token of a text is, the first one too, with the entropy of the prediction and the rank.

        The result is that of `charrnn evaluate --per-token`. With `adapt`, a copy of the model learns while it reads.
        Raises TextError for unknown characters or no text.
        """
        from charrnn_cli.generation.evaluation import text_surprisals

        return cast("list[TokenSurprisal]", list(text_surprisals(self, text, False, unknown, adapt)))

    def word_surprisals(
        self, text: str, *, unknown: Unscorable = "error", adapt: bool = False
    ) -> list["WordSurprisal"]:
        """How unexpected each word of a text is, with its end, for every kind of model. The same as `--per-word`."""
        from charrnn_cli.generation.evaluation import text_surprisals

        return cast("list[WordSurprisal]", list(text_surprisals(self, text, True, unknown, adapt)))

    @property
    def engine(self) -> Engine[Any]:
        """What computes the model. It is loaded when it is first used. Raises UsageError, DeviceError."""
        with self._loading:
            return self._engine

    @property
    def writes_lines(self) -> bool:
        """Whether each text is one line, such as a name in a list. It is for models of `documents="line"`."""
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
        """The ids of `before` + `text`, without loading the engine. Raises UsageError for unknown tokens of `text`."""
        check_choice("unknown", unknown, Unknown)
        check_text("text", text)
        return encode_prime(text, self.vocabulary, unknown, before)

    def text_of(self, file: Path | str) -> str:
        """The text of a file of any input format, or of standard input (`-`), as a prime.

        Raises TextError, UsageError, DiskError.
        """
        from charrnn_cli.text.reader import read_whole_text

        return read_whole_text(file, self.stored.text)

    def read_prime(
        self, prime: EncodedPrime, *, after: State | None = None, progress: ReadProgress = ignore_progress
    ) -> State:
        """Reads an encoded prime, or more of it. Raises UsageError for the state of another model."""
        before = None if after is None else self._own(after)
        return read_tokens(self.engine, self.vocabulary, prime.ids, before, progress, self.stored.checksum)

    def shown_prime(self, prime: EncodedPrime, settings: SamplingSettings) -> str:
        """The prime as text: the start of a text that is written with `settings`."""
        return prime_text(prime, self.vocabulary, finished=settings.length == 0)

    def write(
        self,
        state: State,
        settings: SamplingSettings,
        selection: Selection | None = None,
        *,
        seed: int,
        num: int = 1,
        best_of: int | None = None,
        scored: bool = False,
        prime: str = "",
    ) -> Iterator[Piece | Sample]:
        """Writes `num` texts after a state, one after the other: yields pieces, and a `Sample` at the end of each.

        With `best_of`, writes that many texts and yields the `num` likeliest per token, the likeliest first. `scored`
        adds log-probabilities. Text k of a seed is the same for every `num`. If each text is a line, writes `num` times
        the `lines` of the settings. The first piece of a text is `prime`. Texts that `selection` refuses are left out.
        Raises UsageError, RunError.
        """
        if self.writes_lines and settings.lines:
            num, settings = num * settings.lines, dataclasses.replace(settings, lines=0)
        check_texts(num, best_of, seed)
        self._own(state)
        texts, scored = (num, scored) if best_of is None else (best_of, True)
        write = partial(write_texts, self.engine, self.vocabulary, state, settings, seed, scored=scored, prime=prime)
        events = in_order(write(texts)) if selection is None else selection.select(write, texts, self.engine.filled)
        return events if best_of is None else likeliest(events, num)

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
            return Original.from_files(check_paths("copies_from", files), self.stored.text)
        if not self.run.prepared:
            raise RunError(f"{self.run.name} comes without its training text. Pass a text: `copies_from=FILE.txt`.")
        return Original.from_split(Corpus(self.run.corpus).split("train"), self.vocabulary)

    def selection(self, settings: SelectionSettings, files: Sequence[str] | None = None) -> Selection | None:
        """What keeps texts; None if it would keep all. Raises UsageError and, if `novel`, the same as `original`."""
        if not has_conditions(settings):
            return None
        return Selection(settings, Entries(self._originals(files) if settings.novel else ()))

    @cached_property
    def _engine(self) -> Engine[Any]:
        return load_engine(self.stored, self.engine_name, self.gpu, self.device, self.threads)

    def _start(self, prime: str | State, unknown: Unknown, settings: SamplingSettings) -> tuple[State, str]:
        """The state from which texts are written, and the text that they start with."""
        if isinstance(prime, State):
            return self._own(prime), ""
        if not isinstance(prime, str):
            raise UsageError(f"`prime` must be a text or a `State`, got {prime!r}.")
        encoded = self.encode(prime, unknown)
        return self.read_prime(encoded), self.shown_prime(encoded, settings)

    def _originals(self, files: Sequence[str] | None) -> Iterator[Original]:
        """The texts that are not novel: those of `files`, or the one that the model was trained on, with all splits."""
        if files or not self.run.prepared:
            return iter([self.original(files)])
        return (Original.from_split(Corpus(self.run.corpus).split(name), self.vocabulary) for name in SPLIT_NAMES)

    def _own(self, state: State) -> State:
        """The state, if it is one of this model. Raises UsageError."""
        if not isinstance(state, State):
            raise UsageError(f"`after` must be a `State`, as `read` returns it, got {state!r}.")
        numbers = self.engine.to_array(self.engine.start(1)).shape[1:]
        ids = (state.last, *state.recent)
        in_vocabulary = min(ids) >= 0 and max(ids) < len(self.vocabulary)
        if state.model != self.stored.checksum or state.hidden.shape != numbers or not in_vocabulary:
            raise UsageError(f"the state belongs to another model than {self.run.name}. Read the text with this one.")
        return state
