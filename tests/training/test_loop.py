import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support import TEXT, prepare_text, report_every

from charrnn_cli.config import PrepareSettings
from charrnn_cli.errors import CharrnnError, UsageError
from charrnn_cli.generation.scoring import score_text
from charrnn_cli.network.loss import Score
from charrnn_cli.network.precision import NumberFormat
from charrnn_cli.network.ranks import ALONE
from charrnn_cli.runs.checkpoints import checkpoints, early_steps
from charrnn_cli.runs.log import read_log
from charrnn_cli.runs.models import load_model
from charrnn_cli.runs.preparation import prepare
from charrnn_cli.runs.weights import count_parameters, load_summary, load_tensors
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.text.scorable import read_split
from charrnn_cli.text.vocabulary import Vocabulary
from charrnn_cli.training import bookkeeping, evaluation, loop, loss_scale
from charrnn_cli.training import state as state_module
from charrnn_cli.training.configuration import Request
from charrnn_cli.training.events import End, Recovery, Report, Saved, Validating, Validation
from charrnn_cli.training.loop import train_steps
from charrnn_cli.training.setup import follow, set_up

CPU = torch.device("cpu")
SMALL = {"hidden": 16, "layers": 2, "embedding": 8, "batch_size": 4, "seq_length": 16, "steps": 30, "dropout": 0.2}


@pytest.fixture(autouse=True)
def steady_reports(monkeypatch):
    """A report every 5 steps."""
    report_every(5, monkeypatch)


def run_for(run, flags=SMALL, steps=None, restart=False):
    """Trains to the end, or for this number of steps; the events and the state."""
    setup = set_up(run, Request({} if flags is None else flags), CPU, start_over=restart)
    counters, first = setup.state.counters, setup.state.counters.step

    def stop() -> bool:
        return steps is not None and counters.step >= first + steps

    return list(train_steps(setup, stop)), setup.state


def files(run):
    """What training wrote, without times."""
    last = checkpoints(run)[-1]
    numbers = json.loads((last.folder / "training.json").read_text())
    del numbers["seconds"]
    arrays = {**load_tensors(last.weights), **load_tensors(last.folder / "training.safetensors")}
    timed = ("seconds", "seconds_per_batch", "tokens_per_second", "save_seconds", "seconds_left")
    records = [{k: v for k, v in record.items() if k not in timed} for record in read_log(run.log)]
    reports = [record for record in records if record["kind"] in ("report", "validation")]
    return {name: array.tobytes() for name, array in arrays.items()}, numbers, reports


def test_the_loss_falls_on_ten_characters(folder):
    run = prepare_text(folder, "abcdefghij" * 50, PrepareSettings(valid=0.1, test=0))
    events, state = run_for(run, SMALL | {"steps": 150, "learning_rate": 0.02, "dropout": 0.0})
    assert state.counters.best_loss < 0.1 < 2.0 < float(np.log(10))
    losses = [event.loss for event in events if isinstance(event, Report)]
    assert losses == sorted(losses, reverse=True) or losses[-1] < 0.2


def test_events_are_in_the_log_and_the_best_is_the_model(fox):
    events, state = run_for(fox)
    assert [record["kind"] for record in read_log(fox.log)] == [type(event).__name__.lower() for event in events]
    assert events[-1] == End(30, True, events[-1].seconds)
    best = min((event for event in events if isinstance(event, Validation)), key=lambda event: event.valid_loss)
    assert (best.step, best.valid_loss) == (state.counters.best_step, state.counters.best_loss)
    summary = load_summary(fox.weights)
    assert (summary.step, summary.valid_loss) == (best.step, best.valid_loss)


VARIANTS = [
    {"optimizer": "adamw", "weight_decay": 0.1, "tie_weights": True, "embedding": 16},
    {"optimizer": "soap", "weight_decay": 0.1, "layers": 2},
    {"optimizer": "sgd", "learning_rate": 1.0, "loss_per": "window", "init_scale": 0.1, "clip_value": 1.0},
    {"optimizer": "rmsprop", "schedule": "linear", "cell": "gru"},
    {"schedule": "plateau", "cell": "rnn", "learning_rate": 0.1},
    {"schedule": "epoch-decay", "epochs": 3, "steps": None, "input_dropout": 0.3, "random_offset": True},
    {"epochs": 3, "steps": None, "shuffle_documents": True},
]


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_every_optimizer_schedule_and_cell_resumes_as_if_never_stopped(folder, variant):
    flags = {name: value for name, value in (SMALL | variant).items() if value is not None}
    text = "".join(map(chr, np.random.default_rng(0).integers(97, 110, 2500))).replace("a", "\n")
    settings = PrepareSettings(documents="line" if "shuffle_documents" in flags else None)
    whole, stopped = (prepare_text(folder, text, settings, name=name) for name in ("whole", "stopped"))
    run_for(whole, flags)
    for steps in (7, 12, None):
        run_for(stopped, flags, steps)
    assert files(stopped) == files(whole)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop", "soap"])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_every_optimizer_and_cell_learns(folder, optimizer, cell):
    run = prepare_text(folder, "abcdefghij" * 50, PrepareSettings(valid=0.1, test=0))
    rate = 1.0 if optimizer == "sgd" else 0.01
    flags = {"optimizer": optimizer, "cell": cell, "learning_rate": rate, "steps": 120, "dropout": 0.0}
    _, state = run_for(run, SMALL | flags)
    assert state.counters.best_loss < 1.0 < float(np.log(10))


def test_a_loss_per_window_is_the_sum_over_its_steps(fox):
    """The learning rate of 1 and the clip of 5 of the PTB tutorial are for such a loss."""
    flags = SMALL | {"optimizer": "sgd", "schedule": "constant", "warmup": 0, "clip": 0.0, "steps": 1, "dropout": 0.0}
    weights = []
    for variant in ({"loss_per": "window", "learning_rate": 0.01}, {"learning_rate": 0.01 * SMALL["seq_length"]}):
        _, state = run_for(fox, flags | variant, restart=True)
        weights.append(state.model.head.weight.detach())
    torch.testing.assert_close(*weights)


@pytest.mark.parametrize("loss_per", ["token", "window"])
def test_a_step_in_parts_is_the_same_step(fox, loss_per):
    flags = SMALL | {"steps": 12, "dropout": 0.0, "loss_per": loss_per, "precision": "float32"}
    weights = []
    for parts in (1, 3, 4):
        _, state = run_for(fox, flags | {"accumulate": parts}, restart=True)
        weights.append((state.counters.train_loss, state.model.head.weight.detach(), *state.hidden))
    for other in weights[1:]:
        torch.testing.assert_close(other, weights[0], atol=1e-4, rtol=1e-3)


def test_gradients_are_clipped_by_value(fox):
    flags = SMALL | {"optimizer": "sgd", "schedule": "constant", "warmup": 0, "clip": 0.0, "learning_rate": 1.0}
    setup = set_up(fox, Request(flags | {"clip_value": 1e-4, "steps": 1}), CPU)
    before = {name: parameter.detach().clone() for name, parameter in setup.state.model.named_parameters()}
    list(train_steps(setup))
    after = {name: parameter.detach() for name, parameter in setup.state.model.named_parameters()}
    moved = max(float((after[name] - before[name]).abs().max()) for name in before)
    assert moved == pytest.approx(1e-4, rel=1e-2)


def validations(scores, monkeypatch):
    rest = itertools.chain(scores, itertools.repeat(scores[-1]))
    monkeypatch.setattr(bookkeeping, "evaluate", lambda *_: Score(next(rest), 1))


def test_patience_ends_a_run_that_does_not_improve(fox, monkeypatch):
    validations([3.0, 2.0, 2.5, 2.5, 2.5], monkeypatch)
    flags = SMALL | {"steps": 200, "patience": 2}
    events, state = run_for(fox, flags)
    assert [event.valid_loss for event in events if isinstance(event, Validation)] == [3.0, 2.0, 2.5, 2.5]
    assert events[-1].finished
    assert state.counters.step < 200
    again, _ = run_for(fox, None)
    assert [type(event) for event in again] == [End]
    more, state = run_for(fox, {"patience": 3})
    assert len([event for event in more if isinstance(event, Validation)]) == 1
    set_up(fox, Request({"steps": 300}), CPU)  # a new limit, for a command that is killed at once
    assert follow(fox, CPU, ALONE).state.counters.stalled == 0
    longer, state = run_for(fox, None)  # until the loss stalls again
    assert len([event for event in longer if isinstance(event, Validation)]) == 3
    assert state.counters.step < 300
    Path("more.txt").write_text(TEXT)
    prepare("more.txt", append="fox")
    _, grown = run_for(fox, None)
    assert grown.counters.step > state.counters.step


def test_a_run_without_a_limit_ends_when_validation_stops_improving(fox, monkeypatch):
    validations([3.0, 2.0, 2.5, 1.9, 2.5], monkeypatch)
    flags = {name: value for name, value in SMALL.items() if name != "steps"}
    events, state = run_for(fox, flags | {"patience": 4, "schedule": "plateau"})
    assert [event.valid_loss for event in events if isinstance(event, Validation)] == [3.0, 2.0, 2.5, 1.9] + [2.5] * 4
    assert events[-1].finished
    assert state.counters.cuts == 5
    assert all(event.progress is None for event in events if isinstance(event, Report))


@pytest.mark.parametrize("flags", [{"patience": 3}, {"schedule": "plateau"}], ids=str)
def test_patience_and_plateau_need_held_out_text(folder, flags):
    run = prepare_text(folder, "abcdefghij" * 50, PrepareSettings(valid=0, test=0))
    with pytest.raises(UsageError, match="no held-out text"):
        run_for(run, SMALL | flags)
    assert not run.config.exists()


def test_plateau_lowers_the_learning_rate_when_validation_stalls(fox, monkeypatch):
    report_every(1, monkeypatch)
    validations([3.0, 2.0, 2.5, 1.9, 2.5], monkeypatch)
    flags = {"schedule": "plateau", "warmup": 0, "lr_decay": 0.5, "learning_rate": 0.01, "steps": 90}
    events, _ = run_for(fox, SMALL | flags)
    scored = [event.step for event in events if isinstance(event, Validation)]
    rates = {event.step: event.rate for event in events if isinstance(event, Report)}
    assert [rates[step + 1] for step in scored[:5]] == [0.01, 0.01, 0.005, 0.005, 0.0025]


@pytest.mark.parametrize("bound", [{"steps": 40}, {"steps": None, "epochs": 2}])
@pytest.mark.parametrize("stops", [[1], [7, 6], [13, 1, 1, 10]])
def test_stopped_and_continued_equals_never_stopped_bit_for_bit(folder, bound, stops):
    flags = {name: value for name, value in (SMALL | bound).items() if value is not None}
    text = "".join(map(chr, np.random.default_rng(0).integers(97, 110, 2500)))
    whole, stopped = prepare_text(folder, text, name="whole"), prepare_text(folder, text, name="stopped")
    run_for(whole, flags)
    for steps in (*stops, None):
        run_for(stopped, flags, steps)
    assert files(stopped) == files(whole)


def test_a_finished_run_ends_at_once_and_resumes_with_a_larger_limit(fox):
    run_for(fox)
    before = files(fox)
    events, _ = run_for(fox, None)
    assert [type(event) for event in events] == [End]
    assert files(fox) == before
    events, _ = run_for(fox, {"steps": 35})
    assert events[-1].step == 35


def test_checkpoints_are_saved_every_n_steps_and_the_last_and_early_ones_kept(fox):
    events, state = run_for(fox, SMALL | {"checkpoint_every": 4, "keep": 2})
    saved = [event.step for event in events if isinstance(event, Saved)]
    assert set(range(4, 31, 4)) <= set(saved)
    kept = [checkpoint.step for checkpoint in checkpoints(fox)]
    assert kept == sorted({24, 28, 30, state.counters.best_step, *early_steps(saved)})
    assert kept[0] == saved[0]


def test_without_held_out_text_the_last_is_the_best(folder):
    run = prepare_text(folder, "abcdefghij" * 50, PrepareSettings(valid=0, test=0))
    events, _ = run_for(run, SMALL)
    assert not any(isinstance(event, Validation) for event in events)
    assert load_summary(run.weights).step == 30


def test_a_calibrated_model_scores_in_use_what_its_validation_says(fox, monkeypatch):
    monkeypatch.setattr(evaluation, "LEAST_CALIBRATION", 0)
    _, state = run_for(fox, SMALL | {"calibrate": True, "steps": 300, "learning_rate": 0.02})
    assert 0.7 <= state.counters.scale <= 1.1
    weights = load_tensors(fox.weights)
    assert weights["head.scale"] == pytest.approx(state.counters.scale)
    reading = read_split(Corpus(fox.corpus).split("valid"), Vocabulary.load(fox.vocabulary), by_line=False)
    *_, score = score_text(load_model(fox), reading, CPU)
    assert score.loss == pytest.approx(state.counters.best_loss, abs=1e-4)
    assert count_parameters(fox.weights) == state.model.parameter_count
    run_for(fox, {"steps": 310})  # training itself does not scale the logits
    assert state.model.scale == 1


def test_a_worse_score_never_replaces_the_best(fox, monkeypatch):
    scores = itertools.chain([1.0], itertools.repeat(2.0))
    monkeypatch.setattr(bookkeeping, "evaluate", lambda *_: Score(next(scores), 1))
    events, state = run_for(fox, SMALL, steps=10)
    first = next(event for event in events if isinstance(event, Validation))
    run_for(fox, SMALL)  # and a resumed run remembers it
    assert load_summary(fox.weights).step == first.step == state.counters.best_step


def test_an_interrupted_validation_is_done_when_the_run_resumes(fox):
    setup = set_up(fox, Request(SMALL), CPU)
    counters = setup.state.counters
    # A request to stop comes with the last step: the run is not finished before its validation.
    events = list(train_steps(setup, lambda: counters.step == 30))
    assert events[-1] == End(30, False, events[-1].seconds)
    events, _ = run_for(fox, None)
    assert [type(event) for event in events] == [Validating, Validation, Saved, End]
    assert events[-1].finished
    assert load_summary(fox.weights).step == 30
    events, _ = run_for(fox, None)
    assert [type(event) for event in events] == [End]


def broken_at(calls, monkeypatch):
    """Makes the loss of some training steps, counted from 0, NaN."""
    counter, original = itertools.count(), loop.cross_entropy
    monkeypatch.setattr(
        loop, "cross_entropy", lambda *a: original(*a) * (float("nan") if calls(next(counter)) else 1.0)
    )


def test_a_step_without_a_finite_loss_is_skipped_and_counted(fox, monkeypatch):
    report_every(1, monkeypatch)
    broken_at(lambda call: call in (3, 4, 9), monkeypatch)
    events, state = run_for(fox)
    assert state.counters.skipped == 3
    assert events[-1].finished
    assert state.finite()
    reports = [event for event in events if isinstance(event, Report)]
    assert [report.step for report in reports if report.skipped == 2] == [6, 7, 8, 9]
    assert all(np.isfinite(report.loss) for report in reports)


def test_a_run_that_diverges_returns_to_the_last_checkpoint_with_half_the_learning_rate(fox, monkeypatch):
    report_every(1, monkeypatch)
    broken_at(lambda call: 12 <= call < 17, monkeypatch)
    events, _ = run_for(fox, SMALL | {"checkpoint_every": 5, "schedule": "constant", "warmup": 0})
    (recovery,) = [event for event in events if isinstance(event, Recovery)]
    assert (recovery.step, recovery.exploded, recovery.recoveries) == (15, 17, 1)
    rates = {event.rate for event in events[: events.index(recovery)] if isinstance(event, Report)}
    halved = {event.rate for event in events[events.index(recovery) :] if isinstance(event, Report)}
    assert (rates, halved) == ({0.006}, {0.003})
    assert events[-1] == End(30, True, events[-1].seconds)
    steps = [record["step"] for record in read_log(fox.log) if record["kind"] == "report"]
    assert steps == sorted(set(steps))
    run_for(fox, {"steps": 33}, None)  # a resumed run keeps the half rate
    assert {record["rate"] for record in read_log(fox.log) if record.get("step", 0) > 30 and "rate" in record} == {
        0.003
    }


def test_a_run_that_diverges_before_the_first_checkpoint_starts_over(fox, monkeypatch):
    broken_at(lambda call: call < 5, monkeypatch)
    events, _ = run_for(fox)
    assert [(event.step, event.exploded) for event in events if isinstance(event, Recovery)] == [(0, 5)]
    assert events[-1].finished


def test_a_run_that_always_diverges_ends_with_a_message_and_keeps_its_checkpoints(fox, monkeypatch):
    run_for(fox, SMALL, steps=5)
    before = files(fox)
    broken_at(lambda call: True, monkeypatch)
    with pytest.raises(
        CharrnnError, match=r"diverged at step 10, and halving .* 3 times.*`restart=True` and `learning_rate="
    ):
        run_for(fox)
    assert files(fox)[:2] == before[:2]
    assert load_model(fox).summary.step == 5


def test_more_streams_than_tokens(folder):
    run = prepare_text(folder, "ab" * 20, PrepareSettings(valid=0, test=0))
    with pytest.raises(UsageError, match="`batch_size=400` is too large for a text of 40 tokens"):
        run_for(run, SMALL | {"batch_size": 400})


def test_weights_that_are_not_finite_are_not_saved(fox):
    run_for(fox, SMALL, steps=5)
    before = files(fox)
    setup = set_up(fox, Request({}), CPU)
    counters = setup.state.counters

    def stop() -> bool:  # after one more step, before the next report
        if counters.step == 5:
            return False
        with torch.no_grad():
            setup.state.model.head.bias[0] = torch.nan
        return True

    events = list(train_steps(setup, stop))
    assert [(event.step, event.exploded) for event in events if isinstance(event, Recovery)] == [(5, 6)]
    assert files(fox)[:2] == before[:2]


def test_a_loss_of_nan_is_never_the_best(fox, monkeypatch):
    scores = itertools.chain([float("nan")], itertools.repeat(2.0))
    monkeypatch.setattr(bookkeeping, "evaluate", lambda *_: Score(next(scores), 1))
    events, state = run_for(fox)
    assert [event.best for event in events if isinstance(event, Validation)][:3] == [False, True, False]
    assert state.counters.best_loss == 2.0


def test_a_report_averages_the_losses_before_and_after_an_interruption(fox, monkeypatch):
    report_every(10, monkeypatch)
    run_for(fox, SMALL, steps=7)
    report_every(4, monkeypatch)
    events, _ = run_for(fox)
    assert next(event for event in events if isinstance(event, Report)).loss < 5


def test_counting_steps_only_for_reports_as_on_a_gpu_changes_nothing(folder, monkeypatch):
    often, rarely = prepare_text(folder, TEXT, name="often"), prepare_text(folder, TEXT, name="rarely")
    run_for(often, SMALL | {"checkpoint_every": 7})
    original = bookkeeping.Bookkeeping.__init__

    def with_rare_counts(self, *arguments):
        original(self, *arguments)
        self._counts_each_step = False

    monkeypatch.setattr(bookkeeping.Bookkeeping, "__init__", with_rare_counts)
    run_for(rarely, SMALL | {"checkpoint_every": 7})
    assert files(rarely) == files(often)


class Scaled(NumberFormat):
    """float32 with a scaled loss, as float16 has it on a GPU. A power of 2 as a scale changes no bit of float32."""

    scaled = True


def scale_the_loss(monkeypatch):
    monkeypatch.setattr(state_module, "number_format", lambda *_: Scaled("float32", "cpu"))


@pytest.mark.parametrize("variant", [{}, {"clip_value": 0.1, "accumulate": 2}, {"loss_per": "window"}], ids=str)
def test_a_scaled_loss_takes_the_same_steps(folder, monkeypatch, variant):
    flags = SMALL | {"precision": "float32"} | variant
    plain, scaled = prepare_text(folder, TEXT, name="plain"), prepare_text(folder, TEXT, name="scaled")
    run_for(plain, flags)
    scale_the_loss(monkeypatch)
    run_for(scaled, flags)
    (tensors, *others), (scaled_tensors, *scaled_others) = files(plain), files(scaled)
    assert scaled_tensors.keys() - tensors.keys() == {"loss_scale", "loss_scale.good_steps"}
    assert {name: scaled_tensors[name] for name in tensors} == tensors
    assert scaled_others == others


@pytest.mark.parametrize("optimizer", ["adamw", "rmsprop", "sgd", "soap"])
def test_a_scaled_run_resumes_as_if_never_stopped(folder, monkeypatch, optimizer):
    """The scale is too large at the start, and again when it has grown."""
    scale_the_loss(monkeypatch)
    monkeypatch.setattr(loss_scale, "GROWTH_INTERVAL", 4)
    monkeypatch.setattr(loss_scale, "FIRST_SCALE", 2.0**126)
    flags = SMALL | {"optimizer": optimizer, "precision": "float32", "loss_per": "window", "seq_length": 40}
    whole, stopped = prepare_text(folder, TEXT, name="whole"), prepare_text(folder, TEXT, name="stopped")
    updates = []
    original = loss_scale.LossScale.update
    monkeypatch.setattr(
        loss_scale.LossScale, "update", lambda self, finite: (updates.append(bool(finite)), original(self, finite))[1]
    )
    _, state = run_for(whole, flags)
    assert 1 < updates.count(False) < 15
    for steps in (2, 9, None):
        run_for(stopped, flags, steps)
    assert files(stopped) == files(whole)
    assert (state.counters.skipped, state.counters.step) == (0, 30)


def test_steps_that_the_scale_made_too_large_are_skipped_but_have_not_exploded(fox, monkeypatch):
    scale_the_loss(monkeypatch)
    broken_at(lambda call: call < 8, monkeypatch)
    events, state = run_for(fox)
    assert not any(isinstance(event, Recovery) for event in events)
    assert state.counters.skipped == 0
    assert state.loss_scale.scale == loss_scale.FIRST_SCALE / 2**8
    assert events[-1].finished
    assert state.finite()


def test_a_scaled_run_that_diverges_returns_to_the_last_checkpoint_and_its_scale(fox, monkeypatch):
    scale_the_loss(monkeypatch)
    monkeypatch.setattr(loss_scale, "FIRST_SCALE", 4.0)
    broken_at(lambda call: 12 <= call < 19, monkeypatch)  # two lower the scale, five have exploded
    events, state = run_for(fox, SMALL | {"checkpoint_every": 11})
    (recovery,) = [event for event in events if isinstance(event, Recovery)]
    assert (recovery.step, recovery.exploded) == (11, 19)
    assert (state.counters.skipped, state.counters.recoveries) == (5, 1)
    assert state.loss_scale.scale == 4


def test_a_checkpoint_without_a_scale_resumes_with_one(fox, monkeypatch):
    run_for(fox, SMALL | {"precision": "float32"}, steps=5)
    scale_the_loss(monkeypatch)
    events, state = run_for(fox)
    assert events[-1].finished
    assert state.loss_scale.good_steps == 25


GPU_FORMATS = ["auto", "float32", "tf32", "float16"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("precision", GPU_FORMATS)
def test_on_a_gpu_it_trains_and_resumes(fox, precision):
    gpu = torch.device("cuda")
    for steps in (10, 30):
        setup = set_up(fox, Request(SMALL | {"steps": steps, "weight_drop": 0.3, "precision": precision}), gpu)
        events = list(train_steps(setup))
    assert events[-1].step == 30
    assert setup.state.counters.skipped == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("precision", GPU_FORMATS)
def test_on_a_gpu_the_losses_are_those_of_a_cpu(folder, precision):
    flags = {"hidden": 128, "layers": 2, "embedding": 0, "batch_size": 4, "seq_length": 16, "dropout": 0.0}
    losses = {}
    for device, numbers in (("cpu", "float32"), ("cuda", precision)):
        run = prepare_text(folder, TEXT, name=f"on-{device}")
        setup = set_up(run, Request(flags | {"steps": 30, "precision": numbers}), torch.device(device))
        losses[device] = [event.loss for event in train_steps(setup) if isinstance(event, Report)]
    assert losses["cuda"] == pytest.approx(losses["cpu"], abs=1e-3 if precision == "float32" else 0.02)
