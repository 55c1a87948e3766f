"""Compares the engine of the HTML page, in Node, with Python: logits, the loss of a text, text, speed and size.

The end of TEXT, 20,000 characters, is read in pieces of 1,000 tokens. The logits are those of the first piece, beside
NumPy with the same 8-bit weights; the loss is that of all pieces, also beside NumPy with the weights of the model. The
speed is that of writing with the default settings, in processor time and in time that passes.

    python tests/benchmarks/page.py anna anna.txt
"""

import argparse
import base64
import json
import math
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np

from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.prime import encode_prime, first_token
from charrnn_cli.generation.sampling import log_probabilities
from charrnn_cli.network.weights import load_checked_model
from charrnn_cli.runs.folders import run_to_sample
from charrnn_cli.web.html_page import base85, html_json, html_page
from charrnn_cli.web.packing import dequantized_weights, pack

ASSETS = files("charrnn_cli.web") / "assets"
SCORED, PIECE, WRITTEN = 20_000, 1000, 10_000
SCRIPT = """
const fs = require("fs"), vm = require("vm");
const job = JSON.parse(fs.readFileSync(0, "utf8"));
for (const name of ["numbers", "tokens", "sampling", "arithmetic", "engine"])
  vm.runInThisContext(fs.readFileSync(`${job.assets}/${name}.js`, "utf8"), name);
charrnn.wasmBytes = fs.readFileSync(`${job.assets}/arithmetic.wasm`);
const milliseconds = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
function write(model, length) {
  const uniform = charrnn.uniforms(0), ids = [];
  let state = model.read(model.start(), job.first);
  for (let k = 0; k < length; k++) {
    ids.push(charrnn.draw(model, state.logits, {}, ids.slice(-64), uniform()));
    state = model.read(state, ids.at(-1));
  }
  return model.decode(ids);
}
(async () => {
  const weights = Buffer.from(job.weights, "base64");
  const model = await charrnn.openModel(job.header, weights);
  const plain = await charrnn.openModel(job.header, weights, { wasm: false });
  let state = model.start();
  const context = [job.first, ...job.pieces[0].slice(0, -1)];
  const logits = context.map((id) => Array.from((state = model.read(state, id)).logits));
  const bits = job.pieces.reduce((total, ids) => total + model.scoreIds(ids).total, 0) / job.pieces.flat().length;
  const same = write(model, 300) === write(plain, 300);
  const speeds = [];
  for (let round = 0; round < 3; round++) {
    const cpu = milliseconds(), wall = performance.now();
    const characters = Array.from(write(model, job.written)).length;
    speeds.push([characters / (milliseconds() - cpu) * 1000, characters / (performance.now() - wall) * 1000]);
  }
  const cpu = milliseconds();
  const slow = Array.from(write(plain, 500)).length / (milliseconds() - cpu) * 1000;
  process.stdout.write(JSON.stringify({ logits, bits, same, speeds, slow }));
})();
"""


def python_scores(engine: NumpyEngine, first: int, pieces: np.ndarray) -> tuple[np.ndarray, float]:
    """The logits before each token of the first piece, and the mean loss of all pieces (B, T) in nats per token."""
    state, logits, losses, last = engine.start(len(pieces)), [], [], np.full(len(pieces), first)
    for ids in pieces.T:
        rows, state = engine.step(last, state)  # (B, V)
        logits.append(rows[0])
        losses.append(-log_probabilities(rows.astype(np.float64), ids))
        last = ids
    return np.array(logits), float(np.mean(losses))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("text", type=Path)
    arguments = parser.parse_args()
    model = load_checked_model(run_to_sample(arguments.model))
    header, weights = pack(model, arguments.model)
    ids = encode_prime(arguments.text.read_text("utf-8")[-SCORED:], model.vocabulary, "skip").ids
    pieces, first = np.array(ids[: len(ids) // PIECE * PIECE]).reshape(-1, PIECE), first_token(model.vocabulary)
    node = shutil.which("node") or sys.exit("needs Node.js (the program node)")
    job = {
        "header": header,
        "weights": base64.b64encode(weights).decode(),
        "assets": str(ASSETS),
        "pieces": pieces.tolist(),
    }
    job |= {"first": first, "written": WRITTEN}
    done = subprocess.run([node, "-e", SCRIPT], input=json.dumps(job).encode(), stdout=subprocess.PIPE, check=True)
    result = json.loads(done.stdout)
    same_weights, loss = python_scores(NumpyEngine(dequantized_weights(model), model.settings), first, pieces)
    _, original = python_scores(NumpyEngine(model.weights, model.settings), first, pieces)
    difference = np.abs(np.array(result["logits"]) - same_weights).max()
    page = html_page(model, arguments.model)
    code = len(page.encode()) - len(html_json(header).encode()) - len(base85(weights))
    nats = result["bits"] * math.log(2)
    print(f"logits of {PIECE:,} tokens: largest difference {difference:.1e}")
    print(
        f"loss of {pieces.size:,} tokens: page {nats:.5f}, NumPy {loss:.5f} with 8 bits, {original:.5f} with all bits"
    )
    print(f"the same text without WebAssembly: {result['same']}")
    for processor, passed in result["speeds"]:
        print(f"characters/s: {processor:,.0f} of processor time, {passed:,.0f} of time that passes")
    print(f"without WebAssembly: {result['slow']:,.0f} of processor time")
    print(f"page: {len(page.encode()):,} bytes, of which {code:,} are not the model")


if __name__ == "__main__":
    main()
