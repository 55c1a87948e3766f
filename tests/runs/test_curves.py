import json

import pytest
from support import train_small

from charrnn_cli.errors import RunError
from charrnn_cli.runs.curves import Curve, curves
from charrnn_cli.runs.folders import find_run
from charrnn_cli.text.corpus import Corpus


def test_curves_have_the_losses_of_the_log(fox):
    train_small(fox, steps=400)
    records = [json.loads(line) for line in fox.log.read_text().splitlines()]
    train, valid = curves(fox, "steps")
    assert (train.run, train.split, valid.split) == ("fox", "train", "valid")
    assert list(zip(train.x, train.y, strict=True)) == [
        (record["step"], record["loss"]) for record in records if record["kind"] == "report"
    ]
    assert list(zip(valid.x, valid.y, strict=True)) == [
        (record["step"], record["valid_loss"]) for record in records if record["kind"] == "validation"
    ]
    epochs, tokens = curves(fox, "epochs")[1], curves(fox, "tokens")[1]
    assert tokens.x == pytest.approx([epoch * Corpus(fox.corpus).info.tokens["train"] for epoch in epochs.x])
    assert curves(fox, "time")[0].x == tuple(record["seconds"] for record in records if record["kind"] == "report")


def test_thinning_keeps_the_mean_and_the_order():
    line = Curve("a", "train", tuple(range(100)), tuple(map(float, range(100, 0, -1))))
    thin = line.thinned(10)
    assert len(thin.x) == 10
    assert sum(thin.y) / 10 == pytest.approx(sum(line.y) / 100)
    assert list(thin.x) == sorted(thin.x)
    assert line.thinned(100) is line
    assert len(line.thinned(99).x) == 50


def test_a_run_without_a_log_is_an_error(fox):
    with pytest.raises(RunError, match="charrnn train fox"):
        curves(fox, "steps")
    with pytest.raises(RunError, match="bundled"):
        curves(find_run("anna"), "steps")


def test_an_error_about_a_damaged_log_names_it(fox):
    fox.log.write_text('{"kind": "report", "step": 3}\n')
    with pytest.raises(RunError, match=r"log\.jsonl is damaged"):
        curves(fox, "steps")


@pytest.mark.parametrize("field", ["epoch", "seconds", "step", "loss"])
@pytest.mark.parametrize("value", ["NaN", "1e999", "-1e999", "-1", "1e308", "9" * 400, "true", '"1"', "null"])
def test_an_impossible_number_in_a_log_is_damage_unless_it_is_the_loss_of_a_diverged_training(fox, field, value):
    numbers = {"step": 3, "epoch": 0.5, "seconds": 1.5, "loss": 2.0}
    valid = json.dumps({"kind": "report", **numbers})
    line = json.dumps({"kind": "report", **numbers, field: "@"}).replace('"@"', value)
    fox.log.write_text(f"{valid}\n{line}\n")
    over = {"epoch": "epochs", "seconds": "time"}.get(field, "steps")
    diverged = field == "loss" and value in ("NaN", "1e999", "-1e999")
    not_a_record = field == "step" and value not in ("9" * 400, "true", "-1")
    if (field, value) == ("loss", "-1"):
        assert [curve.y for curve in curves(fox, over)] == [(2.0, -1.0)]
    elif diverged or not_a_record:
        assert [curve.y for curve in curves(fox, over)] == [(2.0,)]
    else:
        with pytest.raises(RunError, match=rf"log\.jsonl is damaged: a record has .* in the field {field}"):
            curves(fox, over)
