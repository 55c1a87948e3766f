"""A small model in a batcher, and what it writes."""

import threading
from types import SimpleNamespace

import torch

from charrnn_cli.config import ModelSettings, SamplingSettings
from charrnn_cli.generation import long_texts, prefill, prompts, reading, state_cache
from charrnn_cli.generation.batching import Batcher
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.onnx_engine import OnnxEngine
from charrnn_cli.generation.prompts import PromptEncoder
from charrnn_cli.generation.reading import read_tokens
from charrnn_cli.generation.requests import Ended, Failed, TextRequest, Written
from charrnn_cli.generation.texts import Piece, Sample, write_texts
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.text.vocabulary import Vocabulary

SETTINGS = ModelSettings(hidden=16, layers=2, embedding=8, layer_norm=True)
ABC = Vocabulary("char", ("\n", " ", *"abcdefghijklmnopqrstuvwxyz"))
ENCODER = PromptEncoder(ABC)
ENGINES = {"numpy": NumpyEngine, "onnx": OnnxEngine}


def small_engine(name="onnx"):
    """A network with rather confident predictions."""
    torch.manual_seed(0)
    weights = {name: 4 * array for name, array in get_weights(LanguageModel(SETTINGS, len(ABC))).items()}
    return ENGINES[name](weights, SETTINGS)


def request(prompt="far", seed=0, number=0, bias=(), length=20, **options) -> TextRequest:
    names = ("scored", "prompt_scored", "alternatives", "echo", "owner")
    fields = {name: options.pop(name) for name in names if name in options}
    settings = SamplingSettings(length=length, **options)
    return TextRequest(ENCODER.encode(prompt), settings, seed, number, bias, **fields)


def alone(engine, one: TextRequest) -> tuple[str, str]:
    """The text of a request and its ending, written without a batcher."""
    state = read_tokens(engine, ABC, one.prompt.ids[: one.prompt.length].tolist())
    found = write_texts(engine, ABC, state, one.settings, one.seed, one.number + 1)
    events = [event for event in found if event.sample == one.number]
    text = "".join(event.text for event in events if isinstance(event, Piece))
    return text, next(event.ending for event in events if isinstance(event, Sample))


def shorten_blocks(monkeypatch, size: int = 64) -> None:
    """Makes texts long that have 8 blocks of this many tokens, so that tests need not read thousands."""
    for module in (long_texts, prefill, prompts, reading, state_cache):
        monkeypatch.setattr(module, "BLOCK", size)
    for module in (long_texts, prefill, reading):
        monkeypatch.setattr(module, "LONG_TEXT", 8 * size)
    monkeypatch.setattr(long_texts, "END_TOKENS", 4 * size)
    monkeypatch.setattr(long_texts, "COMPARED_TOKENS", size // 4)
    monkeypatch.setattr(prefill, "SAVED_BEFORE_END", (2, 8, size // 2))


class Running:
    """A batcher of one model, "abc", and all events that it has delivered."""

    def __init__(self, engine=None, cache_bytes=10**8):
        self.engine = engine or small_engine()
        self.events: dict[TextRequest, list] = {}
        self._changed = threading.Condition()
        model = SimpleNamespace(engine=self.engine, vocabulary=ABC)
        self.batcher = Batcher({"abc": model}, self._deliver, cache_bytes)

    def __enter__(self):
        self.batcher.start()
        return self

    def __exit__(self, *error):
        if self.batcher.alive:
            self.batcher.close()

    def _deliver(self, events):
        with self._changed:
            for one, event in events:
                self.events.setdefault(one, []).append(event)
            self._changed.notify_all()

    def submit(self, *requests):
        self.batcher.submit("abc", requests)

    def wait_for(self, done):
        """Waits until `done()` is true."""
        with self._changed:
            assert self._changed.wait_for(done, timeout=60)

    def run(self, *requests):
        """The events of requests, in their order."""
        self.submit(*requests)
        self.wait_for(lambda: all(self.ended(one) for one in requests))
        return [self.events[one] for one in requests]

    def ended(self, one) -> bool:
        return bool(self.events.get(one)) and isinstance(self.events[one][-1], Ended | Failed)


def text_of(events) -> str:
    return "".join(event.text for event in events if isinstance(event, Written))


def result(events) -> tuple[str, str]:
    return text_of(events), events[-1].ending
