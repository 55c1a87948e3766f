"""The network in ONNX Runtime with weights of 8 bits: a quarter of the memory to read for each token.

One graph reads a token. Another one writes several tokens without returning to Python between them: step, filters,
draw, and again. Sizes: B texts, T tokens, V tokens of the vocabulary, H hidden.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import ModelSettings, SamplingSettings
from charrnn_cli.errors import RunError
from charrnn_cli.generation.engine import Engine, EngineUnavailableError, Sampler, TokenBlock
from charrnn_cli.generation.numpy_cells import Array
from charrnn_cli.generation.numpy_engine import NumpyEngine, StepState
from charrnn_cli.generation.onnx_cells import ONNX_STEPS
from charrnn_cli.generation.onnx_graph import Graph
from charrnn_cli.generation.sampling import BROKEN, Ids
from charrnn_cli.machine import available_cores

LARGEST_GROUP = 256  # texts that are written side by side
TEXTS_PER_CORE = 4  # at least; fewer are not worth another core
LARGEST_RATE = np.float32(1e30)  # limit of one over the temperature
BELOW_ONE = np.float32(1 - 2**-24)  # the largest number below 1
ALL_TOKENS = 2.0  # a `top_p` that no rounding can reach

Arrays = Mapping[str, NDArray[Any]]


class OnnxEngine(Engine[StepState]):
    """Computes the same as the NumPy engine, with products of 8 bits."""

    name = "ONNX Runtime, 8 bits"
    fuses = frozenset({"ban", "allow_only", "allow_unknown", "temperature", "top_n", "top_p", "min_p"})

    def __init__(
        self, weights: Mapping[str, NDArray[Any]], settings: ModelSettings, threads: int | None = None
    ) -> None:
        """Takes weights of any float type. Raises EngineUnavailableError for an unknown cell."""
        if settings.cell not in ONNX_STEPS:
            raise EngineUnavailableError(
                f"`engine=onnx` cannot compute the cell {settings.cell!r}. Pass `engine=torch`."
            )
        self.numpy = NumpyEngine(weights, settings)
        self._graph = Graph(self.numpy)
        self._threads = available_cores() if threads is None else threads
        self._sessions: dict[str, Any] = {}

    def start(self, streams: int) -> StepState:
        return self.numpy.start(streams)

    def repeat(self, state: StepState, streams: int) -> StepState:
        return self.numpy.repeat(state, streams)

    def groups(self, texts: int) -> list[int]:
        """As few groups as possible: with integer products a text does not depend on the others in its group."""
        full, rest = divmod(texts, LARGEST_GROUP)
        return [LARGEST_GROUP] * full + ([rest] if rest else [])

    def tokens_at_once(self, texts: int) -> int:
        """A whole block even for a single text: writing it takes no longer than showing it."""
        return self.block_tokens

    def step(self, ids: Ids, state: StepState) -> tuple[Array, StepState]:
        logits, *parts = self._run("read", {"ids": np.asarray(ids, np.int64), **self._named(state)}, {})
        return logits, self._state(parts)

    def write_fused(
        self, ids: Ids, state: StepState, recent: Ids, uniforms: NDArray[np.float64], sampler: Sampler
    ) -> TokenBlock[StepState]:
        """Writes with the graph that has filters and draw in it."""
        by_text = {
            "ids": np.asarray(ids, np.int64),
            "uniforms": np.minimum(uniforms.astype(np.float32), BELOW_ONE),
            **self._named(state),
        }
        of_all = {"tokens": np.array(uniforms.shape[1]), **_filter_inputs(sampler.settings, sampler.allowed)}
        graph = "write and score" if sampler.scored else "write"
        drawn, totals, *outputs = self._run(graph, by_text, of_all)  # (B, T) each
        if not (totals > 0).all():
            raise RunError(BROKEN)
        scores = outputs.pop(0).astype(np.float64) if sampler.scored else None
        return TokenBlock(drawn, scores, self._state(outputs))

    def _named(self, state: StepState) -> dict[str, Array]:
        """The hidden state by the names that the graphs use."""
        return dict(zip(self._graph.states, (part for parts in state.parts for part in parts), strict=True))

    def _state(self, outputs: list[Array]) -> StepState:
        """The hidden state from the outputs of a graph."""
        arrays = iter(outputs)
        return StepState(tuple(tuple(next(arrays) for _ in names) for names in self._graph.layer_states))

    def _run(self, graph: str, by_text: Arrays, of_all: Arrays) -> list[Any]:
        """The outputs of a graph. The inputs `by_text` (B, ...) are divided among the cores; all cores get `of_all`."""
        session, texts = self._session(graph), len(by_text["ids"])
        parts = min(self._threads, texts // TEXTS_PER_CORE)
        if parts < 2:
            outputs: list[Any] = session.run(None, {**by_text, **of_all})
            return outputs
        shares = ({**dict(zip(by_text, rows, strict=True)), **of_all} for rows in _divided(by_text.values(), parts))
        outputs_of_each = self._cores.map(lambda share: session.run(None, share), shares)
        return [np.concatenate(rows) for rows in zip(*outputs_of_each, strict=True)]

    @cached_property
    def _cores(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads)

    def _session(self, graph: str) -> Any:
        """The session that runs a graph, on the core of its caller."""
        if graph not in self._sessions:
            onnxruntime = _import_onnxruntime()
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3  # only errors
            options.intra_op_num_threads = 1
            model = self._graph.reading() if graph == "read" else self._graph.writing(graph == "write and score")
            self._sessions[graph] = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return self._sessions[graph]


def _import_onnxruntime() -> Any:
    """ONNX Runtime without its telemetry, which starts with the import: it looks up a host and writes files at home."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    return onnxruntime


def _divided(arrays: Iterable[NDArray[Any]], parts: int) -> Iterator[tuple[NDArray[Any], ...]]:
    """The rows of all arrays, in this many parts."""
    return zip(*(np.array_split(array, parts) for array in arrays), strict=True)


def _filter_inputs(settings: SamplingSettings, allowed: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """The settings of filters as `Graph.writing` takes them. Temperature 0 leaves only the likeliest token."""
    V, greedy = len(allowed), settings.temperature == 0
    n = 1 if greedy else settings.top_n or V
    rate = 1.0 if greedy else min(1 / settings.temperature, LARGEST_RATE)
    top_p = ALL_TOKENS if greedy or settings.top_p == 1 else settings.top_p
    with np.errstate(divide="ignore"):
        least = np.maximum(np.log(np.float32(0 if greedy else settings.min_p)), np.finfo(np.float32).min)
    return {
        "mask": np.where(allowed, 0, -np.inf).astype(np.float32),  # (V,)
        "n": np.array([min(n, V)]),
        "rate": np.array(rate, np.float32),
        "top_p": np.array(top_p, np.float32),
        "least": np.array(least, np.float32),
    }
