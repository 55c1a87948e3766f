import json
import os
from pathlib import Path

import pytest
from support import charrnn

from charrnn_cli.errors import RunError
from charrnn_cli.runs.folders import bundled_models
from charrnn_cli.runs.verify import verify


def damaged(run) -> list[str]:
    return [found.path.name for found in verify(run) if found.problem]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("model", bundled_models(), ids=lambda model: model.name)
def test_the_bundled_models_are_valid(model):
    found = list(verify(model))
    assert {one.path.name for one in found} >= {"vocabulary.json", "config.json", "model.safetensors"}
    assert not damaged(model)


def test_every_file_of_a_run_is_checked(trained):
    assert not damaged(trained)
    result = charrnn("info", "fox", "--verify")
    assert result.exit_code == 0
    checked = {Path(line.split()[-1]).name for line in result.stdout.splitlines()}
    assert checked >= {"vocabulary.json", "train.bin", "valid.bin", "test.bin", "model.safetensors", "step-00000040"}


@pytest.mark.parametrize("name", ["model.safetensors", "corpus/train.bin", "corpus/test.bin", "vocabulary.json"])
def test_a_damaged_file_is_reported(trained, name):
    path = trained.folder / name
    if name.endswith(".json"):
        path.write_bytes(path.read_bytes()[:40])
    else:
        flip(path, -5)
    found = damaged(trained)
    assert path.name in found
    result = charrnn("info", "fox", "--verify")
    assert result.exit_code == 1
    assert f"damaged  {path}" in result.stdout
    record = next(json.loads(line) for line in charrnn("info", "fox", "--verify", "--json").stdout.splitlines())
    assert set(record) == {"path", "problem"}


def test_ids_outside_the_vocabulary_are_reported(fox):
    record = json.loads((fox.corpus / "corpus.json").read_text())
    record["split_sha256"] = {}
    (fox.corpus / "corpus.json").write_text(json.dumps(record))
    (fox.corpus / "train.bin").write_bytes(b"\xff" * record["tokens"]["train"])
    assert damaged(fox) == ["train.bin"]


def test_weights_with_one_flipped_bit_are_refused(trained):
    flip(trained.weights, -3)
    result = charrnn("sample", "--model", "fox")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "model.safetensors is damaged: its checksum" in result.stderr


def test_weights_of_another_model_are_refused(trained, folder):
    charrnn("export", "fox", "mine")
    assert charrnn("info", "mine", "--verify").exit_code == 0
    (folder / "mine/model.safetensors").write_bytes(
        next(m for m in bundled_models() if m.name == "anna").weights.read_bytes()
    )
    result = charrnn("sample", "--model", "mine")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is damaged" in result.stderr


def test_the_given_check_is_used_for_the_model_and_each_checkpoint(trained):
    steps = []

    def check(run, step):
        steps.append(step)
        raise RunError(f"no {step}")

    problems = [check.problem for check in verify(trained, check) if check.problem]
    assert steps[0] is None
    assert 40 in steps
    assert problems == [f"no {step}" for step in steps]


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "vocabulary.json", "log.jsonl", "corpus/corpus.json"]
)
@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_stands_in_place_of_a_file_is_reported_without_waiting(trained, name, kind):
    path = trained.folder / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    assert path.name in damaged(trained)


@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors", "training.json"])
def test_a_named_pipe_in_a_checkpoint_is_reported(trained, name):
    path = trained.checkpoint(40) / name
    path.unlink()
    os.mkfifo(path)
    assert damaged(trained) == ["step-00000040"]
    assert charrnn("models").exit_code == 0
    assert "not a regular file" in charrnn("train", "fox", "--cpu", "--steps", "80").stderr
