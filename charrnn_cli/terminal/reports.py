"""What `charrnn train` tells a person: what starts, how long it takes, and how it ended."""

from typing import TYPE_CHECKING

from charrnn_cli.text.tokenizer import TOKEN_UNITS
from charrnn_cli.wording import duration, network_shape, quantity, rounded, training_recipe

if TYPE_CHECKING:
    from charrnn_cli.config import ModelSettings
    from charrnn_cli.training.events import End, MemoryFull, Recovery, Report, ThreadChange
    from charrnn_cli.training.setup import Setup
    from charrnn_cli.training.trainer import Started


def describe_start(started: "Started") -> str:
    """The text, the network, the training and the device."""
    from charrnn_cli.network.memory import memory_needed

    setup, unit = started.setup, TOKEN_UNITS[started.setup.vocabulary.level]
    config, parameters = setup.config, setup.state.model.parameter_count
    held_out = "nothing" if setup.data.valid is None else f"{len(setup.data.valid):,}"
    needed = memory_needed(config.model, config.training, len(setup.vocabulary), parameters)
    return (
        f"{setup.run.name}: {len(setup.data.train):,} {unit} to learn, {held_out} held out\n"
        f"model: {', '.join(_parts_of_network(config.model))}: {parameters:,} parameters, "
        f"about {needed / 1e9:.1f} GB of memory\n"
        f"training: {training_recipe(config.training, _done(started))}, seed {config.training.seed}\n"
        f"{_where_it_starts(started)}, on {_device(started)}{_why_from_there(setup)}"
    )


def describe_thread_change(change: "ThreadChange") -> str:
    """Why training uses fewer threads for a while."""
    return (
        f"the machine is busy: from step {change.step:,} on, the number of threads follows its load "
        f"(now {quantity(change.threads, 'threads')}; --threads fixes it)"
    )


def describe_full_memory(event: "MemoryFull") -> str:
    """What training does with less memory."""
    return (
        f"the memory is full: from step {event.step + 1:,} on, each batch is computed in {event.accumulate} parts "
        f"(--accumulate {event.accumulate}), for the same result up to rounding"
    )


def _done(started: "Started") -> float | None:
    """How much of its limit a run that resumes has done."""
    bound = started.setup.config.training.bound
    return started.setup.state.counters.done(bound[0]) if bound and started.step else None


def _parts_of_network(model: "ModelSettings") -> list[str]:
    parts = [network_shape(model), f"embedding {model.embedding}" if model.embedding else "one-hot input"]
    dropout = f"{'locked ' if model.locked_dropout else ''}dropout {model.dropout:g}"
    parts.append(f"{dropout} (input {model.input_dropout:g})" if model.input_dropout else dropout)
    if model.weight_drop:
        parts.append(f"weight drop {model.weight_drop:g}")
    switches = {"residual": model.residual, "layer norm": model.layer_norm, "tied weights": model.tie_weights}
    return parts + [name for name, on in switches.items() if on]


def _where_it_starts(started: "Started") -> str:
    """The step or the preset, and the trained model that it starts from."""
    setup = started.setup
    start = f"resuming from step {started.step:,}" if started.step else f"preset {setup.config.preset}"
    if setup.reason:
        start += f" ({setup.reason})"
    if setup.matched:
        matched, unit = setup.matched, TOKEN_UNITS[setup.vocabulary.level]
        start += f", from {matched.origin}: {matched.kept:,} {unit} known, {matched.new:,} new"
    return start


def _why_from_there(setup: "Setup") -> str:
    """A line about the bundled model that auto chose."""
    base = setup.base
    if base is None:
        return ""
    return (
        f"\nstarts from the bundled model {base.run.name}, which predicts this text with {base.loss:.2f} nats per "
        "character before it learns from it. To train from scratch: --from none"
    )


def _device(started: "Started") -> str:
    """The device, and how to use all GPUs if there are more."""
    import torch

    from charrnn_cli.network.device import device_name

    name = device_name(started.device)
    if started.ranks.size > 1:
        return f"{started.ranks.size} processes, each with the {name}"
    gpus = torch.cuda.device_count() if started.device.type == "cuda" else 1
    if gpus > 1:
        name += f"\nThis uses 1 of {gpus} GPUs. To use all: torchrun --nproc-per-node {gpus} -m charrnn_cli train"
    return f"the {name}"


def describe_recovery(event: "Recovery") -> str:
    where = f"back to step {event.step:,}" if event.step else "starting over"
    return f"training diverged at step {event.exploded:,}: {where}, with half the learning rate"


def describe_epoch_time(setup: "Setup", report: "Report") -> str:
    """How long an epoch takes, and what that means for the limit of the run."""
    training, tokens = setup.config.training, len(setup.data.train)
    seconds = tokens / report.tokens_per_second
    takes = f"an epoch takes {duration(seconds)}"
    match training.bound:
        case None:
            return takes
        case "minutes", minutes:
            return f"{takes}: {rounded(60 * minutes / seconds)} fit into {quantity(minutes, 'minutes')}"
        case "epochs", epochs:
            return f"{takes}: {quantity(epochs, 'epochs')} take {duration(epochs * seconds)}"
        case _, steps:
            epochs = steps * training.batch_size * training.seq_length / tokens
            time = duration(epochs * seconds)
            return f"{takes}: {quantity(steps, 'steps')} are {rounded(epochs)} epochs and take {time}"


def describe_end(started: "Started", end: "End") -> str:
    """Where the run is now, and what to type next."""
    setup = started.setup
    name, typed = setup.run.name, setup.run.quoted
    if not end.finished:
        saved = f"saved at step {end.step:,}" if end.step else "stopped before the first step"
        return f"{name}: {saved}. To resume: charrnn train {typed}"
    already = " already" if end.step == started.step else ""
    reason, more = _why_it_ended(setup, end)
    return (
        f"{name} is finished{already}: {reason}{_best_loss(setup)}.\n"
        f"To write: charrnn sample --model {typed}\n"
        f"To train it further: charrnn train {typed} {more}\n"
        f"To start over: charrnn train {typed} --restart"
    )


def _why_it_ended(setup: "Setup", end: "End") -> tuple[str, str]:
    """The limit that a finished run reached, and the flag that raises it."""
    training, counters = setup.config.training, setup.state.counters
    if training.bound is None or counters.out_of_patience(training.patience):
        validations = quantity(counters.stalled, "validations")
        reason = f"no better validation loss in {validations}, {quantity(end.step, 'steps')}"
        return reason, f"--patience {2 * counters.stalled}"
    bound, amount = training.bound
    reason = quantity(amount, bound) + ("" if bound == "steps" else f", {quantity(end.step, 'steps')}")
    return reason, f"--{bound} {2 * max(amount, round(counters.done(bound))):.15g}"


def _best_loss(setup: "Setup") -> str:
    from charrnn_cli.network.loss import perplexity

    counters = setup.state.counters
    if counters.best_loss is None:
        return ""
    notes = [f"perplexity {perplexity(counters.best_loss):.2f}"] if setup.vocabulary.level == "word" else []
    notes += ["calibrated on the same text"] if setup.calibrated else []
    shown = f" ({', '.join(notes)})" if notes else ""
    return f", best validation loss {counters.best_loss:.4f}{shown} at step {counters.best_step:,}"
