"""A bare training loop around torch's nn.LSTM, which is cuDNN's on a GPU: what `charrnn train` is compared with.

python tests/benchmarks/bare_lstm.py --batch 128 --number-format float16 --graph
"""

import argparse
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FORMATS = ("float32", "tf32", "float16")
WARM_UP = 5  # steps
LOSS_SCALE = 1024.0  # constant, as a CUDA graph needs it


@dataclass(frozen=True)
class Shape:
    """The shape of a network and its batches."""

    layers: int = 2
    hidden: int = 512
    embedding: int = 0  # 0: one-hot input
    vocabulary: int = 83
    batch: int = 100
    tokens: int = 100
    dropout: float = 0.5


class BareModel(nn.Module):
    """The network of the tutorials."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.embedding) if shape.embedding else None
        inputs = shape.embedding or shape.vocabulary
        self.lstm = nn.LSTM(inputs, shape.hidden, shape.layers, dropout=shape.dropout if shape.layers > 1 else 0)
        self.head = nn.Linear(shape.hidden, shape.vocabulary)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        one_hot = self.embedding is None
        embedded = F.one_hot(x, self.shape.vocabulary).float() if one_hot else self.embedding(x)  # (T, B, inputs)
        output, state = self.lstm(embedded, state)
        return self.head(F.dropout(output, self.shape.dropout)), state


def step_of(shape: Shape, number_format: str, device: torch.device, graph: bool) -> Callable[[], None]:
    """A training step on the same random ids each time. It carries the hidden state and does not wait for a GPU."""
    torch.backends.cudnn.allow_tf32 = number_format == "tf32"
    torch.set_float32_matmul_precision("high" if number_format == "tf32" else "highest")
    model = BareModel(shape).to(device)
    on_gpu = device.type == "cuda"
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True, capturable=graph)
    x = torch.randint(shape.vocabulary, (shape.tokens, shape.batch), device=device)  # (T, B)
    y = torch.randint(shape.vocabulary, (shape.tokens * shape.batch,), device=device)
    state = tuple(torch.zeros(shape.layers, shape.batch, shape.hidden, device=device) for _ in "hc")
    scale = LOSS_SCALE if number_format == "float16" else 1.0

    def step() -> None:
        optimizer.zero_grad(set_to_none=False)
        with torch.autocast(device.type, torch.float16) if number_format == "float16" else nullcontext():
            logits, new_state = model(x, state)
        loss = F.cross_entropy(logits.float().flatten(0, 1), y)
        (loss * scale).backward()
        torch._foreach_mul_([parameter.grad for parameter in model.parameters()], 1 / scale)
        nn.utils.clip_grad_norm_(model.parameters(), 5.0, foreach=on_gpu)
        optimizer.step()
        for part, new_part in zip(state, new_state, strict=True):
            part.copy_(new_part.detach())

    return _captured(step) if graph else step


def _captured(step: Callable[[], None]) -> Callable[[], None]:
    """The step as a CUDA graph: all its kernels start with one call."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def tokens_per_second(
    shape: Shape, number_format: str, device: torch.device, graph: bool = False, seconds: float = 4.0
) -> float:
    """The speed of training for about this many seconds."""
    step, done = step_of(shape, number_format, device, graph), 0

    def wait() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    for _ in range(WARM_UP if device.type == "cuda" else 1):
        step()
    started = ended = wait()
    while ended - started < seconds:
        for _ in range(10 if device.type == "cuda" else 1):
            step()
            done += 1
        ended = wait()
    return done * shape.batch * shape.tokens / (ended - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in Shape().__dict__.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--number-format", choices=FORMATS, default="float32")
    parser.add_argument("--graph", action="store_true", help="replay the step as a CUDA graph")
    parser.add_argument("--cpu", action="store_true")
    options = vars(parser.parse_args())
    number_format, graph, cpu = (options.pop(name) for name in ("number_format", "graph", "cpu"))
    device = torch.device("cpu" if cpu else "cuda")
    print(f"{tokens_per_second(Shape(**options), number_format, device, graph):,.0f} tokens/s")


if __name__ == "__main__":
    main()
