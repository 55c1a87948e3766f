import numpy as np
import pytest

from charrnn_cli.errors import RunError
from charrnn_cli.runs.weights import (
    SCALE,
    Summary,
    count_parameters,
    load_checksum,
    load_summary,
    load_tensors,
    save_tensors,
    save_weights,
)

SUMMARY = Summary(step=7, epoch=0.5, seconds=1.5, train_loss=2.0, valid_loss=None, when="2020-01-01T00:00:00+00:00")
WEIGHTS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(4, np.float16)}


def test_loaded_weights_and_summary_equal_the_saved_ones(folder):
    save_weights(folder / "w", WEIGHTS, SUMMARY)
    loaded = load_tensors(folder / "w")
    assert {name: (array.dtype, array.tolist()) for name, array in loaded.items()} == {
        name: (array.dtype, array.tolist()) for name, array in WEIGHTS.items()
    }
    assert load_summary(folder / "w") == SUMMARY


def test_the_scale_of_the_logits_is_not_counted_as_a_parameter(folder):
    save_weights(folder / "w", {**WEIGHTS, SCALE: np.ones(1, np.float32)}, SUMMARY)
    assert count_parameters(folder / "w") == 10


def test_the_checksum_depends_on_the_tensors_and_not_on_the_summary(folder):
    save_weights(folder / "w", WEIGHTS, SUMMARY)
    save_tensors(folder / "same", WEIGHTS)
    save_tensors(folder / "other", {**WEIGHTS, "b": np.zeros(4, np.float16)})
    assert load_checksum(folder / "w") == load_checksum(folder / "same")
    assert load_checksum(folder / "w") != load_checksum(folder / "other")


@pytest.mark.parametrize("data", [b"", b"\xff" * 8, b"\xff" * 100, b"\x08\0\0\0\0\0\0\0{}      "])
def test_an_error_about_damaged_weights_names_the_file(folder, data):
    (folder / "w").write_bytes(data)
    with pytest.raises(RunError, match=r"w (is damaged|has no training summary)"):
        load_summary(folder / "w")


def test_one_flipped_bit_is_an_error(folder):
    save_weights(folder / "w", WEIGHTS, SUMMARY)
    data = bytearray((folder / "w").read_bytes())
    data[-1] ^= 1
    (folder / "w").write_bytes(data)
    with pytest.raises(RunError, match="w is damaged: its checksum does not match its content"):
        load_tensors(folder / "w")


@pytest.mark.parametrize("load", [load_tensors, load_summary, load_checksum, count_parameters])
def test_an_error_about_missing_weights_names_the_file(folder, load):
    with pytest.raises(RunError, match="w is missing"):
        load(folder / "w")
