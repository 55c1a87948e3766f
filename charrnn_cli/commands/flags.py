"""Names of settings as flags: the library writes `top_p`, the command line --top-p."""

import ast
import re
import shlex

from charrnn_cli.setting import with_names

CALL = re.compile(r"Call `charrnn\.(\w+)(\([^`]*\))`\.")
SPELLED = {"origin": "--from", "as_json": "--json"}  # flags that do not follow from the name


def flag(name: str) -> str:
    """The flag of a setting: `top_p` is --top-p."""
    return SPELLED.get(name, f"--{name.replace('_', '-')}")


def as_flags(text: str) -> str:
    """The text with settings in backticks as flags: `restart=True` is --restart, `steps=5` is --steps 5.

    A call of the Python API becomes the command: "Call `charrnn.train('novel')`." is "Type: charrnn train novel".
    """

    def typed(name: str, value: str | None) -> str:
        if value == "False":
            return f"--no-{flag(name)[2:]}"
        return flag(name) if value in (None, "True") else f"{flag(name)} {value}"

    def command(call: re.Match[str]) -> str:
        arguments = ast.parse(call[0][5:].strip("`."), mode="eval").body
        assert isinstance(arguments, ast.Call)
        words = [shlex.quote(ast.literal_eval(value)) for value in arguments.args]
        named = [typed(one.arg or "", shlex.quote(str(ast.literal_eval(one.value)))) for one in arguments.keywords]
        return " ".join(["Type: charrnn", call[1], *words, *named])

    return with_names(CALL.sub(command, text), typed)
