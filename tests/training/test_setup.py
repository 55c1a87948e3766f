import json
import os
import re
import shutil
from dataclasses import replace

import pytest
import torch
from support import TEXT, prepare_text

from charrnn_cli.errors import DiskError, RunError, UsageError
from charrnn_cli.network.ranks import ALONE
from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.runs.folders import Run, find_run
from charrnn_cli.runs.models import Config
from charrnn_cli.text.corpus import Corpus
from charrnn_cli.training.configuration import Request
from charrnn_cli.training.loop import train_steps
from charrnn_cli.training.setup import follow, set_up

CPU = torch.device("cpu")
SMALL = {"hidden": 8, "embedding": 4, "batch_size": 4, "seq_length": 8, "steps": 6}


def set_up_with(run, settings, **named):
    return set_up(run, Request(settings, preset=named.pop("preset", None)), CPU, **named)


def trained(run):
    setup = set_up_with(run, SMALL)
    list(train_steps(setup))
    return setup


def test_settings_come_from_the_run(fox):
    first = trained(fox)
    again = set_up_with(fox, {})
    assert again.reason is None
    assert again.config == first.config
    assert again.state.counters.seconds == pytest.approx(first.state.counters.seconds, abs=1)
    assert replace(again.state.counters, seconds=0) == replace(first.state.counters, seconds=0)


@pytest.mark.parametrize("flags", [{"hidden": 9}, {"learning_rate": 0.5}, {"seed": 1}])
def test_flags_that_contradict_the_run_are_refused(fox, flags):
    trained(fox)
    (name,) = flags
    with pytest.raises(UsageError, match=f"`{name}={flags[name]}` .the run has .*`restart=True`"):
        set_up_with(fox, flags)
    with pytest.raises(UsageError, match=r"`preset=anna` .the run has auto"):
        set_up_with(fox, {}, preset="anna")


def test_what_the_run_does_not_have_is_said_in_words(fox):
    trained(fox)
    with pytest.raises(UsageError, match=r"`layer_norm=False` \(the run has it on\)"):
        set_up_with(fox, {"layer_norm": False})
    with pytest.raises(UsageError, match=r"`origin=anna` \(the run has none\)"):
        set_up(fox, Request({}, origin=find_run("anna")), CPU)


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        ("foo", "`preset` must be one of"),
        ("ana", "Did you mean anna"),
        ("ptb-small", "`preset=ptb-small` is for the level word"),
    ],
)
def test_a_preset_that_does_not_exist_or_does_not_fit_is_refused_without_advice_to_restart(fox, preset, message):
    trained(fox)
    with pytest.raises(UsageError, match=message) as error:
        set_up_with(fox, {}, preset=preset)
    assert "restart" not in str(error.value)


def test_a_run_may_be_lengthened_but_not_shortened(fox):
    trained(fox)
    longer = set_up_with(fox, {"epochs": 9, "keep": 5})
    assert (longer.config.training.epochs, longer.config.training.steps, longer.config.training.keep) == (9, None, 5)
    with pytest.raises(UsageError, match=r"`steps=5` is too small: this run already has 6 steps"):
        set_up_with(fox, {"steps": 5})
    assert Config.load(fox.config).training.epochs == 9


def test_restart_starts_over_with_other_settings(fox):
    trained(fox)
    setup = set_up_with(fox, SMALL | {"hidden": 9}, start_over=True)
    assert setup.reason
    assert setup.state.counters.step == 0
    assert (checkpoints(fox), fox.trained, fox.log.exists()) == ([], False, False)


REFUSED = [
    ("no such preset", {}),
    ("ptb-small", {}),
    (None, {"hidden": 0}),
    (None, {"dropout": 1.5}),
    (None, {"batch_size": 10**6}),
    (None, {"accumulate": 999}),
    (None, {"steps": 5, "epochs": 5}),
    (None, {"tie_weights": True, "hidden": 8, "embedding": 4}),
    (None, {"cell": "rnn", "forget_bias": 1.0}),
    (None, {"cell": "gru", "precision": "bfloat16"}),
    (None, {"shuffle_documents": True}),  # the text has none
]


@pytest.mark.parametrize(("preset", "flags"), REFUSED)
def test_a_restart_that_is_refused_loses_nothing(fox, preset, flags):
    trained(fox)
    before = {path: path.stat().st_mtime_ns for path in fox.folder.rglob("*")}
    with pytest.raises(UsageError):
        set_up_with(fox, flags, preset=preset, start_over=True)
    assert {path: path.stat().st_mtime_ns for path in fox.folder.rglob("*")} == before


def test_a_restart_in_a_folder_that_cannot_be_changed_loses_nothing(fox, monkeypatch):
    trained(fox)
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != fox.checkpoints and allowed(path, mode))
    with pytest.raises(DiskError, match=r"cannot write runs/fox/checkpoints: Permission denied"):
        set_up_with(fox, SMALL, start_over=True)
    assert fox.trained
    assert checkpoints(fox)


def test_a_run_that_resumes_does_not_keep_a_precision_that_was_refused(fox):
    list(train_steps(set_up_with(fox, SMALL | {"cell": "gru"})))
    with pytest.raises(UsageError, match="`precision=bfloat16` is not faster"):
        set_up_with(fox, {"precision": "bfloat16"})
    assert Config.load(fox.config).training.precision == "auto"


def test_a_model_without_its_checkpoints_is_not_lost_by_accident(fox):
    trained(fox)
    shutil.rmtree(fox.checkpoints)
    with pytest.raises(RunError, match="`restart=True`"):
        set_up_with(fox, {})
    assert fox.trained


def test_a_run_that_was_stopped_before_its_first_checkpoint_keeps_its_settings(fox):
    set_up_with(fox, SMALL)
    assert set_up_with(fox, {}).config.model.hidden == 8
    assert set_up_with(fox, SMALL | {"hidden": 9}).config.model.hidden == 9


def test_the_same_limit_again_is_allowed(fox):
    trained(fox)
    assert set_up_with(fox, {"steps": 6}).state.counters.step == 6


def test_a_run_with_another_text_than_it_was_trained_on_is_refused(folder, fox):
    trained(fox)
    record = json.loads(fox.config.read_text())
    fox.config.write_text(json.dumps(record | {"sha256": "0" * 64}))
    with pytest.raises(RunError, match="trained on a different text"):
        set_up_with(fox, {})


def test_a_checkpoint_that_does_not_fit_is_named(fox):
    trained(fox)
    last = checkpoints(fox)[-1]
    (last.folder / "training.json").write_text("{}")
    (last.folder / "training.safetensors").unlink()
    with pytest.raises(RunError, match=r"training\.safetensors is missing"):
        set_up_with(fox, {})


def test_the_same_seed_gives_the_same_weights(folder):
    one, two = prepare_text(folder, TEXT, name="one"), prepare_text(folder, TEXT, name="two")
    weights = [set_up_with(run, SMALL).state.model.head.weight for run in (one, two)]
    assert torch.equal(*weights)


def test_a_follower_gets_the_state_of_the_first_rank_and_writes_nothing(fox):
    first = trained(fox)
    before = {path: path.stat().st_mtime_ns for path in fox.folder.rglob("*")}
    follower = follow(fox, CPU, ALONE)
    assert {path: path.stat().st_mtime_ns for path in fox.folder.rglob("*")} == before
    assert follower.config == first.config
    assert torch.equal(follower.state.model.head.weight, first.state.model.head.weight)


def test_the_settings_of_the_text_are_stored_and_added_to_older_runs(fox):
    trained(fox)
    settings = Corpus(fox.corpus).info.settings
    assert Config.load(fox.config).text == settings
    replace(Config.load(fox.config), text=None).save(fox.config)
    set_up_with(fox, {})
    assert Config.load(fox.config).text == settings


@pytest.mark.parametrize("origin", ["../x/m", "elsewhere/m", "."])
def test_a_config_cannot_name_a_model_by_a_path(folder, fox, origin):
    trained(fox)
    shutil.copytree(fox.folder, folder / "elsewhere" / "m")
    shutil.rmtree(fox.checkpoints)
    fox.weights.unlink()
    config = Config.load(fox.config)
    replace(config, origin=origin).save(fox.config)
    for ready in (lambda: set_up_with(fox, {}), lambda: follow(fox, CPU, ALONE)):
        with pytest.raises(RunError, match=f"no run or model is called '{re.escape(origin)}'"):
            ready()


def test_a_follower_takes_the_folder_that_the_user_named(folder, fox):
    trained(fox)
    shutil.copytree(fox.folder, folder / "elsewhere" / "m")
    named = Run(folder / "elsewhere" / "m")
    run = prepare_text(folder, TEXT, name="other")
    setup = set_up(run, Request({"steps": 6, "batch_size": 4, "seq_length": 8}, origin=named), CPU)
    assert setup.config.origin == "m"
    assert follow(run, CPU, ALONE, named).state.transferred.keys() == setup.state.transferred.keys()


@pytest.mark.parametrize(
    "edge", [{"forget_bias": 1e6}, {"forget_bias": -1e6}, {"init_scale": 1e6}, {"clip": 1e30}, {"clip_value": 1e30}]
)
def test_the_largest_values_of_settings_can_be_computed(fox, edge):
    assert list(train_steps(set_up_with(fox, {**SMALL, "steps": 1, **edge})))
