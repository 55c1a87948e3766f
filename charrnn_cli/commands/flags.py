"""Names of settings as flags: the library writes `top_p`, the command line --top-p."""

from charrnn_cli.setting import with_names

SPELLED = {"origin": "--from", "as_json": "--json"}  # flags that do not follow from the name


def flag(name: str) -> str:
    """The flag of a setting: `top_p` is --top-p."""
    return SPELLED.get(name, f"--{name.replace('_', '-')}")


def as_flags(text: str) -> str:
    """The text with settings in backticks as flags: `restart=True` is --restart, `steps=5` is --steps 5."""

    def typed(name: str, value: str | None) -> str:
        if value == "False":
            return f"--no-{flag(name)[2:]}"
        return flag(name) if value in (None, "True") else f"{flag(name)} {value}"

    return with_names(text, typed)
