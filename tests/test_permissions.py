"""A file or folder that a user may not read or change leads to a message that names it, never to a traceback."""

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
    (".", 0o555): ["plot fox --output chart.png"],
}
COMMANDS = """\
import json, sys
from support import charrnn
for command in json.loads(sys.argv[1]):
    result = charrnn(*command.split())
    print(json.dumps([command, result.exit_code, result.output]), flush=True)
"""
pytestmark = pytest.mark.skipif(
    os.name == "nt" or (os.geteuid() == 0 and shutil.which("setpriv") is None), reason="permissions do not hold here"
)


def results(commands: list[str]) -> list[tuple[str, int, str]]:
    """Command, exit code and output, from a process that permissions hold for even if root runs the tests."""
    prefix = SETPRIV if os.geteuid() == 0 else []
    arguments = [*prefix, sys.executable, "-c", COMMANDS, json.dumps(commands)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (TESTS, TESTS.parent)))}
    done = subprocess.run(arguments, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("case", "commands"), CASES.items())
def test_a_path_without_permission_is_named(folder, fox, case, commands):
    if "--output" in commands[0]:
        pytest.importorskip("matplotlib")
    path, mode = folder / case[0], case[1]
    (folder / "fox.txt").write_text(TEXT)
    train_small(fox, steps=5)
    before = fox.weights.read_bytes()
    path.chmod(mode)
    try:
        done = results(commands)
    finally:
        path.chmod(0o755)
    assert [command for command, *_ in done] == commands
    for command, code, output in done:
        listed = command == "models" and case[0] != "runs"  # other runs are listed too
        assert code == (0 if listed else 1), (command, output)
        assert ("damaged" if listed else "Permission denied") in output, (command, output)
    assert fox.weights.read_bytes() == before
