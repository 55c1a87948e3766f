"""The content of the ONNX files of a model for programs without charrnn: one reads a token, one draws several.

Sizes: B texts, T tokens, V tokens of the vocabulary, H hidden.
"""

import json
from dataclasses import asdict
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from charrnn_cli.errors import UsageError
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.onnx_cells import ONNX_STEPS
from charrnn_cli.generation.onnx_engine import LARGEST_RATE
from charrnn_cli.generation.onnx_graph import TRUE, Graph
from charrnn_cli.generation.onnx_nodes import FLOAT, INT, model_bytes, tensor_info
from charrnn_cli.generation.prime import first_token
from charrnn_cli.runs.models import StoredModel

LARGEST_FILE = 2_000_000_000  # bytes; the limit of protobuf is 2 GiB
MEANINGS = {  # of the inputs and outputs
    "ids": "the last token of each text, which has not been read yet",
    "uniforms": "a random number for each token to draw, at least 0 and below 1",
    "temperature": "higher values take more risks; 0 always takes the likeliest token",
    "top_n": "choose among this many likeliest tokens; 0 for all",
    "top_p": "choose among the likeliest tokens that together have this probability; 1 for all",
    "min_p": "skip tokens less likely than this fraction of the likeliest one; 0 for none",
    "bias": "numbers that are added to the logits before the filters; minus infinity bans a token",
    "logits": "the unnormalized log-probabilities of the next token",
    "drawn": "the tokens that were drawn; the last one has not been read yet",
}
FILTER_NODES = (  # operation, inputs, output: from the inputs of users to those of `Graph.loop_body`
    ("Squeeze", ["shape"], "tokens"),
    ("Add", ["bias", "writable"], "mask"),
    ("Less", ["top_n", "one"], "takes_all"),
    ("Where", ["takes_all", "V", "top_n"], "at_most"),
    ("Equal", ["temperature", "zero"], "is_greedy"),
    ("Where", ["is_greedy", "one", "at_most"], "wanted"),
    ("Min", ["wanted", "V"], "n"),
    ("Div", ["unit", "temperature"], "inverse"),
    ("Min", ["inverse", "largest_rate"], "rate"),
    ("Log", ["min_p"], "least"),
)


class ExportedGraph(Graph):
    """The graphs of the two files. A state `h0` is returned as `next_h0`."""

    def step_graph(self) -> Any:
        """The ids (B,) and states (B, H) to logits (B, V) and states."""
        next_states = [f"next_{name}" for name in self.states]
        inner, outer = [self.logits, *self.new_states], ["logits", *next_states]
        names = [helper.make_node("Identity", [old], [new]) for old, new in zip(inner, outer, strict=True)]
        inputs = [tensor_info("ids", INT, "B"), *self.state_values(self.states)]
        outputs = [tensor_info("logits", FLOAT, "B", self.V), *self.state_values(next_states)]
        return _explained(helper.make_graph([*self.nodes, *names], "step", inputs, outputs, self.constants))

    def loop_graph(self, unknown: int | None) -> Any:
        """Ids (B,), states (B, H), uniforms (B, T) and filters to drawn tokens (B, T) and states.

        The token `unknown` is never drawn.
        """
        next_states = [f"next_{name}" for name in self.states]
        outputs_of_loop = ["last", *next_states, "drawn_by_time", "total_by_time"]
        loop = helper.make_node(
            "Loop", ["tokens", "true", "ids", *self.states], outputs_of_loop, body=self.loop_body(scored=False)
        )
        nodes = [
            helper.make_node("Shape", ["uniforms"], ["shape"], start=1),  # T
            *(helper.make_node(operation, inputs, [output]) for operation, inputs, output in FILTER_NODES),
            loop,
            helper.make_node("Transpose", ["drawn_by_time"], ["drawn"], perm=[1, 0]),
        ]
        inputs = [tensor_info("ids", INT, "B"), *self.state_values(self.states)]
        inputs += [tensor_info("uniforms", FLOAT, "B", "T"), tensor_info("bias", FLOAT, self.V)]
        inputs += [tensor_info("top_n", INT, 1)]
        inputs += [tensor_info(name, FLOAT, 1) for name in ("temperature", "top_p", "min_p")]
        outputs = [tensor_info("drawn", INT, "B", "T"), *self.state_values(next_states)]
        return _explained(helper.make_graph(nodes, "loop", inputs, outputs, self.filter_constants(unknown)))

    def filter_constants(self, unknown: int | None) -> list[Any]:
        """The constants of `FILTER_NODES`, and `within`, which leaves all of the `n` likeliest tokens."""
        writable = np.zeros(self.V, np.float32)
        if unknown is not None:
            writable[unknown] = -np.inf
        integers = {"one": 1, "V": self.V}
        floats = {"zero": 0, "unit": 1, "within": 1, "largest_rate": LARGEST_RATE}
        arrays = {"writable": writable}
        arrays |= {name: np.array([value], np.int64) for name, value in integers.items()}
        arrays |= {name: np.array([value], np.float32) for name, value in floats.items()}
        return [TRUE, *(numpy_helper.from_array(array, name) for name, array in arrays.items())]


def onnx_files(model: StoredModel) -> tuple[bytes, bytes]:
    """The content of the two files of a model: the step, and the loop.

    Raises UsageError for a cell without a step, and for a model that is too large.
    """
    cell = model.settings.cell
    if cell not in ONNX_STEPS:
        known = ", ".join(ONNX_STEPS)
        raise UsageError(f"`onnx` cannot export the cell {cell!r}, only {known}. Export the model to a folder instead.")
    graph = ExportedGraph(NumpyEngine(model.weights, model.settings))
    size = sum(len(constant.raw_data) for constant in graph.constants)
    if size > LARGEST_FILE:
        raise UsageError(
            f"`onnx` cannot export this model: a file would have {size:,} bytes, and ONNX allows {LARGEST_FILE:,}. "
            "Export the model to a folder instead."
        )
    metadata = _metadata(model)
    return model_bytes(graph.step_graph(), metadata), model_bytes(graph.loop_graph(model.vocabulary.unknown), metadata)


def _metadata(model: StoredModel) -> dict[str, str]:
    """What a program needs besides the graph; all but the level is JSON in ASCII."""
    return {
        "level": model.vocabulary.level,
        "vocabulary": json.dumps(model.vocabulary.record()),
        "settings": json.dumps(asdict(model.settings)),
        "first": json.dumps(first_token(model.vocabulary)),
    }


def _explained(graph: Any) -> Any:
    """The graph with the meaning of each input and output."""
    for value in (*graph.input, *graph.output):
        state = value.name.removeprefix("next_")
        value.doc_string = MEANINGS.get(value.name, f"the state {state[0]} of layer {state[1:]}; zeros before a text")
    return graph
