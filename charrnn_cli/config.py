"""All settings, as frozen dataclasses: each default, range, help text and help group is written here, once.

The command line builds its flags from these fields, `config.json` stores them, and the Python API takes them as
keyword arguments.
"""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from charrnn_cli.errors import UsageError
from charrnn_cli.setting import Checked, defaults, setting

Level = Literal["char", "byte", "word", "subword"]
SplitOn = Literal["punctuation", "whitespace"]
Documents = Literal["file", "line", "record"]
OptimizerName = Literal["adam", "adamw", "sgd", "rmsprop", "soap"]
Schedule = Literal["cosine", "linear", "constant", "epoch-decay", "plateau"]
LossPer = Literal["token", "window"]
Precision = Literal["auto", "float32", "tf32", "bfloat16", "float16"]
Over = Literal["steps", "epochs", "time", "tokens"]  # the x axis of a loss curve
Unit = Literal["loss", "bits", "perplexity"]  # the y axis of a loss curve
Unknown = Literal["error", "skip", "replace"]  # what to do with tokens of a prime that the model does not know
Unscorable = Literal["error", "skip"]  # what to do with tokens of a scored text that a model without <unk> lacks
EngineName = Literal["auto", "numpy", "onnx", "torch"]

BOUNDS = ("epochs", "steps", "minutes")  # the settings that can limit a run
FROM_NOTHING = "none"  # instead of a trained model to start from: random weights
ENDING = ("cosine", "linear")  # schedules that need to know where the run ends
HELD_OUT = 0.05  # share of the text for each of validation and test, unless a share is given
HELD_OUT_TOKENS = 1_000_000  # upper limit of that; a mean over more tokens is hardly more precise
LIST_TOKENS, LIST_SHARE = 1_000, 0.2  # of a short list for validation: this many tokens, at most this share
SUBWORDS = 1_000  # that are learned, besides the characters, unless a vocabulary size is given
VISUALIZED_TOKENS = 100_000  # that `charrnn visualize` reads, unless told otherwise
BY_PRESET = "set by the preset"  # the default of settings that presets choose

# The groups of options in the help, in the order in which the help shows them.
RUN, TEXT, VOCABULARY, SPLITS = "Run and time", "Text", "Vocabulary", "Splits"
NETWORK, REGULARIZATION, OPTIMIZER = "Network", "Regularization", "Optimizer and schedule"
PRIME, LENGTH, CHOICE = "Prime", "Length and end", "Choice of the next token"
TEXTS, SELECTION = "Number of texts", "Texts to keep"
MODEL, DEVICE, CHECKPOINTS, OUTPUT = "Model", "Device", "Checkpoints", "Output"
ADDRESS, LIMITS = "Address and access", "Limits"
GROUPS = (
    *(RUN, TEXT, VOCABULARY, SPLITS, NETWORK, REGULARIZATION, OPTIMIZER),
    *(PRIME, LENGTH, CHOICE, TEXTS, SELECTION, ADDRESS, LIMITS, MODEL, DEVICE, CHECKPOINTS, OUTPUT),
)


@dataclass(frozen=True)
class PrepareSettings(Checked):
    """How a text becomes token ids."""

    level: Level = setting(
        "char",
        "What a token is: a character, a byte (for any file), a word or punctuation mark, or a subword, which is a "
        "frequent part of a word.",
        VOCABULARY,
    )
    encoding: str = setting("utf-8", "Text encoding of the files, such as cp1252 or utf-16.", TEXT)
    valid: float | None = setting(
        None,
        "Share of the text held out for validation.",
        SPLITS,
        "[0, 1)",
        f"{HELD_OUT}, at most {HELD_OUT_TOKENS:,} tokens; up to {LIST_SHARE} of a short list",
    )
    test: float | None = setting(
        None,
        "Share of the text, at its end, held out for the test.",
        SPLITS,
        "[0, 1)",
        f"{HELD_OUT}, at most {HELD_OUT_TOKENS:,} tokens",
    )
    min_count: int = setting(1, "Tokens that occur less often become <unk>.", VOCABULARY, "[1, inf)")
    vocab_size: int | None = setting(
        None,
        "Maximum vocabulary size; the rarest tokens become <unk>. At level subword, it includes the characters.",
        VOCABULARY,
        "[2, inf)",
        f"no limit; {SUBWORDS:,} subwords and all characters",
    )
    split_on: SplitOn = setting(
        "punctuation", "Split words at punctuation too, or only at white space (for tokenized text).", VOCABULARY
    )
    lowercase: bool = setting(False, "Convert the text to lower case.", VOCABULARY)
    documents: Documents | None = setting(
        None, "Treat each file, line or record as a document, and learn where documents end.", TEXT, shown="one text"
    )
    field: str | None = setting(
        None, "Read JSON Lines, and take the text from this field of each record.", TEXT, shown="text, for .jsonl files"
    )

    def check(self) -> None:
        shares = sum(HELD_OUT if share is None else share for share in (self.valid, self.test))
        if shares >= 1:
            raise UsageError(f"`valid` and `test` together must be less than 1, got {shares}.")
        if self.level == "byte":
            for name in ("encoding", "documents", "field", "min_count", "vocab_size", "lowercase"):
                value = getattr(self, name)
                if value != defaults(PrepareSettings)[name]:
                    raise UsageError(
                        f"`{name}={value}` does not apply to `level=byte`, which keeps all bytes. Leave it out."
                    )
        if self.level != "word" and self.split_on != "punctuation":
            raise UsageError(f"`split_on={self.split_on}` applies only to words. Add `level=word`.")


@dataclass(frozen=True)
class ModelSettings(Checked):
    """The shape of the network, its dropout, and how its weights are initialized."""

    cell: str = setting("lstm", "Type of recurrent cell.", NETWORK)  # a name in network/cells.py
    hidden: int = setting(384, "Units in each layer.", NETWORK, "[1, 65536]", BY_PRESET)
    layers: int = setting(2, "Number of recurrent layers.", NETWORK, "[1, 64]")
    embedding: int = setting(
        128, "Size of the token embeddings; 0 for one-hot input.", NETWORK, "[0, 65536]", BY_PRESET
    )
    dropout: float = setting(
        0.1, "Dropout between layers and before the output layer.", REGULARIZATION, "[0, 1)", BY_PRESET
    )
    input_dropout: float = setting(0.0, "Dropout on the embeddings.", REGULARIZATION, "[0, 1)", BY_PRESET)
    locked_dropout: bool = setting(
        False, "Use the same dropout mask at every token of a window (variational dropout).", REGULARIZATION
    )
    weight_drop: float = setting(
        0.0, "Dropout on the recurrent weights (DropConnect).", REGULARIZATION, "[0, 1)", BY_PRESET
    )
    residual: bool = setting(True, "Add the input of a layer to its output.", NETWORK)
    layer_norm: bool = setting(
        False, "Normalize the input of each layer and of the output layer.", NETWORK, shown=BY_PRESET
    )
    tie_weights: bool = setting(
        False, "Share one matrix between the embedding and the output layer.", NETWORK, shown=BY_PRESET
    )
    forget_bias: float = setting(1.0, "Initial bias of an LSTM's forget gates.", NETWORK, "[-1e6, 1e6]")
    init_scale: float = setting(
        0.0,
        "Initialize weights uniformly between minus and plus this value; 0 scales by layer size.",
        NETWORK,
        "[0, 1e6]",
    )

    def check(self) -> None:
        if self.tie_weights and self.embedding != self.hidden:
            raise UsageError(
                f"`tie_weights` needs an embedding of the same size as the layers, got embedding {self.embedding} "
                f"and hidden {self.hidden}. Pass `embedding={self.hidden}`, or `tie_weights=False`."
            )


@dataclass(frozen=True)
class TrainingSettings(Checked):
    """How the network is trained. `epochs`, `steps` or `minutes` limits the run, or `patience` alone ends it."""

    batch_size: int = setting(
        16, "Number of streams of text that are read in parallel.", OPTIMIZER, "[1, inf)", BY_PRESET
    )
    seq_length: int = setting(64, "Tokens per window: how far back gradients reach.", OPTIMIZER, "[1, inf)", BY_PRESET)
    accumulate: int = setting(
        1,
        "Split each batch into this many parts and add up their gradients: less memory, same result.",
        OPTIMIZER,
        "[1, inf)",
    )
    optimizer: OptimizerName = setting("adam", "Optimizer.", OPTIMIZER, shown=BY_PRESET)
    weight_decay: float = setting(0.01, "Weight decay of adamw and soap.", REGULARIZATION, "[0, inf)", BY_PRESET)
    learning_rate: float = setting(3e-3, "Peak learning rate.", OPTIMIZER, "(0, inf)", BY_PRESET)
    schedule: Schedule = setting(
        "cosine",
        "Learning rate schedule. cosine and linear end at 0; epoch-decay multiplies by `lr_decay` in each epoch after "
        "`max_epoch`; plateau multiplies by it when the validation loss stops improving.",
        OPTIMIZER,
        shown="cosine; plateau if the validation loss ends the run",
    )
    max_epoch: int = setting(1, "Epochs before epoch-decay starts.", OPTIMIZER, "[0, inf)")
    lr_decay: float = setting(0.5, "Factor for epoch-decay and plateau.", OPTIMIZER, "(0, 1]")
    warmup: int = setting(100, "Steps over which the learning rate rises to its peak.", OPTIMIZER, "[0, inf)")
    clip: float = setting(1.0, "Maximum norm of the gradients; 0 for no limit.", OPTIMIZER, "[0, 1e30]")
    clip_value: float = setting(0.0, "Maximum absolute value of each gradient; 0 for no limit.", OPTIMIZER, "[0, 1e30]")
    loss_per: LossPer = setting(
        "token", "Take gradients of the mean loss per token, or of its sum over a window.", OPTIMIZER
    )
    precision: Precision = setting(
        "auto", "Number format of matrix products; auto takes the fastest: float16 on GPUs, bfloat16 on CPUs.", DEVICE
    )
    threads: int | None = setting(
        None,
        "Number of CPU threads. A fixed number makes results repeatable to the last bit.",
        DEVICE,
        "[1, 1024]",
        "all cores, fewer while the machine is busy",
    )
    calibrate: bool = setting(
        False, "Fit the softmax temperature of the model to the validation text.", REGULARIZATION, shown=BY_PRESET
    )
    reset: float = setting(0.04, "Probability of resetting a stream's state before a window.", REGULARIZATION, "[0, 1]")
    random_offset: bool = setting(
        False, "Start each epoch at a random position in each stream.", REGULARIZATION, shown=BY_PRESET
    )
    shuffle_documents: bool = setting(
        False, "Read the documents in another order in each epoch.", REGULARIZATION, shown=BY_PRESET
    )
    epochs: int | None = setting(None, "Stop after this many passes over the text.", RUN, "[1, inf)", "no limit")
    steps: int | None = setting(None, "Stop after this many steps.", RUN, "[1, inf)", "no limit")
    minutes: float | None = setting(
        None, "Stop after this many minutes; cosine and linear schedules end then.", RUN, "(0, 1e8]", "no limit"
    )
    patience: int | None = setting(
        None,
        "Stop after this many validations without a better loss.",
        RUN,
        "[1, inf)",
        "5 without a limit, and in long fine-tuning",
    )
    seed: int = setting(0, "Seed of all random numbers.", RUN, f"[0, {2**63})")
    checkpoint_every: int | None = setting(
        None, "Save every N steps.", CHECKPOINTS, "[1, inf)", "chosen so that saving takes less than 2 % of the time"
    )
    keep: int = setting(3, "Number of recent checkpoints to keep, besides the best.", CHECKPOINTS, "[1, inf)")
    keep_early: bool = setting(
        True, "Also keep up to six early checkpoints, which show how the model learned.", CHECKPOINTS
    )

    def check(self) -> None:
        if self.accumulate > self.batch_size:
            raise UsageError(f"`accumulate` must be at most `batch_size` ({self.batch_size}), got {self.accumulate}.")
        if sum(getattr(self, bound) is not None for bound in BOUNDS) > 1:
            raise UsageError("only one limit is possible. Pass one of `epochs`, `steps` and `minutes`.")
        if self.bound is None and (self.patience is None or self.schedule in ENDING):
            raise UsageError(
                f"a run without `minutes`, `epochs` or `steps` needs `patience`, and a `schedule` that does not "
                f"depend on the end of the run, got {self.schedule}. Pass a limit, or `patience=5` and "
                "`schedule=plateau`."
            )

    @property
    def bound(self) -> tuple[str, float] | None:
        """The setting that limits the run and its value; None if only patience ends it."""
        return next(((name, amount) for name in BOUNDS if (amount := getattr(self, name)) is not None), None)

    def with_changes(self, changes: Mapping[str, Any]) -> "TrainingSettings":
        """The settings with some replaced; a new limit replaces the old one. Raises UsageError."""
        if any(name in changes for name in BOUNDS):
            changes = {**dict.fromkeys(BOUNDS), **changes}
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True)
class SamplingSettings(Checked):
    """How the next token is chosen, and where a text ends."""

    length: int = setting(
        500, "Maximum number of tokens to write: characters, bytes, words or subwords.", LENGTH, "[0, inf)"
    )
    temperature: float = setting(
        0.8, "Higher values take more risks; 0 always takes the likeliest token.", CHOICE, "[0, inf)"
    )
    top_n: int = setting(0, "Choose among the N likeliest tokens; 0 for all.", CHOICE, "[0, inf)")
    top_p: float = setting(
        0.9, "Choose among the likeliest tokens that together have this probability; 1 for all.", CHOICE, "(0, 1]"
    )
    min_p: float = setting(
        0.0, "Skip tokens less likely than this fraction of the likeliest one; 0 for none.", CHOICE, "[0, 1)"
    )
    repetition_penalty: float = setting(
        1.0, "Values above 1 make recently written tokens less likely.", CHOICE, "[0.01, 100]"
    )
    repetition_window: int = setting(64, "Number of recent tokens that the penalty looks at.", CHOICE, "[1, 1000000]")
    ban: tuple[str, ...] = setting((), "Never write these characters or words. Repeatable.", CHOICE, shown="none")
    allow_only: tuple[str, ...] = setting((), "Write only these characters or words. Repeatable.", CHOICE, shown="all")
    allow_unknown: bool = setting(False, "Let the model write <unk>.", CHOICE)
    stop: tuple[str, ...] = setting((), "Stop before this text. Repeatable.", LENGTH, shown="none")
    keep_stop: bool = setting(False, "Include the text of `stop` in the output.", LENGTH)
    until_line: bool = setting(False, "After `length` tokens, continue to the end of the line.", LENGTH)
    lines: int = setting(
        0, "Stop after this many lines; 0 for no limit. A model of a list writes this many texts.", LENGTH, "[0, inf)"
    )

    def check(self) -> None:
        for name in ("ban", "allow_only", "stop"):
            if "" in getattr(self, name):
                raise UsageError(f"`{name}` must not contain an empty text.")


@dataclass(frozen=True)
class SelectionSettings(Checked):
    """Which texts are kept. A text is judged with its prime; for each that is refused, another one is written."""

    novel: bool = setting(False, "Keep no text that is a line or document of the prepared text.", SELECTION)
    unique: bool = setting(False, "Keep no text twice.", SELECTION)
    starts_with: str | None = setting(None, "Keep only texts that start with this.", SELECTION, shown="any")
    contains: tuple[str, ...] = setting(
        (), "Keep only texts that contain this. Repeatable; a text must contain all.", SELECTION, shown="any"
    )
    max_length: int | None = setting(
        None, "Keep only texts of at most this many characters.", SELECTION, "[1, inf)", "no limit"
    )
    validate: str | None = setting(
        None,
        "Keep only texts that this command accepts: it gets one on standard input and exits with code 0.",
        SELECTION,
        shown="none",
    )
    tries: int = setting(100, "Write at most this many texts for each one asked for.", SELECTION, "[1, inf)")

    def check(self) -> None:
        for name in ("starts_with", "validate"):
            if getattr(self, name) == "":
                raise UsageError(f"`{name}` must not be empty. Leave it out to keep all texts.")
        if "" in self.contains:
            raise UsageError("`contains` must not contain an empty text.")


@dataclass(frozen=True)
class ServeSettings(Checked):
    """Where a server listens, whom it answers, and what a request may ask for."""

    host: str = setting("127.0.0.1", "Address to listen on. If other machines can reach it, a key is needed.", ADDRESS)
    port: int = setting(8000, "Port to listen on; 0 for any free one.", ADDRESS, "[0, 65535]")
    cors: tuple[str, ...] = setting(
        (),
        "Let web pages of this origin, such as https://example.com, use the server. Repeatable.",
        ADDRESS,
        shown="none",
    )
    max_tokens: int = setting(100_000, "Maximum number of tokens in a text.", LIMITS, "[1, inf)")
    max_texts: int = setting(
        128, "Maximum number of texts in a request: prompts times n or best_of.", LIMITS, "[1, inf)"
    )
    max_body: float = setting(16, "Maximum size of a request, in megabytes.", LIMITS, "(0, 1e6]")
    max_streams: int = setting(
        4096, "Maximum number of texts written at once; requests for more get status 429.", LIMITS, "[1, inf)"
    )
    cache: float = setting(
        900, "Memory for cached hidden states, in megabytes, so that no prompt is read twice.", LIMITS, "[0, 1e9]"
    )
    unknown: Unknown = setting(
        "error",
        "What to do with parts of a prompt that the model does not know, if the request does not say: report them, "
        "skip them, or use the closest known ones.",
        MODEL,
    )

    def check(self) -> None:
        for origin in self.cors:
            if not re.fullmatch(r"https?://[^/\s]+|\*", origin):
                raise UsageError(f"`cors` must be an origin such as https://example.com, or *, got {origin!r}.")
