"""A server of the usual kind, for comparison: one `nn.LSTM` call per character, and a lock around the model.

It has the shape of `anna` with random weights, and the same streams as `charrnn serve`.

    python tests/benchmarks/naive_server.py --port 8001
"""

import argparse
import json
import threading
from collections.abc import Iterator

import torch
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from torch import nn

V, E, H = 86, 128, 512
LETTERS = [chr(32 + k) for k in range(V)]


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, E)
        self.lstm = nn.LSTM(E, H, 2, batch_first=True)
        self.head = nn.Linear(H, V)

    def forward(self, x, state):
        output, state = self.lstm(self.embedding(x), state)
        return self.head(output[:, -1]), state


network = Network().eval()
lock = threading.Lock()


def write(prompt: str, length: int) -> Iterator[str]:
    """Server-sent events of one character each."""
    ids, state = torch.tensor([[(ord(character) - 32) % V for character in prompt]]), None
    for _ in range(length):
        with lock, torch.no_grad():
            logits, state = network(ids, state)
            probabilities = torch.softmax(logits / 0.8, dim=-1)
            ids = torch.multinomial(probabilities, 1)
        choice = {"index": 0, "text": LETTERS[ids.item()], "logprobs": None, "finish_reason": None}
        yield f"data: {json.dumps({'choices': [choice]})}\n\n"
    yield "data: [DONE]\n\n"


async def completions(request: Request) -> StreamingResponse:
    body = await request.json()
    return StreamingResponse(write(body["prompt"], body["max_tokens"]), media_type="text/event-stream")


async def health(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


app = Starlette(routes=[Route("/v1/completions", completions, methods=["POST"]), Route("/health", health)])

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8001)
    uvicorn.run(app, port=parser.parse_args().port, log_level="error")
