import re
from dataclasses import replace
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from support import TEXT, prepare_text

from charrnn_cli.config import PrepareSettings
from charrnn_cli.network.ranks import ALONE, Ranks
from charrnn_cli.terminal.reports import (
    describe_end,
    describe_epoch_time,
    describe_full_memory,
    describe_recovery,
    describe_start,
)
from charrnn_cli.training.configuration import Request
from charrnn_cli.training.events import End, MemoryFull, Recovery
from charrnn_cli.training.setup import Setup, set_up
from charrnn_cli.training.signals import Signals
from charrnn_cli.training.trainer import Started

SMALL = {"hidden": 8, "layers": 1, "embedding": 4, "batch_size": 4, "seq_length": 8}


def started(run, step=0, origin=None, **settings):
    setup = set_up(run, Request({} if origin else SMALL | settings, origin=origin), torch.device("cpu"))
    setup.state.counters.step = step
    return Started(setup, step, Signals(patient=False, before_exit=lambda: None))


def test_the_start_names_text_network_training_and_device(fox):
    text, model, training, start = describe_start(started(fox, steps=9, weight_drop=0.2, layer_norm=True)).split("\n")
    assert re.fullmatch(r"fox: 1,[\d]+ characters to learn, \d+ held out", text)
    assert model.startswith("model: LSTM 1 x 8, embedding 4, dropout ")
    assert re.search(r", weight drop 0.2, residual, layer norm: [\d,]+ parameters, about 0\.\d GB of memory$", model)
    assert training.startswith("training: 9 steps, batch 4 x 8, SOAP")
    assert re.fullmatch(r"preset auto \(for about .*\), on the CPU, 1 thread", start)


def test_a_resumed_run_says_how_much_of_its_limit_is_done(fox):
    one = started(fox, minutes=2.4)
    assert "training: 2.4 minutes, batch" in describe_start(one)
    one = started(fox, step=900, minutes=2.4)
    one.setup.state.counters.seconds = 119.0
    assert "training: 2.4 minutes in all, 2.0 done, batch" in describe_start(one)
    unlimited = started(fox, step=900, patience=2, schedule="plateau")
    assert "training: until the validation loss stops improving, batch" in describe_start(unlimited)


def test_a_resumed_run_and_several_processes_are_named(fox):
    one = started(fox, step=1200, steps=2000)
    assert "resuming from step 1,200" in describe_start(one)
    one.setup.state.ranks = Ranks(0, 3)
    assert describe_start(one).endswith("on 3 processes, each with the CPU, 1 thread")
    one.setup.state.ranks = ALONE


def test_the_model_that_a_run_starts_from_is_named(folder, trained):
    other = prepare_text(folder, TEXT.replace("fox", "Ünicorn"), name="other")
    assert re.search(
        r", from fox: \d+ characters known, 1 new, on the CPU", describe_start(started(other, origin=trained))
    )


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ({"minutes": 2.0}, r"an epoch takes 0:\d\d: [\d.]+ fit into 2 minutes"),
        ({"epochs": 3}, r"an epoch takes 0:\d\d: 3 epochs take \d:\d\d"),
        ({"steps": 1000}, r"an epoch takes 0:\d\d: 1,000 steps are \d+ epochs and take \d:\d\d"),
        ({"patience": 3, "schedule": "plateau"}, r"an epoch takes 0:\d\d"),
    ],
)
def test_the_time_of_an_epoch_is_related_to_the_limit(fox, limit, text):
    report = SimpleNamespace(tokens_per_second=100.0)
    assert re.fullmatch(text, describe_epoch_time(started(fox, **limit).setup, report))


def test_a_full_memory_says_how_training_goes_on():
    assert describe_full_memory(MemoryFull(7, 4, 3.0)).startswith(
        "the memory is full: from step 8 on, each batch is computed in 4 parts (--accumulate 4)"
    )


def test_a_recovery_says_where_training_continues():
    assert describe_recovery(Recovery(40, 52, 1, 3.0)) == (
        "training diverged at step 52: back to step 40, with half the learning rate"
    )
    assert ": starting over, " in describe_recovery(Recovery(0, 5, 1, 3.0))


def test_an_interrupted_run_says_how_to_resume(fox):
    one = started(fox, steps=9000)
    assert describe_end(one, End(1234, False, 1.0)) == "fox: saved at step 1,234. To resume: charrnn train fox"
    assert "stopped before the first step" in describe_end(one, End(0, False, 1.0))


def test_a_finished_run_says_why_and_how_to_train_it_further(fox):
    one = started(fox, steps=9)
    counters = one.setup.state.counters
    counters.step, counters.best_loss, counters.best_step, counters.stalled = 9, 1.25, 7, 2
    assert describe_end(one, End(9, True, 1.0)) == (
        "fox is finished: 9 steps, best validation loss 1.2500 at step 7.\n"
        "To write: charrnn sample --model fox\n"
        "To train it further: charrnn train fox --steps 18\n"
        "To start over: charrnn train fox --restart"
    )
    with mock.patch.object(Setup, "calibrated", True):
        assert "loss 1.2500 (calibrated on the same text) at step 7" in describe_end(one, End(9, True, 1.0))
    assert "fox is finished already: 9 steps" in describe_end(replace(one, step=9), End(9, True, 1.0))


def test_a_run_that_ran_out_of_patience_says_so(folder):
    run = prepare_text(folder, TEXT, PrepareSettings(level="word"), name="words")
    one = started(run, schedule="plateau", patience=2, embedding=8)
    one.setup.state.counters.stalled, one.setup.state.counters.best_loss = 2, 1.0
    end = describe_end(one, End(70, True, 1.0))
    assert "no better validation loss in 2 validations, 70 steps, best validation loss 1.0000 (perplexity 2.72)" in end
    assert "--patience 4" in end
