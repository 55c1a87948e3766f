import dataclasses
import json
import math

import pytest

from charrnn_cli.config import ModelSettings, PrepareSettings, SamplingSettings, SelectionSettings, TrainingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.setting import settings_from


@pytest.mark.parametrize(
    ("kind", "bad", "named"),
    [
        (PrepareSettings, {"valid": -0.1}, "-0.1"),
        (PrepareSettings, {"valid": 0.6, "test": 0.5}, "1.1"),
        (PrepareSettings, {"level": "syllable"}, "syllable"),
        (PrepareSettings, {"min_count": 0}, "0"),
        (PrepareSettings, {"level": "byte", "min_count": 2}, "`min_count"),
        (PrepareSettings, {"level": "byte", "encoding": "utf-16"}, "`encoding=utf-16`"),
        (ModelSettings, {"hidden": 0}, "`hidden"),
        (ModelSettings, {"dropout": 1.0}, "1.0"),
        (ModelSettings, {"embedding": -1}, "-1"),
        (ModelSettings, {"forget_bias": 1e308}, "`forget_bias` must be in"),
        (ModelSettings, {"forget_bias": -1e39}, "`forget_bias` must be in"),
        (ModelSettings, {"init_scale": 1e308}, "`init_scale` must be in"),
        (TrainingSettings, {"steps": 1, "clip": 1e308}, "`clip` must be in"),
        (TrainingSettings, {"steps": 1, "clip_value": 1e308}, "`clip_value` must be in"),
        (TrainingSettings, {"minutes": 1e308}, "`minutes` must be in"),
        (TrainingSettings, {"steps": 1, "batch_size": 0}, "`batch_size"),
        (TrainingSettings, {"steps": 1, "learning_rate": math.nan}, "nan"),
        (TrainingSettings, {"steps": 1, "epochs": 1}, "only one limit"),
        (TrainingSettings, {}, "needs `patience`"),
        (TrainingSettings, {"patience": 3}, "got cosine"),
        (TrainingSettings, {"schedule": "plateau"}, "needs `patience`"),
        (TrainingSettings, {"minutes": 0}, "`minutes"),
        (TrainingSettings, {"steps": 1, "checkpoint_every": 0}, "`checkpoint_every"),
        (SamplingSettings, {"temperature": -0.5}, "-0.5"),
        (SamplingSettings, {"temperature": math.nan}, "nan"),
        (SamplingSettings, {"length": -1}, "`length"),
        (SamplingSettings, {"top_n": -1}, "`top_n"),
        (SelectionSettings, {"max_length": 0}, "`max_length"),
        (SelectionSettings, {"contains": ("a", "")}, "`contains"),
        (SelectionSettings, {"validate": ""}, "`validate"),
        (SelectionSettings, {"tries": 0}, "`tries"),
    ],
)
def test_a_value_that_cannot_be_is_named(kind, bad, named):
    with pytest.raises(UsageError, match=named):
        kind(**bad)


@pytest.mark.parametrize(
    "kind", [PrepareSettings, ModelSettings, TrainingSettings, SamplingSettings, SelectionSettings]
)
def test_every_setting_has_a_help_text_and_a_group(kind):
    for one in dataclasses.fields(kind):
        assert one.metadata["help"].endswith("."), one.name
        assert one.metadata["group"], one.name


@pytest.mark.parametrize("settings", [PrepareSettings(), ModelSettings(hidden=7), TrainingSettings(epochs=3)])
def test_settings_survive_json_and_unknown_keys_are_ignored(settings):
    record = json.loads(json.dumps(dataclasses.asdict(settings)))
    assert settings_from(type(settings), {**record, "from_a_newer_version": 1}) == settings
