import os
import subprocess
import sys

import pytest
from support import train_small

TYPED = {
    "charrnn train ": "fox",
    "charrnn train f": "fox",
    "charrnn sample --model an": "anna",
    "charrnn sample --model f": "fox",
    "charrnn info sh": "shakespeare",
    "charrnn train --preset ptb-s": "ptb-small",
    "charrnn sample --model fox --checkpoint ": "10",
    "charrnn evaluate --model fox --checkpoint fi": "first",
    "charrnn train --from sha": "shakespeare-char",
    "charrnn train --from no": "none",
    "charrnn pre": "prepare",
    "charrnn train --weight-dr": "--weight-drop",
}


def complete(typed: str, shell: str) -> str:
    """What a shell is offered for a line that is typed so far."""
    words = typed.split(" ")
    environment = {
        **os.environ,
        "_CHARRNN_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": typed,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1],
    }
    code = (
        "import sys; sys.argv = ['charrnn']\nfrom charrnn_cli.cli import app\n"
        "try: app(prog_name='charrnn')\n"
        "finally: print([m for m in ('numpy', 'torch', 'rich') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stderr.strip() == "[]", done.stderr
    return done.stdout


@pytest.fixture
def trained(fox):
    train_small(fox, steps=10)


@pytest.mark.parametrize(("typed", "offered"), TYPED.items())
def test_names_are_completed_without_numpy_or_torch(trained, typed, offered):
    assert offered in complete(typed, "bash").split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_offered_the_runs(fox, shell):
    assert "fox" in complete("charrnn train f", shell)


def test_nothing_is_written_while_names_are_completed(folder):
    assert "fox" not in complete("charrnn train ", "bash")
    assert list(folder.iterdir()) == []
