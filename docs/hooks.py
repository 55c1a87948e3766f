"""Adds what is kept elsewhere to the documentation: the command reference, and Markdown files outside of docs/.

MkDocs calls `on_files` and `on_page_markdown` (see mkdocs.yml).
"""

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
DOCS = Path(__file__).parent
OUTSIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "tests/benchmarks/README.md", "models/*/README.md", "models/*/curve.png")
INTRODUCTION = """\
# Command reference

This page is generated from the program. `charrnn COMMAND --help` prints the same.
"""


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Adds the command reference and the files outside of docs/, under their paths in the repository."""
    from mkdocs.structure.files import File

    from charrnn_cli.cli import app

    files.append(File.generated(config, "commands.md", content=command_reference(app)))
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            source = path.relative_to(ROOT).as_posix()
            files.append(File(source, str(ROOT), config.site_dir, config.use_directory_urls))
    return files


def on_page_markdown(markdown: str, page: "Page", config: "MkDocsConfig", files: "Files") -> str:
    """Rewrites relative links between docs/ and the rest of the repository, which are one tree in the site."""
    inside = (DOCS / page.file.src_uri).is_file()
    return re.sub(r"\]\(\.\./", "](", markdown) if inside else re.sub(r"\]\(((?:\.\./)*)docs/", r"](\1", markdown)


def command_reference(app: Any) -> str:
    """The page of all commands and their options, in Markdown."""
    import typer

    group = typer.main.get_command(app)
    context = group.make_context("charrnn", [], resilient_parsing=True)
    sections = [_command(command, context) for command in group.commands.values()]  # type: ignore[attr-defined]
    return "\n".join([INTRODUCTION, *sections])


def _command(command: Any, parent: Any) -> str:
    """The section of one command: description, examples, arguments and options by group."""
    context = type(parent)(command, parent=parent, info_name=command.name)
    usage = " ".join(["charrnn", command.name, *command.collect_usage_pieces(context)])
    lines = [f"## {command.name}", "", "```text", usage, "```", "", _description(command.help or "")]
    for title, records in _groups(command, context).items():
        kind = "argument" if title == "Arguments" else "option"
        head = [f"### {command.name}: {title}", "", f"| {kind} | what it does | default |", "|---|---|---|"]
        lines += [*head, *map(_row, records), ""]
    return "\n".join(lines)


def _groups(command: Any, context: Any) -> dict[str, list[tuple[str, str]]]:
    """The help records (names, help) of a command's arguments and options, by group in the order of its help."""
    from charrnn_cli.config import GROUPS

    groups: dict[str, list[tuple[str, str]]] = {title: [] for title in ("Arguments", *GROUPS, "Options")}
    for parameter in command.params:
        if record := parameter.get_help_record(context):
            is_argument = parameter.param_type_name == "argument"
            title = "Arguments" if is_argument else getattr(parameter, "rich_help_panel", None) or "Options"
            groups[title].append(record)
    return {title: records for title, records in groups.items() if records}


def _description(text: str) -> str:
    """The help text of a command; a paragraph that starts with \\b keeps its lines and becomes a code block."""
    paragraphs = []
    for paragraph in text.split("\n\n"):
        if paragraph.startswith("\b\n"):
            paragraphs.append(f"```sh\n{paragraph[2:].rstrip()}\n```\n")
        else:
            paragraphs.append(f"{' '.join(paragraph.split())}\n")
    return "\n".join(paragraphs)


def _row(record: tuple[str, str]) -> str:
    """The table row of one option. Its help ends with brackets, such as "[default: 64]  [required]"."""
    names, text = record
    text, _, brackets = text.partition("  [")
    default = re.match(r"default: (.*?)\](?:  |$)", brackets)
    value = default[1] if default else "required" if "required]" in brackets else ""
    return f"| `{names}` | {_plain(text)} | {_plain(value)} |"


def _plain(text: str) -> str:
    """Text that Markdown and HTML show as it is."""
    return re.sub(r"([\\`*_{}\[\]#|])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
