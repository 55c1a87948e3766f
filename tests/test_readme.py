"""README is run: its commands parse, its listing is the tree, its test command is the one that CI calls."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
from support import charrnn

from charrnn_cli.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.M | re.S)
TYPED = [
    shlex.split(line.removeprefix("$ "), comments=True)
    for _, block in BLOCKS
    for line in re.split(r"\n|&&|;|\|", block)
    if line.strip().startswith(("$ charrnn ", "charrnn "))
]


def test_there_are_commands_to_check():
    assert len(TYPED) >= 8


@pytest.mark.parametrize("typed", TYPED, ids=" ".join)
def test_every_command_in_it_is_one(typed):
    _, *arguments = (word for word in typed if word not in (">", "|", "--gpu-if-there-is-one"))
    command, *rest = arguments
    if command.startswith("-"):
        assert charrnn(command).exit_code == 0
        return
    typer.main.get_command(app).commands[command].make_context(command, rest)


def test_every_option_in_its_table_exists():
    for command, options in re.findall(r"^\| `(\w+)` \| (.*) \|$", README, re.M):
        known = charrnn(command, "--help").stdout
        for option in re.findall(r"--[\w-]+", options):
            assert re.search(rf"{option}\b", known), f"{command} {option}"


def test_every_option_is_in_its_table():
    table = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", README, re.M))
    for name, command in typer.main.get_command(app).commands.items():
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        assert options <= {"--help", "--float32", *re.findall(r"--[\w-]+", table[name])}, name


def test_ci_calls_exactly_its_test_command():
    (command,) = re.findall(r"^pip install -e '\.\[test\]' && .*$", README, re.M)
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()
