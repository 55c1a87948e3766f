"""Adds what is kept elsewhere: the command reference, the fields of classes, and Markdown files outside of docs/.

MkDocs calls `on_files` and `on_page_markdown` (see mkdocs.yml).
"""

import ast
import html
import inspect
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    if page.file.src_uri == "api.md":
        markdown = re.sub(r"^::: charrnn_cli\.(\w+)\n((?:    .*\n)*)", _with_fields, markdown, flags=re.M)
    inside = (DOCS / page.file.src_uri).is_file()
    return re.sub(r"\]\(\.\./", "](", markdown) if inside else re.sub(r"\]\(((?:\.\./)*)docs/", r"](\1", markdown)


def _with_fields(match: re.Match[str]) -> str:
    """The directive of a public class with a table of its fields, whose meaning is in comments or in `setting`."""
    import charrnn_cli

    value: Any = getattr(charrnn_cli, match[1])
    if not isinstance(value, type) or issubclass(value, Exception):
        return match[0]
    options = match[2] or "    options:\n      members: false\n"
    rows = [f"| `{name}` | `{kind}` | {_plain(meaning)} |" for name, kind, meaning in _fields(value)]
    table = ["| field | type | meaning |", "|---|---|---|", *rows, ""] if rows else []
    return "\n".join([f"::: charrnn_cli.{match[1]}", options, *table])


def _fields(record: type) -> "Iterator[tuple[str, str, str]]":
    """The name, type and meaning of each field of a dataclass or named tuple."""
    source = textwrap.dedent(inspect.getsource(record))
    settings = {one.name: one for one in getattr(record, "__dataclass_fields__", {}).values() if "help" in one.metadata}
    for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]  # a class
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name, line = node.target.id, source.splitlines()[(node.end_lineno or 1) - 1]
            meaning = line[node.end_col_offset or 0 :].partition("#")[2].strip()
            if one := settings.get(name):
                shown = one.metadata["shown"] or (repr(one.default) if one.default != "" else "''")
                meaning = f"{one.metadata['help']} Default: {shown}."
            yield name, ast.unparse(node.annotation), meaning


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
