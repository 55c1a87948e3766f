"""charrnn sample: writes new text with a model."""

import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from charrnn_cli.config import SamplingSettings, Unknown

if TYPE_CHECKING:
    from charrnn_cli.generation.generate import Model
    from charrnn_cli.runs import Run

DEFAULT = SamplingSettings()


def sample(
    prime: Annotated[str, typer.Option(help="The text that the model goes on from; part of the output.")] = "",
    length: Annotated[int, typer.Option(help="Characters, bytes or words to write after the prime.")] = DEFAULT.length,
    temperature: Annotated[
        float, typer.Option(help="Higher is more daring, lower more careful; 0: always the likeliest.")
    ] = DEFAULT.temperature,
    top_n: Annotated[int, typer.Option(help="Draw among the so many likeliest only; 0: all.")] = DEFAULT.top_n,
    seed: Annotated[int | None, typer.Option(help="The same seed writes the same text.  [default: a new one]")] = None,
    model: Annotated[
        str | None, typer.Option(help="A run, a bundled model, or a folder.  [default: the run trained last, or anna]")
    ] = None,
    checkpoint: Annotated[
        int | None, typer.Option(metavar="STEP", help="An earlier checkpoint of the run: see how it learned.")
    ] = None,
    unknown: Annotated[
        Unknown, typer.Option(help="What to do with characters, or words, of the prime that the model lacks.")
    ] = "error",
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="Let a model write <unk> where it expects a word it does not know.")
    ] = DEFAULT.allow_unknown,
    gpu: Annotated[bool, typer.Option("--gpu", help="Write on a CUDA GPU.")] = False,
) -> None:
    """Write new text: to stdout as it is made, and nothing else.

    \b
    charrnn sample --prime "Far"
    charrnn sample --model anna --length 2000 --temperature 0.8 > chapter.txt
    charrnn sample --model anna --checkpoint 200 --top-n 5 --seed 1
    """
    from charrnn_cli.runs import to_sample

    settings = SamplingSettings(length, temperature, top_n, allow_unknown)
    run = to_sample(model)
    import numpy as np

    from charrnn_cli.errors import UsageError, disk_errors
    from charrnn_cli.generation.generate import Engine, generate, load_model, read_prime
    from charrnn_cli.generation.numpy_engine import NumpyEngine

    if seed is None:
        seed = secrets.randbelow(2**32)
    elif seed < 0:
        raise UsageError(f"--seed must be 0 or more, and is {seed}.")
    loaded = load_model(run, checkpoint)
    ids = read_prime(prime, loaded.vocabulary, unknown)
    engine: Engine[Any]
    if gpu:
        from charrnn_cli.generation.torch_engine import TorchEngine
        from charrnn_cli.training.device import pick_device

        engine = TorchEngine(loaded.weights, loaded.settings, pick_device(gpu=True, cpu=False))
    else:
        engine = NumpyEngine(loaded.weights, loaded.settings)
    typer.echo(_who(run, loaded, seed), err=True)
    with disk_errors("write", Path("standard output")):
        for text in generate(engine, loaded.vocabulary, ids, settings, np.random.default_rng(seed)):
            sys.stdout.write(text)
            sys.stdout.flush()
        if sys.stdout.isatty():
            sys.stdout.write("\n")


def _who(run: "Run", model: "Model", seed: int) -> str:
    """Which model writes."""
    from charrnn_cli.describe import network

    summary = model.summary
    loss = "" if summary.valid_loss is None else f", validation loss {summary.valid_loss:.3f}"
    where = "bundled" if run.bundled else run.folder
    return f"{run.name} ({where}): {network(model.settings)}, step {summary.step:,}{loss}; --seed {seed}"
