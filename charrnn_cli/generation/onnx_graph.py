"""The network as ONNX graphs with weights of 8 bits: one reads a token, another several, a third writes several.

Sizes: B texts, T tokens, V tokens of the vocabulary, n of them that may be drawn, A alternatives, R rows of settings,
L layers, H hidden, G gates.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from charrnn_cli.generation.numpy_cells import Array
from charrnn_cli.generation.numpy_engine import EPSILON, LayerNorm, NumpyEngine, StepLayer
from charrnn_cli.generation.onnx_cells import ONNX_STEPS
from charrnn_cli.generation.onnx_nodes import BOOL, FLOAT, INT, Nodes, model_bytes, tensor_info
from charrnn_cli.network.cells import cell_spec

TRUE = numpy_helper.from_array(np.array(True), "true")
FIRST = numpy_helper.from_array(np.array([0]), "first")


class Graph(Nodes):
    """The nodes of one step, to which each graph adds its own."""

    def __init__(self, engine: NumpyEngine) -> None:
        super().__init__()
        self.engine, self.settings = engine, engine.settings
        self.V, self.H = len(engine.head_bias), engine.settings.hidden
        cell = cell_spec(self.settings.cell)
        self.layer_states = [[f"{name}{k}" for name in cell.states] for k in range(self.settings.layers)]
        self.states = [name for names in self.layer_states for name in names]
        scales = np.array(engine.cell.gate_scales, np.float32)  # (G,)
        self.unscale: Array = np.repeat(np.float32(1) / scales, self.H)  # (GH,)
        self.logits, self.new_states = self.step()

    def reading(self) -> bytes:
        """An ONNX file: ids (B,) and states (B, H) to logits (B, V) and states."""
        inputs = [tensor_info("ids", INT, "B"), *self.state_values(self.states)]
        outputs = [tensor_info(self.logits, FLOAT, "B", self.V), *self.state_values(self.new_states)]
        return model_bytes(helper.make_graph(self.nodes, "read", inputs, outputs, self.constants))

    def reading_block(self) -> bytes:
        """An ONNX file: the ids of T tokens (B, T) and states (B, H) to the states after them."""
        still = helper.make_node("Identity", ["continue"], ["still"])
        token = helper.make_node("Gather", ["block", "t"], ["ids"], axis=1)
        inputs = [tensor_info("t", INT), tensor_info("continue", BOOL), *self.state_values(self.states)]
        outputs = [tensor_info("still", BOOL), *self.state_values(self.new_states)]
        body = helper.make_graph([still, token, *self.nodes], "step", inputs, outputs, self.constants)
        last_states = [f"{name}_end" for name in self.states]
        loop = helper.make_node("Loop", ["tokens", "true", *self.states], last_states, body=body)
        inputs = [tensor_info("tokens", INT), tensor_info("block", INT, "B", "T"), *self.state_values(self.states)]
        outputs = self.state_values(last_states)
        return model_bytes(helper.make_graph([loop], "read block", inputs, outputs, [TRUE]))

    def writing(self, scored: bool) -> bytes:
        """An ONNX file: ids (B,), states (B, H), uniforms (B, T) and settings of filters to T drawn tokens.

        The outputs: ids (B, T); the total weight that each was drawn from (B, T); with `scored` its log-probability
        before any filter (B, T), and the ids and log-probabilities of the A likeliest tokens (B, T, A); and states
        (B, H). The filters do the same as those in `sampling`, in their order. Their settings are those of all texts or
        of each (R = 1 or B): `mask` (R, V) is added to the logits; of the `n` (1,) likeliest tokens the first `limit`
        (R, 1) remain; `rate` (R, 1) is one over the temperature; `top_p` (R, 1); and tokens that are less likely than
        e^`least` (R, 1) times the likeliest are not drawn.
        """
        each_token = ["ids", "total"] + (["score", "likeliest", "likeliest_score"] if scored else [])
        kinds = [INT, FLOAT, FLOAT, INT, FLOAT]
        lists, last_states = [f"{name}_by_time" for name in each_token], [f"{name}_end" for name in self.states]
        loop = helper.make_node(
            "Loop",
            ["tokens", "true", "ids", *self.states],
            ["last_ids", *last_states, *lists],
            body=self.loop_body(scored),
        )  # lists: (T, B) or (T, B, A)
        results = [f"{name}_by_text" for name in lists]
        nodes = [*self.limit_nodes(), loop]
        outputs = []
        for name, source, result, kind in zip(each_token, lists, results, kinds, strict=False):
            several = ["A"] if name.startswith("likeliest") else []
            nodes.append(helper.make_node("Transpose", [source], [result], perm=[1, 0, 2][: 2 + len(several)]))
            outputs.append(tensor_info(result, kind, "B", "T", *several))
        inputs = [tensor_info("tokens", INT), tensor_info("ids", INT, "B"), tensor_info("uniforms", FLOAT, "B", "T")]
        inputs += self.state_values(self.states)
        inputs += [tensor_info("mask", FLOAT, "R", self.V), tensor_info("n", INT, 1), tensor_info("limit", INT, "R", 1)]
        inputs += [tensor_info(name, FLOAT, "R", 1) for name in ("rate", "top_p", "least")]
        inputs += [tensor_info("A", INT, 1)] if scored else []
        outputs += self.state_values(last_states)
        positions = numpy_helper.from_array(np.arange(self.V), "positions")
        return model_bytes(helper.make_graph(nodes, "write", inputs, outputs, [TRUE, positions, FIRST]))

    def limit_nodes(self) -> list[Any]:
        """The nodes that compute `within` (R, n): 1 for the first `limit` tokens of a row, 0 for the others."""
        return [
            helper.make_node("Slice", ["positions", "first", "n"], ["ranks"]),
            helper.make_node("Less", ["ranks", "limit"], ["is_within"]),
            helper.make_node("Cast", ["is_within"], ["within"], to=FLOAT),
        ]

    def loop_body(self, scored: bool) -> Any:
        """A graph that reads a token of each text and draws the next one.

        As ONNX's Loop requires, it takes the number of the iteration and whether to continue, and returns whether to
        continue, the next ids and states, and the numbers that are collected over all iterations.
        """
        with self.temporary():
            drawn, total = self.draw(self.logits)
            collected = [tensor_info(self.node("Identity", drawn), INT, "B"), tensor_info(total, FLOAT, "B")]
            if scored:
                collected += self.scores(self.logits, drawn)
            still = self.node("Identity", "continue")
            inputs = [tensor_info("t", INT), tensor_info("continue", BOOL), tensor_info("ids", INT, "B")]
            inputs += self.state_values(self.states)
            outputs = [
                tensor_info(still, BOOL),
                tensor_info(drawn, INT, "B"),
                *self.state_values(self.new_states),
                *collected,
            ]
            return helper.make_graph(list(self.nodes), "step", inputs, outputs, list(self.constants))

    def state_values(self, names: Sequence[str]) -> list[Any]:
        return [tensor_info(name, FLOAT, "B", self.H) for name in names]

    def step(self) -> tuple[str, list[str]]:
        """The nodes of all layers and the output layer: logits (B, V), and states (B, H)."""
        inputs = self.engine.inputs
        x = self.node("Gather", self.constant(inputs), "ids") if inputs.size else ""  # (B, E)
        bounded = False  # whether x lies between -1 and 1
        new_states = []
        for layer, states in zip(self.engine.layers, self.layer_states, strict=True):
            of_input = self.input_product(layer, x, bounded)  # (B, GH)
            of_state = self.product(states[0], layer.of_state * self.unscale, True)  # (B, GH)
            new = ONNX_STEPS[self.settings.cell](self, of_input, of_state, states, layer.state_bias)  # (B, H) each
            x = self.node("Add", x, new[0]) if layer.residual else new[0]
            bounded = not layer.residual
            new_states += new
        output = self.normed(self.engine.norm, x)  # (B, H)
        bounded = bounded and self.engine.norm is None
        return self.product(output, self.engine.head, bounded, self.engine.head_bias), new_states

    def input_product(self, layer: StepLayer, x: str, bounded: bool) -> str:
        """The product of a layer's input x (B, inputs), or of the tokens, with its weights (B, GH)."""
        if layer.of_input is None:
            return self.node("Gather", self.constant(layer.table * self.unscale), "ids")
        x, bounded = self.normed(layer.norm, x), bounded and layer.norm is None
        return self.product(x, layer.of_input * self.unscale, bounded, layer.input_bias * self.unscale)

    def normed(self, norm: LayerNorm | None, x: str) -> str:
        """Layer normalization of x (B, size), if there is any."""
        if norm is None:
            return x
        weight, bias = self.constant(norm.weight), self.constant(norm.bias)
        return self.node("LayerNormalization", x, weight, bias, axis=-1, epsilon=float(EPSILON))

    def draw(self, logits: str) -> tuple[str, str]:
        """The next tokens (B,), and the total weight that each was drawn from (B,)."""
        masked = self.node("Add", logits, "mask")
        largest, ids = self.node_with_outputs("TopK", 2, masked, "n", axis=1)  # (B, n), in descending order
        weights = self.filtered_weights(largest)  # (B, n)
        cumulative = self.cumulative(weights)
        total = self.column(cumulative, -1)  # (B, 1)
        index = self.drawn_index(weights, cumulative, total)  # (B, 1)
        return self.as_vector(self.node("GatherElements", ids, index, axis=1)), self.as_vector(total)

    def filtered_weights(self, largest: str) -> str:
        """Temperature, top-p and min-p: the unnormalized probabilities of the largest logits (B, n), some of them 0."""
        tempered = self.node("Mul", self.node("Sub", largest, self.column(largest, 0)), "rate")
        weights = self.node("Mul", self.node("Exp", tempered), "within")
        cumulative = self.cumulative(weights)
        enough = self.node("Mul", self.column(cumulative, -1), "top_p")  # (B, 1)
        of_likelier = self.node("Sub", cumulative, weights)
        kept = self.node("And", self.node("Less", of_likelier, enough), self.node("GreaterOrEqual", tempered, "least"))
        return self.node("Mul", weights, self.node("Cast", kept, to=FLOAT))

    def drawn_index(self, weights: str, cumulative: str, total: str) -> str:
        """Where in weights (B, n) the random number of this token points, (B, 1).

        Rounding must not lead to an index outside of the weights above 0.
        """
        uniform = self.as_column(self.node("Gather", "uniforms", "t", axis=1))  # (B, 1)
        index = self.count_true(self.node("LessOrEqual", cumulative, self.node("Mul", uniform, total)))
        possible = self.count_true(self.node("Greater", weights, self.constant(np.float32(0))))
        index = self.node("Min", index, self.node("Sub", possible, self.constant(np.array([1]))))
        return self.node("Max", index, self.constant(np.array(0)))

    def cumulative(self, x: str) -> str:
        """The cumulative sums of each row of x (B, n)."""
        return self.node("CumSum", x, self.constant(np.array(1)))

    def scores(self, logits: str, drawn: str) -> list[Any]:
        """The log-probabilities (B,), in nats, of the drawn tokens (B,), and the A likeliest tokens with theirs."""
        total = self.node("ReduceLogSumExp", logits, axes=[1])  # (B, 1)
        of_drawn = self.node("GatherElements", logits, self.as_column(drawn), axis=1)  # (B, 1)
        largest, ids = self.node_with_outputs("TopK", 2, logits, "A", axis=1)  # (B, A)
        return [
            tensor_info(self.as_vector(self.node("Sub", of_drawn, total)), FLOAT, "B"),
            tensor_info(ids, INT, "B", "A"),
            tensor_info(self.node("Sub", largest, total), FLOAT, "B", "A"),
        ]
