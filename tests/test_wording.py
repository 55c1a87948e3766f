import math

import pytest

from charrnn_cli.config import ModelSettings, TrainingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.wording import (
    byte_size,
    check_names,
    did_you_mean,
    duration,
    network_shape,
    quantity,
    rounded,
    training_recipe,
    visible,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain", "plain"), ("a\n\tb", "a\n\tb"), ("\x1b[31m", "\\x1b[31m"), ("\0", "\\x00"), ("\u202e", "\\u202e")],
)
def test_control_characters_become_escapes(text, shown):
    assert visible(text) == shown


def test_a_network_is_its_cell_its_layers_and_their_units():
    assert network_shape(ModelSettings(cell="gru", layers=3, hidden=512)) == "GRU 3 x 512"
    assert network_shape(ModelSettings(cell="rnn", layers=1, hidden=8)) == "RNN 1 x 8"


def test_a_recipe_has_the_limit_the_batch_the_optimizer_and_what_else_is_set():
    adam = TrainingSettings(steps=2000, batch_size=4, seq_length=8, learning_rate=0.01, clip=0)
    assert training_recipe(adam) == "2,000 steps, batch 4 x 8, Adam 0.01 (cosine)"
    sgd = TrainingSettings(
        epochs=1, optimizer="sgd", learning_rate=1, schedule="epoch-decay", max_epoch=4, clip=5, clip_value=0.1
    )
    assert training_recipe(sgd) == (
        "1 epoch, batch 16 x 64, SGD 1 (times 0.5 each epoch after 4), clip 5, clip by value 0.1"
    )
    assert training_recipe(TrainingSettings(steps=2000), done=1200).startswith("2,000 steps in all, 1,200 done, batch")
    assert training_recipe(TrainingSettings(minutes=2.4), done=1.98).startswith("2.4 minutes in all, 2.0 done, batch")
    patient = TrainingSettings(patience=3, schedule="plateau")
    assert training_recipe(patient).startswith("until the validation loss stops improving, ")
    assert training_recipe(patient).endswith(", patience 3")


@pytest.mark.parametrize(
    ("name", "guess"), [("ann", " Did you mean anna?"), ("NOVEL", " Did you mean Novel?"), ("xyz", ""), ("", "")]
)
def test_a_similar_name_is_suggested(name, guess):
    assert did_you_mean(name, ["anna", "Novel", "shakespeare"]) == guess


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (0.264, "0.26"), (5.62, "5.6"), (9.96, "10"), (35.4, "35"), (108, "110"), (1234, "1,200")],
)
def test_an_estimate_has_two_digits_and_no_exponent(amount, text):
    assert rounded(amount) == text


def test_a_single_unit_has_no_s():
    assert [quantity(amount, "steps") for amount in (0.5, 1, 2000)] == ["0.5 steps", "1 step", "2,000 steps"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-:--"),
        (-5, "0:00"),
        (0.4, "0:00"),
        (59.6, "1:00"),
        (123, "2:03"),
        (3723, "1:02:03"),
        (math.inf, "-:--"),
        (math.nan, "-:--"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (3_460_000, "3.5 MB"),
        (12e9, "12.0 GB"),
        (4e12, "4000.0 GB"),
    ],
)
def test_bytes_have_a_readable_unit(amount, text):
    assert byte_size(amount) == text


def test_a_name_that_is_not_known_is_an_error_with_a_guess():
    check_names(["hidden"], iter(["hidden", "layers"]), "training")
    with pytest.raises(UsageError, match=r"^`hiden` is not a setting of training\. Did you mean hidden\?$"):
        check_names(["layers", "hiden"], ["hidden", "layers"], "training")
    with pytest.raises(UsageError, match=r"^`x` is not a setting of training\.$"):
        check_names(["x"], ["hidden"], "training")


def bake(heat: int = 3) -> None:
    """Has an argument."""


def test_the_guess_may_be_an_argument_of_the_function():
    with pytest.raises(UsageError, match=r"^`haet` is not a setting of baking\. Did you mean heat\?$"):
        check_names(["haet"], ["hidden"], "baking", bake)
