import pytest

from charrnn_cli.presets import PRESETS, auto, with_changes


def test_anna_is_the_tutorial_to_the_letter():
    preset = PRESETS["anna"]()
    model, training = preset.model, preset.training
    assert (model.layers, model.hidden, model.embedding, model.dropout, model.residual) == (2, 512, 0, 0.5, False)
    assert (training.batch_size, training.seq_length, training.learning_rate) == (100, 100, 0.001)
    assert (training.schedule, training.warmup, training.clip, training.epochs) == ("constant", 0, 5.0, 20)


@pytest.mark.parametrize("tokens", [2, 50, 1_000, 100_000, 10_000_000, 10_000_000_000])
@pytest.mark.parametrize("gpu", [False, True])
def test_auto_fits_every_text(tokens, gpu):
    training = auto(tokens, None, None, gpu).training
    assert 1 <= training.batch_size < tokens
    assert training.minutes is not None


def test_auto_drops_more_the_more_often_a_text_is_read():
    dropouts = [auto(1_000_000, minutes, None, gpu=False).model.dropout for minutes in (1, 5, 10, 20, 60, 600)]
    assert dropouts == sorted(dropouts)
    assert dropouts[0] == 0 < dropouts[-1] < 1


def test_a_bound_that_is_named_takes_the_place_of_the_presets():
    preset = with_changes(PRESETS["anna"](), {"minutes": 2.0, "hidden": 8})
    assert (preset.training.minutes, preset.training.epochs, preset.model.hidden) == (2.0, None, 8)
    assert preset.training.batch_size == 100
