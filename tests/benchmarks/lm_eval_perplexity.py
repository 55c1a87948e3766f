"""Compares the perplexity that lm-eval measures over HTTP with that of `charrnn evaluate`, on the same text.

    pip install 'lm-eval[api]'
    python tests/benchmarks/lm_eval_perplexity.py anna.txt --last 99261

lm-eval's `local-completions` asks `charrnn serve` for the log-probabilities of the prompt (`echo` with `logprobs`). It
predicts the first token too, after a line break; `evaluate` does not. In a long text that makes no difference.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

from lm_eval.api.instance import Instance
from lm_eval.models.openai_completions import LocalCompletionsAPI
from serve import server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--last", type=int, default=99_261, help="characters at the end of the text")
    parser.add_argument("--charrnn", default="charrnn", help="the command, if it is installed elsewhere")
    options = parser.parse_args()
    text = options.text.read_text("utf-8")[-options.last :]
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.txt"
        part.write_text(text, "utf-8")
        command = [options.charrnn, "evaluate", str(part), "--model", "anna", "--engine", "onnx", "--json"]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    with server(options.charrnn, "serve", "anna") as (_, port, _):
        model = LocalCompletionsAPI(
            base_url=f"http://127.0.0.1:{port}/v1/completions",
            model="anna",
            tokenizer_backend="remote",
            max_length=len(text) + 2,
            timeout=3600,
        )
        request = Instance(request_type="loglikelihood_rolling", doc={}, arguments=(text,), idx=0)
        theirs = -model.loglikelihood_rolling([request], disable_tqdm=True)[0] / len(text)
    print(f"charrnn evaluate: loss {ours['loss']:.5f}, perplexity {math.exp(ours['loss']):.5f}")
    print(f"lm-eval:          loss {theirs:.5f}, perplexity {math.exp(theirs):.5f}")
    difference = abs(math.exp(theirs) - math.exp(ours["loss"]))
    print(f"difference of the perplexities {difference:.6f}")
    sys.exit(difference > 1e-3)


if __name__ == "__main__":
    main()
