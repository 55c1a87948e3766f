"""Runs the engine of the HTML page in Node, for tests."""

import base64
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from page_browser import program

import charrnn_cli
from charrnn_cli.config import ModelSettings, PrepareSettings
from charrnn_cli.network.model import LanguageModel, get_weights
from charrnn_cli.runs.models import StoredModel
from charrnn_cli.runs.weights import Summary
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.web.packing import pack

ASSETS = Path(charrnn_cli.__file__).parent / "web" / "assets"
CHARACTERS = Vocabulary("char", tuple("\n abcdefgh'"))
SMALL = ModelSettings(hidden=24, layers=2, embedding=8)
PRELUDE = """
const fs = require("fs"), vm = require("vm");
const { assets, job } = JSON.parse(fs.readFileSync(0, "utf8"));
for (const name of ["unpacking.js", "numbers.js", "tokens.js", "sampling.js", "arithmetic.js", "engine.js"])
  vm.runInThisContext(fs.readFileSync(`${assets}/${name}`, "utf8"), name);
charrnn.wasmBytes = fs.readFileSync(`${assets}/arithmetic.wasm`);
const open = ({ header, weights }, wasm = true) => charrnn.openModel(header, Buffer.from(weights, "base64"), { wasm });
const say = (result) => process.stdout.write(JSON.stringify(result));
(async () => {
"""


def run_in_node(script: str, **job: Any) -> Any:
    """What the script passes to `say`. It finds the arguments in `job`, and opens models with `open`."""
    node = program("Node.js", "node")
    given = json.dumps({"assets": str(ASSETS), "job": job})
    done = subprocess.run(
        [node, "-e", PRELUDE + script + "})();"], input=given.encode(), capture_output=True, timeout=300
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def packed(model: StoredModel, cells: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """A model in the form that `open` in a script takes."""
    header, weights = pack(model, "tiny", cells)
    return {"header": header, "weights": base64.b64encode(weights).decode()}


def random_model(settings: ModelSettings = SMALL, vocabulary: Vocabulary = CHARACTERS) -> StoredModel:
    """A model with random weights."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    model = LanguageModel(settings, len(vocabulary)).eval()
    weights = {name: array + random.normal(0, 0.1, array.shape) for name, array in get_weights(model).items()}
    weights["head.scale"] = np.array([0.8])
    summary = Summary(3, 0.5, 1.0, None, None, "2026-01-01T00:00:00+00:00")
    text = PrepareSettings(level=vocabulary.level, split_on=vocabulary.split_on, lowercase=vocabulary.lowercase)
    return StoredModel(settings, vocabulary, weights, summary, text)
