"""The recurrent step in ONNX Runtime with weights of 8 bits: a quarter of the memory that each character reads.

A graph reads a token, and another one writes several: step, filters, draw, and again, with no way back to Python
between two tokens. Sizes: B texts, T tokens, V tokens of the vocabulary, H hidden.
"""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from charrnn_cli.config import ModelSettings, SamplingSettings
from charrnn_cli.errors import RunError
from charrnn_cli.generation.engine import Block, Sampler, StepEngine
from charrnn_cli.generation.numpy_engine import Array, NumpyEngine, State
from charrnn_cli.generation.onnx_graph import Graph
from charrnn_cli.generation.sampling import BROKEN, Ids
from charrnn_cli.machine import available_cores

SIDE_BY_SIDE = 256  # texts at once, at most
FEW = 4  # texts that are not worth another core
LARGEST_RATE = np.float32(1e30)  # one over the temperature, at most
NEVER_ONE = np.float32(1 - 2**-24)  # the largest number below 1


class OnnxEngine(StepEngine[State]):
    """The network as the NumPy engine has it, its products in 8 bits."""

    name = "ONNX Runtime, 8 bits"

    def __init__(self, weights: Mapping[str, NDArray[Any]], settings: ModelSettings) -> None:
        """Takes weights of any float type."""
        self.numpy = NumpyEngine(weights, settings)
        self._graph = Graph(self.numpy)
        self._sessions: dict[str, Any] = {}

    def start(self, streams: int) -> State:
        """The state before any token."""
        return self.numpy.start(streams)

    def repeat(self, state: State, streams: int) -> State:
        """The state of one text as that of so many."""
        return self.numpy.repeat(state, streams)

    def groups(self, texts: int) -> list[int]:
        """As few as there can be."""
        whole, rest = divmod(texts, SIDE_BY_SIDE)
        return [SIDE_BY_SIDE] * whole + [rest] * (rest > 0)

    def tokens_at_once(self, texts: int) -> int:
        """As many of one text as of several: they take no longer than it takes to show them."""
        return self.block

    def step(self, ids: Ids, state: State) -> tuple[Array, State]:
        """Ids (B,), state to logits of the next token (B, V), state."""
        logits, *parts = self._run("read", {"ids": np.asarray(ids, np.int64), **self._in(state)}, {})
        return logits, self._out(parts, state)

    def write(
        self, ids: Ids, state: State, recent: Ids, uniforms: NDArray[np.float64], sampler: Sampler
    ) -> Block[State]:
        """As `Engine` says; with a repetition penalty token by token."""
        if recent.size:
            return super().write(ids, state, recent, uniforms, sampler)
        given = {
            "ids": np.asarray(ids, np.int64),
            "uniforms": np.minimum(uniforms.astype(np.float32), NEVER_ONE),
            **self._in(state),
        }
        asked = {"tokens": np.array(uniforms.shape[1]), **_filters(sampler.settings, sampler.allowed)}
        drawn, totals, *more = self._run("write and score" if sampler.scored else "write", given, asked)  # (B, T) each
        if not (totals > 0).all():
            raise RunError(BROKEN)
        scores = more.pop(0).astype(np.float64) if sampler.scored else None
        return Block(drawn, scores, self._out(more, state))

    def _in(self, state: State) -> dict[str, Array]:
        return dict(zip(self._graph.states, (part for parts in state.parts for part in parts), strict=True))

    def _out(self, parts: list[Array], state: State) -> State:
        each = len(state.parts[0])
        return State(tuple(tuple(parts[at : at + each]) for at in range(0, len(parts), each)))

    def _run(self, name: str, given: Mapping[str, NDArray[Any]], asked: Mapping[str, NDArray[Any]]) -> list[Any]:
        """What a graph makes of what is `given` of each text (B, ...), and `asked` of all: some texts on each core."""
        session, texts = self._session(name), len(given["ids"])
        parts = min(available_cores(), texts // FEW)
        if parts < 2:
            made: list[Any] = session.run(None, {**given, **asked})
            return made
        shares = ({**dict(zip(given, rows, strict=True)), **asked} for rows in _shared(given.values(), parts))
        each = self._cores.map(lambda share: session.run(None, share), shares)
        return [np.concatenate(rows) for rows in zip(*each, strict=True)]

    @cached_property
    def _cores(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(available_cores())

    def _session(self, name: str) -> Any:
        """What runs a graph, on the core that asks."""
        if name not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3  # errors alone
            options.intra_op_num_threads = 1
            model = self._graph.reading() if name == "read" else self._graph.writing(scored=name == "write and score")
            self._sessions[name] = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return self._sessions[name]


def _shared(arrays: Iterable[NDArray[Any]], parts: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """So many parts of the rows of all arrays."""
    return zip(*(np.array_split(array, parts) for array in arrays), strict=True)


def _filters(settings: SamplingSettings, allowed: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """What the graph that writes is told of the settings."""
    V, greedy = len(allowed), settings.temperature == 0
    n = 1 if greedy else settings.top_n or V
    rate = 1.0 if greedy else min(1 / settings.temperature, LARGEST_RATE)
    top_p = 2.0 if greedy or settings.top_p == 1 else settings.top_p  # 2: all, whatever is rounded
    with np.errstate(divide="ignore"):
        least = np.maximum(np.log(np.float32(0 if greedy else settings.min_p)), np.finfo(np.float32).min)
    return {
        "mask": np.where(allowed, 0, -np.inf).astype(np.float32),  # (V,)
        "n": np.array([min(n, V)]),
        "rate": np.array(rate, np.float32),
        "top_p": np.array(top_p, np.float32),
        "least": np.array(least, np.float32),
    }
