import json
import subprocess
import sys

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


COMPLETE = """\
import contextlib, io, json, os, sys
from charrnn_cli.cli import app
sys.argv, offers = ["charrnn"], []
for environment in json.load(sys.stdin):
    os.environ.update(environment)
    with contextlib.redirect_stdout(io.StringIO()) as offered, contextlib.suppress(SystemExit):
        app(prog_name="charrnn")
    offers.append(offered.getvalue())
json.dump([offers, [name for name in ("numpy", "torch", "rich") if name in sys.modules]], sys.stdout)
"""


def asked(typed: str, shell: str) -> dict[str, str]:
    """The variables by which a shell asks what it can offer for a line that is typed so far."""
    words = typed.split(" ")
    return {
        "_CHARRNN_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": typed,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_WORD_TO_COMPLETE": words[-1],
    }


def offers(*questions: dict[str, str]) -> list[str]:
    """What a shell is offered for each question. Neither numpy, torch nor rich is loaded for it."""
    given = json.dumps(questions)
    done = subprocess.run([sys.executable, "-c", COMPLETE], input=given, capture_output=True, text=True, check=True)
    offered, loaded = json.loads(done.stdout)
    assert (loaded, done.stderr) == ([], "")
    return offered


def test_names_are_completed_without_numpy_or_torch(fox):
    train_small(fox, steps=10)
    for offered, expected in zip(offers(*(asked(typed, "bash") for typed in TYPED)), TYPED.values(), strict=True):
        assert expected in offered.split()


def test_every_shell_is_offered_the_runs(fox):
    for offered in offers(*(asked("charrnn train f", shell) for shell in ("bash", "zsh", "fish"))):
        assert "fox" in offered


def test_nothing_is_written_while_names_are_completed(folder):
    (offered,) = offers(asked("charrnn train ", "bash"))
    assert "fox" not in offered
    assert list(folder.iterdir()) == []
