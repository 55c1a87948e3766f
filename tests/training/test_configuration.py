import math
import re

import pytest
import torch

from charrnn_cli.errors import UsageError
from charrnn_cli.network import speed
from charrnn_cli.training import configuration
from charrnn_cli.training.configuration import Request
from charrnn_cli.training.loop import train_steps
from charrnn_cli.training.setup import set_up

CPU = torch.device("cpu")


def test_a_name_that_is_not_a_setting_is_refused():
    with pytest.raises(UsageError, match=r"`hiden` is not a setting of training\. Did you mean hidden"):
        Request({"hiden": 9})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden": 0}, "`hidden` must be in [1, 65536], got 0."),
        ({"dropout": 1.5}, "`dropout` must be in [0, 1), got 1.5."),
        ({"schedule": "cosin"}, "`schedule` must be cosine, linear"),
        ({"cell": "lstmm"}, "`cell` must be lstm, gru or rnn, got 'lstmm'."),
    ],
)
def test_an_invalid_value_is_refused_before_anything_else(settings, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        Request(settings)


def test_settings_and_preset_are_those_of_the_request(fox):
    setup = set_up(fox, Request({"hidden": 8, "steps": 5}, preset="anna"), CPU)
    assert (setup.config.preset, setup.config.model.hidden, setup.config.training.bound) == ("anna", 8, ("steps", 5))
    assert setup.config.training.batch_size == 100
    assert setup.reason == "Anna Karenina char-RNN tutorial"


def test_auto_splits_the_batch_if_memory_is_small(fox, monkeypatch):
    parts = []
    for memory in (math.inf, 1e9, 5e8, 1e3):
        monkeypatch.setattr(configuration, "free_memory", lambda device, memory=memory: memory)
        training = set_up(fox, Request({"steps": 1}, from_nothing=True), CPU, start_over=True).config.training
        parts.append(training.accumulate)
        assert training.batch_size == 16
    assert parts == sorted(parts)
    assert (parts[0], parts[-1]) == (1, 16)
    passed = set_up(fox, Request({"steps": 1, "accumulate": 2}, from_nothing=True), CPU, start_over=True)
    assert passed.config.training.accumulate == 2


def test_the_speed_is_measured_once_for_a_run_with_a_limit_in_time(fox, monkeypatch):
    measured = []
    monkeypatch.setattr(speed, "MOST_SECONDS", 0.3)
    monkeypatch.setattr(speed, "measure", lambda *arguments: measured.append(arguments) or 3456.0)
    assert "measured" not in set_up(fox, Request({"steps": 5}, from_nothing=True), CPU).reason
    assert measured == []
    setup = set_up(fox, Request({"minutes": 1.0}, from_nothing=True), CPU)
    assert setup.reason.endswith("epochs in 1 min; measured: 2 x 256 at 3,500 tokens/s")
    assert len(measured) == 1
    list(train_steps(setup, lambda: setup.state.counters.step == 1))
    for settings in ({}, {"minutes": 50.0}):
        resumed = set_up(fox, Request(settings), CPU)
        assert (resumed.config.model, resumed.reason) == (setup.config.model, None)
    assert len(measured) == 1


def test_the_speed_is_measured_with_the_threads_that_train(fox, monkeypatch):
    before = torch.get_num_threads()
    numbers = []
    monkeypatch.setattr(speed, "MOST_SECONDS", 0.3)
    monkeypatch.setattr(speed, "measure", lambda *arguments: numbers.append(torch.get_num_threads()) or 3456.0)
    try:
        for threads in (1, 2):
            request = Request({"minutes": 1.0, "threads": threads}, from_nothing=True)
            config = set_up(fox, request, CPU, start_over=True).config
            assert numbers[0] == threads
            assert config.device.startswith(f"CPU, {threads} thread")
            numbers.clear()
    finally:
        torch.set_num_threads(before)


def test_a_named_preset_measures_nothing(fox, monkeypatch):
    monkeypatch.setattr(speed, "MOST_SECONDS", 0.3)
    monkeypatch.setattr(speed, "measure", None)
    set_up(fox, Request({"minutes": 1.0}, preset="anna"), CPU)
