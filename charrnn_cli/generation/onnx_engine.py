"""The network in ONNX Runtime with weights of 8 bits: a quarter of the memory to read for each token.

One graph reads a token. Others read or write several tokens without returning to Python between them: step, filters,
draw, and again. Sizes: B texts, T tokens, V tokens of the vocabulary, A alternatives, H hidden.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from charrnn_cli.config import ModelSettings
from charrnn_cli.errors import RunError
from charrnn_cli.generation.engine import Alternatives, EngineUnavailableError, IndependentEngine, Sampler, TokenBlock
from charrnn_cli.generation.numpy_cells import Array
from charrnn_cli.generation.numpy_engine import NumpyEngine, StepState
from charrnn_cli.generation.onnx_cells import ONNX_STEPS
from charrnn_cli.generation.onnx_graph import Graph
from charrnn_cli.generation.sampling import BROKEN, Ids
from charrnn_cli.machine import available_cores

LARGEST_GROUP = 256  # texts that are written side by side
TEXTS_PER_CORE = 4  # at least; fewer are not worth another core
# More texts are divided into parts, so that a core that other programs use too computes fewer of them. Smaller parts
# would read the weights more often.
MOST_TEXTS_AT_ONCE = 128
LARGEST_RATE = np.float32(1e30)  # limit of one over the temperature
BELOW_ONE = np.float32(1 - 2**-24)  # the largest number below 1
ALL_TOKENS = 2.0  # a `top_p` that no rounding can reach

Arrays = Mapping[str, NDArray[Any]]
GRAPHS: dict[str, Callable[[Graph], bytes]] = {
    "read": Graph.reading,
    "read block": Graph.reading_block,
    "write": lambda graph: graph.writing(scored=False),
    "write and score": lambda graph: graph.writing(scored=True),
}


@dataclass(frozen=True)
class FilterRow:
    """The settings of filters as `Graph.writing` takes them, for one text."""

    mask: Array  # (V,)
    limit: int
    rate: np.float32
    top_p: float
    least: np.float32

    @classmethod
    def of(cls, sampler: Sampler) -> "FilterRow":
        """The row of a sampler. At temperature 0 only the likeliest token is left."""
        settings, V, greedy = sampler.settings, len(sampler.allowed), sampler.settings.temperature == 0
        with np.errstate(divide="ignore"):
            least = np.maximum(np.log(np.float32(0 if greedy else settings.min_p)), np.finfo(np.float32).min)
        return cls(
            np.where(sampler.allowed, np.float32(0) if sampler.bias is None else sampler.bias, -np.inf).astype(
                np.float32
            ),
            1 if greedy else min(settings.top_n or V, V),
            np.float32(1.0 if greedy else min(1 / settings.temperature, float(LARGEST_RATE))),
            ALL_TOKENS if greedy or settings.top_p == 1 else settings.top_p,
            least,
        )


class OnnxEngine(IndependentEngine[StepState]):
    """Computes the same as the NumPy engine, with products of 8 bits."""

    name = "ONNX Runtime, 8 bits"
    fuses = frozenset({"bias", "ban", "allow_only", "allow_unknown", "temperature", "top_n", "top_p", "min_p"})

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
        self._last_filters: tuple[Sequence[Sampler], tuple[Arrays, Arrays]] | None = None
        self._filter_rows: WeakKeyDictionary[Sampler, FilterRow] = WeakKeyDictionary()
        self._masks: WeakValueDictionary[bytes, Array] = WeakValueDictionary()

    def warm_up(self) -> None:
        for graph in ("read block", "write"):
            self._session(graph)

    def start(self, streams: int) -> StepState:
        return self.numpy.start(streams)

    def rows(self, state: StepState, rows: Ids) -> StepState:
        return self.numpy.rows(state, rows)

    def together(self, states: Sequence[StepState]) -> StepState:
        return self.numpy.together(states)

    def to_array(self, state: StepState) -> Array:
        return self.numpy.to_array(state)

    def from_array(self, array: Array) -> StepState:
        return self.numpy.from_array(array)

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

    def read(self, ids: Ids, state: StepState) -> StepState:
        of_all = {"tokens": np.array(ids.shape[1])}
        return self._state(self._run("read block", {"block": np.asarray(ids, np.int64), **self._named(state)}, of_all))

    def write_fused(
        self, ids: Ids, state: StepState, recent: Ids, uniforms: NDArray[np.float64], sampler: Sampler
    ) -> TokenBlock[StepState]:
        """Writes with the graph that has filters and draw in it."""
        return self.write_each(ids, state, uniforms, [sampler])

    def write_each(
        self, ids: Ids, state: StepState, uniforms: NDArray[np.float64], samplers: Sequence[Sampler]
    ) -> TokenBlock[StepState]:
        by_text = {
            "ids": np.asarray(ids, np.int64),
            "uniforms": np.minimum(uniforms.astype(np.float32), BELOW_ONE),
            **self._named(state),
        }
        of_each, of_all = self._filters(samplers)
        by_text, of_all = {**by_text, **of_each}, {**of_all, "tokens": np.array(uniforms.shape[1])}
        scored = samplers[0].scored
        if scored:
            of_all["A"] = np.array([max(1, *(sampler.alternatives for sampler in samplers))])
        drawn, totals, *outputs = self._run("write and score" if scored else "write", by_text, of_all)  # (B, T) each
        if not (totals > 0).all():
            raise RunError(BROKEN)
        if not scored:
            return TokenBlock(drawn, None, self._state(outputs))
        scores, likeliest, likeliest_scores, *parts = outputs
        alternatives = Alternatives(likeliest, likeliest_scores.astype(np.float64))
        return TokenBlock(drawn, scores.astype(np.float64), self._state(parts), alternatives)

    def _filters(self, samplers: Sequence[Sampler]) -> tuple[Arrays, Arrays]:
        """`_filter_inputs` of some samplers; computed once as long as they are the same."""
        if self._last_filters is None or self._last_filters[0] is not samplers:
            self._last_filters = samplers, _filter_inputs([self._filter_row(sampler) for sampler in samplers])
        return self._last_filters[1]

    def _filter_row(self, sampler: Sampler) -> FilterRow:
        """The settings of a sampler for the graph. Samplers with equal masks share one array."""
        if sampler not in self._filter_rows:
            row = FilterRow.of(sampler)
            mask = self._masks.setdefault(row.mask.tobytes(), row.mask)
            self._filter_rows[sampler] = replace(row, mask=mask)
        return self._filter_rows[sampler]

    def _named(self, state: StepState) -> dict[str, Array]:
        """The hidden state by the names that the graphs use."""
        return dict(zip(self._graph.states, (part for parts in state.parts for part in parts), strict=True))

    def _state(self, outputs: list[Array]) -> StepState:
        """The hidden state from the outputs of a graph."""
        arrays = iter(outputs)
        return StepState(tuple(tuple(next(arrays) for _ in names) for names in self._graph.layer_states))

    def _run(self, graph: str, by_text: Arrays, of_all: Arrays) -> list[Any]:
        """The outputs of a graph. The inputs `by_text` (B, ...) are divided among the cores; all cores get `of_all`."""
        session, texts = self._session(graph), len(next(iter(by_text.values())))
        parts = max(min(self._threads, texts // TEXTS_PER_CORE), texts // MOST_TEXTS_AT_ONCE)
        if parts < 2 or self._threads == 1:
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
            model = GRAPHS[graph](self._graph)
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


def _filter_inputs(rows: Sequence[FilterRow]) -> tuple[Arrays, Arrays]:
    """The inputs of `Graph.writing` that say how tokens are chosen: those with a row for each text, and the others.

    Texts with the same mask share it.
    """
    columns = {
        "limit": np.array([[row.limit] for row in rows]),
        "rate": np.array([[row.rate] for row in rows], np.float32),
        "top_p": np.array([[row.top_p] for row in rows], np.float32),
        "least": np.array([[row.least] for row in rows], np.float32),
    }
    n = {"n": columns["limit"].max(axis=0)}
    if len(rows) == 1:
        return {}, {**columns, **n, "mask": rows[0].mask[None]}
    if all(row.mask is rows[0].mask for row in rows):
        return columns, {**n, "mask": rows[0].mask[None]}
    return {**columns, "mask": np.stack([row.mask for row in rows])}, n
