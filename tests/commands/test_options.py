import re
from dataclasses import dataclass

import pytest
import typer.main
from support import charrnn
from typer.testing import CliRunner

from charrnn_cli.cli import app
from charrnn_cli.commands.options import GroupedCommand, with_settings
from charrnn_cli.config import (
    GROUPS,
    ModelSettings,
    PrepareSettings,
    SamplingSettings,
    SelectionSettings,
    TrainingSettings,
)
from charrnn_cli.network.cells import CELLS
from charrnn_cli.setting import Checked, defaults, setting

COMMANDS = typer.main.get_command(app).commands


@dataclass(frozen=True)
class Tea(Checked):
    minutes: float = setting(3.0, "Steep for this long; see `milk`.", GROUPS[1], "(0, 10]")
    milk: bool = setting(False, "With milk.", GROUPS[0])
    herbs: tuple[str, ...] = setting((), "Herbs.", GROUPS[1], shown="none")


def make(negatable: bool):
    typed = []

    @with_settings(Tea, negatable=negatable)
    def brew(cup: str = "mug", *, settings: dict) -> None:
        typed.append((cup, settings))

    tea = typer.Typer(rich_markup_mode=None, add_completion=False)
    tea.command(cls=GroupedCommand)(brew)
    return tea, typed


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ([], {}),
        (["--minutes", "3"], {"minutes": 3.0}),
        (["--milk", "--herbs", "mint", "--herbs", "sage"], {"milk": True, "herbs": ["mint", "sage"]}),
    ],
)
def test_a_command_gets_the_settings_that_were_typed(arguments, settings):
    tea, typed = make(negatable=False)
    result = CliRunner().invoke(tea, ["--cup", "glass", *arguments])
    assert result.exit_code == 0, result.output
    assert typed == [("glass", {"milk": False} | settings)] or typed == [("glass", settings)]


def test_switches_can_have_a_form_that_turns_them_off():
    tea, typed = make(negatable=True)
    assert CliRunner().invoke(tea, ["--no-milk"]).exit_code == 0
    assert typed == [("mug", {"milk": False})]
    tea, _ = make(negatable=False)
    assert CliRunner().invoke(tea, ["--no-milk"]).exit_code == 2


def test_help_shows_groups_in_order_and_defaults():
    tea, _ = make(negatable=True)
    help_text = CliRunner().invoke(tea, ["--help"]).stdout
    assert help_text.index(f"{GROUPS[0]}:") < help_text.index(f"{GROUPS[1]}:") < help_text.index("Options:")
    words = " ".join(help_text.split())
    assert "see --milk. [default: 3]" in words
    assert "With milk. [default: off]" in words
    assert "Herbs. [default: none]" in words


@pytest.mark.parametrize(
    ("command", "kinds"),
    [
        ("prepare", (PrepareSettings,)),
        ("train", (ModelSettings, TrainingSettings)),
        ("sample", (SamplingSettings, SelectionSettings)),
    ],
)
def test_every_setting_has_its_flag(command, kinds):
    names = {parameter.name for parameter in COMMANDS[command].params}
    assert {name for kind in kinds for name in defaults(kind)} <= names


@pytest.mark.parametrize("command", ["prepare", "train", "sample", "evaluate"])
def test_every_option_of_a_large_command_is_in_a_group(command):
    for parameter in COMMANDS[command].params:
        if parameter.param_type_name == "option" and parameter.name not in ("help",):
            assert parameter.rich_help_panel in GROUPS, parameter.name


def test_the_cells_to_choose_from_are_those_that_exist():
    assert "|".join(CELLS) in charrnn("train", "--help").stdout


def test_no_description_in_the_list_of_commands_is_cut_off():
    listing = charrnn("--help").stdout.split("Commands:")[1]
    assert "..." not in listing
    for name, command in COMMANDS.items():
        sentence = re.split(r"(?<=\.)\s", command.help.strip())[0]
        assert " ".join(sentence.split()) in " ".join(listing.split()), name
