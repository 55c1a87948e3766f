"""Measures how the settings of `charrnn sample` change the text: how many words are invented, and how much it repeats.

python tests/benchmarks/sampling_settings.py MODEL TEXT      # the text that the model was trained on
"""

import argparse
import re
from collections import defaultdict
from pathlib import Path

from charrnn_cli.config import SamplingSettings
from charrnn_cli.generation.engines import load_engine
from charrnn_cli.generation.reading import read_tokens
from charrnn_cli.generation.texts import Piece, write_texts
from charrnn_cli.runs.folders import find_run
from charrnn_cli.runs.models import load_model

TEXTS, LENGTH = 64, 600
TRIED = [(t, 1.0, 0.0) for t in (0.3, 0.5, 0.6, 0.7, 0.8, 1.0)]  # temperature, top-p, min-p
TRIED += [(0.7, 1.0, 0.1), (0.8, 1.0, 0.1), (0.8, 1.0, 0.2), (1.0, 1.0, 0.1), (1.0, 1.0, 0.2)]
TRIED += [(0.6, 0.9, 0.0), (0.7, 0.9, 0.0), (0.8, 0.9, 0.0), (1.0, 0.9, 0.0), (0.8, 0.8, 0.0), (1.0, 0.8, 0.0)]


def words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text.lower())


def report(what: str, texts: list[str], known: set[str]) -> None:
    """Prints the share of invented words, and the share of distinct sequences of three words."""
    whole = [words(text)[1:-1] for text in texts]
    count = sum(map(len, whole))
    invented = sum(word not in known for text in whole for word in text) / count
    rows = [tuple(text[i : i + 3]) for text in whole for i in range(len(text) - 2)]
    print(
        f"{what}: invented words {invented:.2%}, distinct sequences of three words {len(set(rows)) / len(rows):.1%}",
        flush=True,
    )


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("text", type=Path)
args = parser.parse_args()
model = load_model(find_run(args.model))
engine = load_engine(model)
text = args.text.read_text("utf-8")
known, step = set(words(text)), len(text) // TEXTS
report("the text itself", [text[at : at + LENGTH] for at in range(0, step * TEXTS, step)], known)
length = LENGTH // (1 if model.vocabulary.level == "char" else 5)
for temperature, top_p, min_p in TRIED:
    settings = SamplingSettings(length=length, temperature=temperature, top_p=top_p, min_p=min_p)
    samples: dict[int, str] = defaultdict(str)
    for event in write_texts(engine, model.vocabulary, read_tokens(engine, model.vocabulary, []), settings, 1, TEXTS):
        if isinstance(event, Piece):
            samples[event.sample] += event.text
    report(f"temperature {temperature}, top-p {top_p}, min-p {min_p}", list(samples.values()), known)
