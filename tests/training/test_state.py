import json

import pytest
import torch
from support import TEXT

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import RunError
from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.training.saving import write_checkpoint
from charrnn_cli.training.state import TrainingState

CPU = torch.device("cpu")
MODEL = ModelSettings(hidden=6, layers=2, embedding=4, dropout=0.0)
SETTINGS = TrainingSettings(steps=9, batch_size=3, seq_length=5)
VOCABULARY = len(set(TEXT))
YES, NO = torch.tensor(True), torch.tensor(False)


def fresh(model=MODEL, settings=SETTINGS):
    return TrainingState.start(model, settings, VOCABULARY, CPU)


def tensors(state):
    moments = (value for values in state.optimizer.moments.values() for value in values)
    return [*state.model.parameters(), *moments, *state.hidden, state.loss_sum]


def take_step(state, finite=YES):
    x = torch.randint(VOCABULARY, (3, 5), generator=torch.Generator().manual_seed(state.counters.step))
    logits, hidden = state.model(x, state.hidden)
    loss = logits.square().mean()
    loss.backward()
    state.optimizer.step(0.01, ~finite, state.counters.step)
    state.model.zero_grad()
    state.add_step(finite, loss.detach(), tuple(part.detach() for part in hidden))
    state.advance(windows=4)


def test_the_seed_decides_the_weights():
    assert all(torch.equal(a, b) for a, b in zip(tensors(fresh()), tensors(fresh()), strict=True))
    other = fresh(settings=TrainingSettings(steps=9, batch_size=3, seed=1))
    assert not torch.equal(fresh().model.head.weight, other.model.head.weight)


def test_a_restored_state_is_the_saved_one_and_continues_alike(fox):
    fox.checkpoints.mkdir()
    state = fresh()
    for _ in range(3):
        take_step(state)
    state.count()
    write_checkpoint(fox, SETTINGS, state, epoch=0.75)
    restored = fresh()
    restored.restore(checkpoints(fox)[-1])
    for _ in range(2):
        assert restored.counters == state.counters
        assert all(torch.equal(a, b) for a, b in zip(tensors(restored), tensors(state), strict=True))
        take_step(state)
        take_step(restored)


def test_a_skipped_step_keeps_loss_and_hidden_state_and_is_counted():
    state = fresh()
    take_step(state)
    loss, hidden = state.loss_sum.clone(), state.hidden
    for _ in range(2):
        state.add_step(NO, torch.tensor(float("nan")), tuple(torch.full_like(part, float("nan")) for part in hidden))
    state.count()
    assert state.loss_sum == loss
    assert all(torch.equal(a, b) for a, b in zip(state.hidden, hidden, strict=True))
    assert (state.counters.loss_steps, state.counters.skipped, state.counters.skipped_in_row) == (1, 2, 2)
    take_step(state)
    state.count()
    state.count()  # counting twice counts nothing twice
    assert (state.counters.loss_steps, state.counters.skipped, state.counters.skipped_in_row) == (2, 2, 0)


def test_the_loss_is_a_mean_and_starts_again():
    state = fresh()
    for loss in (1.0, 3.0):
        state.add_step(YES, torch.tensor(loss), state.hidden)
    state.count()
    assert state.take_loss() == 2.0
    assert (state.counters.train_loss, state.counters.loss_steps, float(state.loss_sum)) == (2.0, 0, 0.0)


def test_an_epoch_ends_with_an_empty_hidden_state():
    state = fresh()
    for _ in range(4):
        assert state.counters.step == 0 or any(part.any() for part in state.hidden)
        take_step(state)
    assert state.counters.epoch == 1
    assert not any(part.any() for part in state.hidden)


def test_starting_over_is_the_start():
    state = fresh()
    for _ in range(3):
        take_step(state)
    state.start_over(SETTINGS)
    assert state.counters == fresh().counters
    assert all(torch.equal(a, b) for a, b in zip(tensors(state), tensors(fresh()), strict=True))


def test_weights_that_are_not_finite_are_noticed():
    state = fresh()
    assert state.finite()
    with torch.no_grad():
        state.model.head.bias[0] = torch.inf
    assert not state.finite()


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (ModelSettings(hidden=7, layers=2, embedding=4), SETTINGS, "cannot resume from the checkpoint"),
        (MODEL, TrainingSettings(steps=9, batch_size=4, seq_length=5), r"hidden state has the shape \(2, 3, 6\)"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(fox, model, settings, message):
    fox.checkpoints.mkdir()
    write_checkpoint(fox, SETTINGS, fresh(), epoch=0)
    with pytest.raises(RunError, match=message) as refused:
        fresh(model, settings).restore(checkpoints(fox)[-1])
    assert "`restart=True`" in str(refused.value)


def test_a_damaged_counter_is_named(fox):
    fox.checkpoints.mkdir()
    write_checkpoint(fox, SETTINGS, fresh(), epoch=0)
    path = checkpoints(fox)[-1].folder / "training.json"
    path.write_text(json.dumps({"step": "three"}))
    with pytest.raises(RunError, match="cannot resume from the checkpoint"):
        fresh().restore(checkpoints(fox)[-1])
