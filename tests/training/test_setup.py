import json
import math
import shutil

import pytest
import torch
from support import TEXT, prepare_text

from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.runs.checkpoints import Config, checkpoints
from charrnn_cli.training import setup
from charrnn_cli.training.loop import train
from charrnn_cli.training.setup import set_up

CPU = torch.device("cpu")
SMALL = {"hidden": 8, "embedding": 4, "batch_size": 4, "seq_length": 8, "steps": 6}


def trained(run):
    made = set_up(run, None, SMALL, False, CPU)
    list(train(run, made.data, made.config.training, made.state, CPU))
    return made


def test_settings_come_from_the_run(fox):
    first = trained(fox)
    again = set_up(fox, None, {}, False, CPU)
    assert again.why is None
    assert again.config == first.config
    assert again.state.numbers == first.state.numbers


@pytest.mark.parametrize("flags", [{"hidden": 9}, {"learning_rate": 0.5}, {"seed": 1}])
def test_flags_that_contradict_the_run_are_refused(fox, flags):
    trained(fox)
    (name,) = flags
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} {flags[name]} .the run has .*--restart"):
        set_up(fox, None, flags, False, CPU)
    with pytest.raises(UsageError, match=r"--preset anna .the run has auto"):
        set_up(fox, "anna", {}, False, CPU)


def test_a_run_may_be_lengthened_but_not_shortened(fox):
    trained(fox)
    longer = set_up(fox, None, {"epochs": 9, "keep": 5}, False, CPU)
    assert (longer.config.training.epochs, longer.config.training.steps, longer.config.training.keep) == (9, None, 5)
    with pytest.raises(UsageError, match=r"--steps 5 lies behind this run, which has had 6"):
        set_up(fox, None, {"steps": 5}, False, CPU)
    assert Config.load(fox.config).training.epochs == 9


def test_restart_begins_anew_with_other_settings(fox):
    trained(fox)
    setup = set_up(fox, None, SMALL | {"hidden": 9}, True, CPU)
    assert setup.why
    assert setup.state.numbers.step == 0
    assert (checkpoints(fox), fox.trained, fox.log.exists()) == ([], False, False)


@pytest.mark.parametrize(("preset", "flags"), [("no such preset", {}), (None, {"batch_size": 10**6})])
def test_a_restart_that_cannot_be_loses_nothing(fox, preset, flags):
    trained(fox)
    with pytest.raises(UsageError):
        set_up(fox, preset, flags, True, CPU)
    assert fox.trained
    assert checkpoints(fox)


def test_a_model_without_its_checkpoints_is_not_lost_by_chance(fox):
    trained(fox)
    shutil.rmtree(fox.checkpoints)
    with pytest.raises(RunError, match="--restart"):
        set_up(fox, None, {}, False, CPU)
    assert fox.trained


def test_settings_of_a_run_that_was_stopped_at_once_are_kept(fox):
    set_up(fox, None, SMALL, False, CPU)
    assert set_up(fox, None, {}, False, CPU).config.model.hidden == 8
    assert set_up(fox, None, SMALL | {"hidden": 9}, False, CPU).config.model.hidden == 9


def test_the_same_bound_again_is_no_contradiction(fox):
    trained(fox)
    assert set_up(fox, None, {"steps": 6}, False, CPU).state.numbers.step == 6


def test_another_text_than_it_was_trained_on(folder, fox):
    trained(fox)
    record = json.loads(fox.config.read_text())
    fox.config.write_text(json.dumps(record | {"sha256": "0" * 64}))
    with pytest.raises(RunError, match="another text"):
        set_up(fox, None, {}, False, CPU)


def test_a_checkpoint_that_does_not_fit_is_named(fox):
    trained(fox)
    last = checkpoints(fox)[-1]
    (last.folder / "training.json").write_text("{}")
    (last.folder / "training.safetensors").unlink()
    with pytest.raises(RunError, match=r"training\.safetensors is missing"):
        set_up(fox, None, {}, False, CPU)


def test_the_same_seed_gives_the_same_weights(folder):
    one, two = prepare_text(folder, TEXT, name="one"), prepare_text(folder, TEXT, name="two")
    weights = [set_up(run, None, SMALL, False, CPU).state.model.head.weight for run in (one, two)]
    assert torch.equal(*weights)


def test_auto_sends_the_streams_through_in_parts_where_memory_is_small(fox, monkeypatch):
    parts = []
    for memory in (math.inf, 1e9, 5e8, 1e3):
        monkeypatch.setattr(setup, "free_memory", lambda device, memory=memory: memory)
        config = set_up(fox, None, {"steps": 1}, True, CPU).config.training
        parts.append(config.accumulate)
        assert config.batch_size == 16
    assert parts == sorted(parts)
    assert (parts[0], parts[-1]) == (1, 16)
    assert set_up(fox, None, {"steps": 1, "accumulate": 2}, True, CPU).config.training.accumulate == 2
