import os
import re
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from support import TEXT, charrnn, prepare_text, report_every

from charrnn_cli.commands.train import _preview_engine as preview_engine
from charrnn_cli.config import ModelSettings, PrepareSettings
from charrnn_cli.network.model import LanguageModel
from charrnn_cli.runs.checkpoints import checkpoints
from charrnn_cli.runs.folders import RUNS
from charrnn_cli.runs.log import read_log

SMALL = ["--cpu", "--hidden", "16", "--embedding", "8", "--batch-size", "4", "--seq-length", "16", "--seed", "3"]


def test_it_shows_the_run_its_progress_and_the_next_commands(fox):
    result = charrnn("train", *SMALL, "--steps", "60")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "LSTM 2 x 16, embedding 8" in result.stderr
    assert re.search(r"[\d,]+ parameters", result.stderr)
    assert re.search(r"step 60  valid \d\.\d+ \(\d\.\d+ bpc\)", result.stderr)
    assert "fox is finished: 60 steps, best" in result.stderr
    assert "charrnn sample --model fox" in result.stderr
    assert "\x1b" not in result.stderr  # no terminal, no control codes


def test_words_are_reported_in_perplexity_and_words_per_second(folder, monkeypatch):
    report_every(1, monkeypatch)
    prepare_text(folder, TEXT, PrepareSettings(level="word"), name="words")
    result = charrnn(
        "train", "words", "--cpu", "--hidden", "16", "--batch-size", "2", "--seq-length", "8", "--steps", "9"
    )
    assert result.exit_code == 0, result.stderr
    assert "embedding 16" in result.stderr  # tied: as wide as the layers
    assert re.search(r"ppl \d+\.\d\d .*sec/batch  [\d,]+ words/s", result.stderr)
    assert re.search(r"step 9  valid ppl \d+\.\d\d", result.stderr)
    assert re.search(r"best validation loss \d\.\d+ \(perplexity \d+\.\d\d\)", result.stderr)
    assert all(
        record["perplexity"] > 1 for record in read_log(RUNS / "words" / "log.jsonl") if record["kind"] == "report"
    )


def test_presets_and_what_they_are_for(fox, folder):
    wrong = charrnn("train", "--preset", "ptb-small", "--cpu")
    assert wrong.exit_code == 2
    assert "--preset ptb-small is for the level word, but this run has level char" in wrong.stderr
    prepare_text(folder, TEXT, PrepareSettings(level="word", split_on="whitespace"), name="words")
    right = charrnn("train", "words", "--preset", "ptb-test", "--cpu", "--no-preview")
    assert "words is finished: 1 epoch" in right.stderr


def test_a_run_that_stops_improving_says_so(fox):
    result = charrnn("train", *SMALL, "--steps", "900", "--patience", "1", "--learning-rate", "3", "--no-preview")
    assert result.exit_code == 0
    assert "fox is finished: no better validation loss in 1 validation" in result.stderr
    assert "--patience 2" in result.stderr
    assert re.search(r"step \d+  valid .* no better since step \d+; sample uses that one\n", result.stderr)


def test_a_run_that_resumes_says_how_much_of_its_limit_is_done(fox):
    charrnn("train", *SMALL, "--steps", "20", "--no-preview")
    assert "training: 25 steps in all, 20 done, batch" in charrnn("train", "--cpu", "--steps", "25").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "foo"], "--preset must be one of auto, anna"),
        (["--hidden", "0"], "--hidden must be in [1, 65536], got 0"),
        (["--dropout", "1.5"], "--dropout must be in [0, 1), got 1.5"),
    ],
)
def test_a_typo_is_not_answered_with_the_advice_to_restart(fox, arguments, message):
    charrnn("train", *SMALL, "--steps", "5", "--no-preview")
    result = charrnn("train", *arguments)
    assert (result.exit_code, message in result.stderr, "--restart" in result.stderr) == (2, True, False)
    assert charrnn("train", *arguments, "--restart").exit_code == 2
    assert fox.trained


def test_the_help_says_when_patience_is_the_default():
    words = " ".join(charrnn("train", "--help").stdout.split())
    assert "without a better loss. [default: 5 without a limit, and in long fine-tuning]" in words


def test_without_a_limit_it_trains_until_validation_stops_improving(fox):
    result = charrnn("train", *SMALL, "--patience", "1", "--learning-rate", "3", "--no-preview")
    assert result.exit_code == 0
    assert "until the validation loss stops improving" in result.stderr
    assert "fox is finished: no better validation loss in 1 validation" in result.stderr


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        (["--steps", "60"], r"60 steps are 2\.5 epochs and take 0:\d\d"),
        (["--epochs", "3"], r"3 epochs take 0:\d\d"),
        (["--minutes", "0.02"], r"[\d.]+ fit into 0\.02 minutes"),
    ],
)
def test_after_the_first_steps_it_says_how_long_an_epoch_takes(fox, monkeypatch, bound, said):
    report_every(1, monkeypatch)
    result = charrnn("train", *SMALL, *bound, "--no-preview")
    assert re.search(r"an epoch takes 0:\d\d: " + said, result.stderr), result.stderr
    assert re.search(r"about 0\.\d GB of memory", result.stderr)


def test_tensorboard_shows_the_log_without_duplicates(fox, monkeypatch):
    event_files = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    report_every(1, monkeypatch)
    charrnn("train", *SMALL, "--steps", "10", "--no-preview")
    charrnn("train", "--steps", "20", "--no-preview", "--tensorboard")
    charrnn("train", "--steps", "30", "--no-preview", "--tensorboard")
    events = event_files.EventAccumulator(str(fox.tensorboard))
    events.Reload()
    records = list(read_log(fox.log))
    for kind, field, name in (("report", "loss", "loss/train"), ("validation", "valid_loss", "loss/valid")):
        assert [(event.step, event.value) for event in events.Scalars(name)] == [
            (record["step"], pytest.approx(record[field])) for record in records if record["kind"] == kind
        ]


def test_tensorboard_that_is_not_installed_is_named(fox, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    result = charrnn("train", *SMALL, "--steps", "10", "--tensorboard")
    assert (result.exit_code, "pip install tensorboard" in result.stderr) == (2, True)


def test_a_preview_at_each_validation_unless_it_is_switched_off(fox):
    length = {preview: len(charrnn("train", *SMALL, "--steps", "30", "--restart", preview).stderr) for preview in
              ("--preview", "--no-preview")}  # fmt: skip
    assert length["--preview"] - length["--no-preview"] > 100


def test_a_finished_run_says_so_and_how_to_train_it_further(fox):
    charrnn("train", *SMALL, "--steps", "20")
    again = charrnn("train")
    assert again.exit_code == 0
    assert "fox is finished already: 20 steps" in again.stderr
    (further,) = re.findall(r"charrnn (train fox --steps \d+)", again.stderr)
    result = charrnn(*further.split())
    assert "resuming from step 20" in result.stderr
    assert "fox is finished: 40 steps" in result.stderr


def test_other_settings_are_refused_and_restart_takes_them(fox):
    charrnn("train", *SMALL, "--steps", "20")
    refused = charrnn("train", "--hidden", "17")
    assert refused.exit_code == 2
    assert "--hidden 17 (the run has 16)" in refused.stderr
    assert charrnn("train", *SMALL[:-1], "4", "--steps", "5", "--restart").exit_code == 0
    assert [checkpoint.step for checkpoint in checkpoints(fox)] == [5]


def test_a_run_by_name_and_by_minutes(fox):
    result = charrnn("train", "fox", *SMALL, "--minutes", "0.01")
    assert result.exit_code == 0
    assert "0.01 minutes" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nobody"], 1, "charrnn prepare FILE.txt --name nobody"),
        (["--gpu", "--cpu"], 2, "exclude each other"),
        (["--steps", "5", "--epochs", "1"], 2, "only one limit"),
        (["--hidden", "0"], 2, "--hidden must be in [1, 65536], got 0"),
        (["--dropout", "1"], 2, "1.0"),
        (["--preset", "bertha"], 2, "--preset must be one of auto, anna"),
        (["--batch-size", "9999"], 2, "--batch-size 9999"),
        (["--minutes", "nan"], 2, "nan"),
        (["--minutes", "inf"], 2, "inf"),
    ],
)
def test_bad_input_is_named(fox, arguments, code, message):
    result = charrnn("train", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr


def test_training_that_diverges_is_reported_with_the_preview_on(fox):
    result = charrnn("train", *SMALL, "--steps", "200", "--learning-rate", "1e38", "--clip", "0")
    assert result.exit_code == 1
    assert "training diverged" in result.stderr


def test_the_last_checkpoint_is_damaged(fox):
    charrnn("train", *SMALL, "--steps", "40", "--checkpoint-every", "20")
    last = checkpoints(fox)[-1]
    last.weights.unlink()  # the run's model may be the same file
    last.weights.write_bytes(b"x")
    refused = charrnn("train", "--steps", "60")
    assert refused.exit_code == 1
    assert "Remove that folder to resume from an earlier one" in refused.stderr
    assert "damaged" in charrnn("info", "fox").stdout
    shutil.rmtree(last.folder)
    assert charrnn("train", "--steps", "60").exit_code == 0


def start(*arguments: str) -> subprocess.Popen:
    """The command in a process of its own, after its first report."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "charrnn_cli", "train", *arguments], stderr=subprocess.PIPE, text=True, env=environment
    )
    for line in process.stderr:
        if line.startswith("epoch"):
            return process
    raise AssertionError("it never reported")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_the_same_command_resumes(fox, number, code):
    process = start(*SMALL, "--steps", "1000000", "--no-preview")
    process.send_signal(number)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == code
    (step,) = re.findall(r"fox: saved at step ([\d,]+)\. To resume: charrnn train fox", messages)
    stopped_at = int(step.replace(",", ""))
    assert checkpoints(fox)[-1].step == stopped_at
    assert list(read_log(fox.log))[-1]["kind"] == "end"
    result = charrnn("train", "--steps", str(stopped_at + 5))
    assert f"resuming from step {stopped_at:,}" in result.stderr
    assert checkpoints(fox)[-1].step == stopped_at + 5


@pytest.mark.parametrize(("device", "expected"), [("cpu", "numpy"), ("cuda", "torch"), ("mps", "torch")])
def test_the_preview_is_written_by_the_device_that_trains(monkeypatch, device, expected):
    monkeypatch.setattr("charrnn_cli.generation.torch_engine.TorchEngine", lambda weights, settings, device: "torch")
    monkeypatch.setattr("charrnn_cli.generation.numpy_engine.NumpyEngine", lambda weights, settings: "numpy")
    model = LanguageModel(ModelSettings(hidden=4, layers=1, embedding=4), 5)
    state = SimpleNamespace(model=model, device=torch.device(device))
    assert preview_engine(SimpleNamespace(state=state, config=SimpleNamespace(model=model.settings))) == expected
