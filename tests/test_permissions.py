"""A file or folder that a user may not read or change leads to a message that names it, never to a traceback."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import TEXT, train_small

TESTS = Path(__file__).parent
SETPRIV = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
SMALL = "--cpu --no-preview --hidden 8 --steps 5 --batch-size 4 --seq-length 8"
READING = [
    *("prepare fox.txt --force", "train fox", f"train fox --restart {SMALL}", "sample --length 5", "evaluate", "plot"),
    *("compare fox anna", "models", "info fox", "info fox --verify", "export fox out"),
]
CASES = {
    ("runs", 0): READING,
    ("runs", 0o555): ["export fox runs/new", "export fox --onnx runs/fox.onnx", "export fox --onnx runs/new/fox.onnx"],
    ("runs/fox", 0): READING,
    ("runs/fox", 0o555): [f"train fox --restart {SMALL}"],
    ("runs/fox/checkpoints", 0): ["info fox"],
    ("runs/fox/checkpoints", 0o555): [f"train fox --restart {SMALL}"],
    ("runs/fox/model.safetensors", 0): ["sample --model fox"],
    ("runs/fox/log.jsonl", 0): ["plot fox"],
    ("runs/fox/corpus/test.bin", 0): ["evaluate --model fox --engine numpy"],
    ("fox.txt", 0): ["prepare fox.txt --name new"],
}
if importlib.util.find_spec("matplotlib"):
    CASES[".", 0o555] = ["plot fox --output chart.png"]
COMMANDS = """\
import json, os, sys
from support import charrnn
for folder, commands in json.load(sys.stdin):
    os.chdir(folder)
    for command in commands:
        result = charrnn(*command.split())
        print(json.dumps([result.exit_code, result.output]), flush=True)
"""
pytestmark = pytest.mark.skipif(
    os.name == "nt" or (os.geteuid() == 0 and shutil.which("setpriv") is None), reason="permissions do not hold here"
)


def results(commands: list[tuple[str, list[str]]]) -> list[tuple[int, str]]:
    """The exit code and output of the commands of each folder, from one process in which permissions hold for root."""
    prefix = SETPRIV if os.geteuid() == 0 else []
    arguments = [*prefix, sys.executable, "-c", COMMANDS]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (TESTS, TESTS.parent)))}
    done = subprocess.run(arguments, input=json.dumps(commands), capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_a_path_without_permission_is_named(folder, fox):
    (folder / "fox.txt").write_text(TEXT)
    train_small(fox, steps=5)
    before = fox.weights.read_bytes()
    places = [folder.with_name(f"{folder.name}-{number}") for number in range(len(CASES))]
    for place, (path, mode) in zip(places, CASES, strict=True):
        shutil.copytree(folder, place)
        (place / path).chmod(mode)
    try:
        done = results([(str(place), commands) for place, commands in zip(places, CASES.values(), strict=True)])
    finally:
        for place, (path, _) in zip(places, CASES, strict=True):
            (place / path).chmod(0o755)
    expected = [(case, command) for case, commands in CASES.items() for command in commands]
    for ((path, mode), command), (code, output) in zip(expected, done, strict=True):
        listed = command == "models" and path != "runs"  # other runs are listed too
        assert code == (0 if listed else 1), (path, mode, command, output)
        assert ("damaged" if listed else "Permission denied") in output, (path, mode, command, output)
    for place in places:
        assert (place / "runs/fox/model.safetensors").read_bytes() == before
