"""The recurrent step in ONNX Runtime with weights of 8 bits: a quarter of the memory that each character reads.

A graph reads a token, and another one writes several: step, filters, draw, and again, with no way back to Python
between two tokens. Sizes: B texts, T tokens, V tokens of the vocabulary, H hidden.
"""

from collections.abc import Mapping
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

SIDE_BY_SIDE = 256  # texts at once, at most
FEW = 4  # texts for which one core is faster than several
LARGEST_RATE = np.float32(1e30)  # one over the temperature, at most
NEVER_ONE = np.float32(1 - 2**-24)  # the largest number below 1


class OnnxEngine(StepEngine[State]):
    """The network as the NumPy engine has it, its products in 8 bits."""

    name = "ONNX Runtime, 8 bits"

    def __init__(self, weights: Mapping[str, NDArray[Any]], settings: ModelSettings) -> None:
        """Takes weights of any float type."""
        self.numpy = NumpyEngine(weights, settings)
        self._graph = Graph(self.numpy)
        self._sessions: dict[tuple[str, bool], Any] = {}

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
        logits, *parts = self._session("read", len(ids)).run(
            None, {"ids": np.asarray(ids, np.int64), **self._in(state)}
        )
        return logits, self._out(parts, state)

    def write(
        self, ids: Ids, state: State, recent: Ids, uniforms: NDArray[np.float64], sampler: Sampler
    ) -> Block[State]:
        """As `Engine` says; with a repetition penalty token by token."""
        if recent.size:
            return super().write(ids, state, recent, uniforms, sampler)
        given = {
            "ids": np.asarray(ids, np.int64),
            "tokens": np.array(uniforms.shape[1]),
            "uniforms": np.minimum(uniforms.T[:, :, None].astype(np.float32), NEVER_ONE),  # (T, B, 1)
            **_filters(sampler.settings, sampler.allowed),
            **self._in(state),
        }
        name = "write and score" if sampler.scored else "write"
        drawn, totals, *more = self._session(name, len(ids)).run(None, given)  # (T, B) each
        if not (totals > 0).all():
            raise RunError(BROKEN)
        scores = more.pop(0).T.astype(np.float64) if sampler.scored else None
        return Block(drawn.T, scores, self._out(more, state))

    def _in(self, state: State) -> dict[str, Array]:
        return dict(zip(self._graph.states, (part for parts in state.parts for part in parts), strict=True))

    def _out(self, parts: list[Array], state: State) -> State:
        each = len(state.parts[0])
        return State(tuple(tuple(parts[at : at + each]) for at in range(0, len(parts), each)))

    def _session(self, name: str, texts: int) -> Any:
        """What runs a graph: for few texts on one core, whose work is too short to be shared."""
        few = texts < FEW
        if (name, few) not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3  # errors alone
            options.intra_op_num_threads = 1 if few else 0  # 0: all cores
            model = self._graph.reading() if name == "read" else self._graph.writing(scored=name == "write and score")
            session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
            self._sessions[name, few] = session
        return self._sessions[name, few]


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
        "first": (np.arange(V) < n).astype(np.float32),  # (V,)
        "rate": np.array(rate, np.float32),
        "top_p": np.array(top_p, np.float32),
        "least": np.array(least, np.float32),
    }
