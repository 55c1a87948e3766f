"""README and docs/ are run: their commands on small texts; their options and links are looked up."""

import gzip
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer.main
from support import charrnn

from charrnn_cli.cli import app

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
MODELS = sorted((ROOT / "models").glob("*/README.md"))
RUN_PAGES = [README, *DOCS, *MODELS]
ALL_PAGES = [*RUN_PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "tests" / "benchmarks" / "README.md"]

# Commands that are not run, by the regular expression that finds them, with the reason.
NOT_RUN = {
    r"^(python3?|py) -m venv\b": "makes an environment",
    r"^source .*activate|^\.venv.?Scripts": "belongs to an environment",
    r"^pip install\b": "needs the network",
    r"^torchrun\b": "starts several processes; tests/network/test_ranks.py runs them",
    r"^tensorboard\b": "is a server that does not end",
    r"^(CHARRNN_API_KEY=\S+ )?charrnn serve\b": "is a server that does not end; tests/commands/test_serve.py runs it",
    r"^curl\b": "needs that server",
    r"^charrnn .*--gpu\b": "needs a CUDA GPU",
    r"^python -m pytest\b": "runs this test",
    r"^charrnn --(install|show)-completion": "changes the shell's settings",
}
# Commands that need a package which the test extra does not install: they are run if it is there.
NEEDS_PACKAGE = {
    r"^charrnn plot .*--output": "matplotlib",
    r"^charrnn visualize .*--png": "matplotlib",
    r"^charrnn train .*--tensorboard": "tensorboard",
}

# Options of other programs that the pages name.
FOREIGN_OPTIONS = {
    *("--nproc-per-node", "--nnodes", "--rdzv-backend", "--rdzv-endpoint", "--rdzv-conf", "--max-restarts"),  # torchrun
    *("--local-addr", "--logdir", "--index-url", "--strict", "--check"),  # torchrun, tensorboard, pip, mkdocs, ruff
    *("--kills", "--cases", "--case", "--rounds", "--sparse", "--megabytes", "--seeds", "--prepare"),  # benchmarks
    *("--sections", "--text", "--only", "--kilobytes"),  # benchmarks
}

# What replaces the limits and sizes of a training, so that it takes a second.
TRAIN_STEPS = 3
TRAIN_SMALL = "--cpu --no-preview --batch-size 4 --seq-length 16"
NETWORK_SMALL = "--hidden 8 --layers 1 --embedding 8"
LIMITS = ("--minutes", "--epochs", "--steps")
SAMPLE_SMALL = "--length 20"

# Pages that start with trained runs, because the reader of that page has them.
STARTS_WITH = {
    "docs/training.md": ("anna",),
    "docs/measuring.md": ("anna", "large", "small"),
}

TEXT = """\
Happy families are all alike; every unhappy family is unhappy in its own way.

Everything was in confusion in the Oblonskys' house. "Far away," he said, "and yet so near!"
ROMEO: What, shall I groan and tell thee?
"""


# Commands whose output is a table with a label at the start of each line: the pages must show the labels of today.
LABELED = ("prepare", "evaluate", "models", "presets")


@dataclass
class Command:
    """A command as a page has it, with the output that the page shows for it."""

    text: str
    shown: list[str] = field(default_factory=list)


@dataclass
class Page:
    """The commands of a page, in their order."""

    path: Path
    commands: list[Command] = field(default_factory=list)

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()


def blocks(path: Path) -> Iterator[tuple[str, str]]:
    """The language and the text of each fenced block."""
    yield from re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text("utf-8"), re.M | re.S)


def page(path: Path) -> Page:
    """The page with its commands: all lines of `sh` blocks, and those of `console` blocks that start with `$ `."""
    found = Page(path)
    for language, block in blocks(path):
        lines = block.replace("\\\n", "").splitlines()
        if language == "sh":
            found.commands += [Command(line) for line in lines if line.strip() and not line.startswith("#")]
        elif language == "console":
            for line in lines:
                if line.startswith("$ "):
                    found.commands.append(Command(line.removeprefix("$ ")))
                elif line.strip():
                    found.commands[-1].shown.append(line)
    return found


def split(command: str) -> Iterator[tuple[str, list[str]]]:
    """The parts of a shell command with the operator before each: "", "&&", ";", "|", ">" or "<"."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split, lexer.commenters = True, "#"
    operator, words = "", []
    for token in lexer:
        if re.fullmatch(r"[|&;<>]+", token):
            yield operator, words
            operator, words = token, []
        else:
            words.append(token)
    if words:
        yield operator, words


def bounded(words: list[str], trainings: int) -> list[str]:
    """The command with small limits; the n-th training of a page gets n times the steps, so that it can resume."""
    if words[0] == "train":
        kept = [word for at, word in enumerate(words) if not {word, words[at - 1]} & set(LIMITS)]
        sizes = [] if "--from" in words else shlex.split(NETWORK_SMALL)
        return [*kept, *sizes, *shlex.split(TRAIN_SMALL), "--steps", str(TRAIN_STEPS * trainings)]
    if words[0] == "sample":
        return [*words, *shlex.split(SAMPLE_SMALL)]
    if words[0] == "visualize":
        return [*words, "--tokens", "1000"]
    return words


def runs_here(command: str) -> bool:
    """Whether a command can be run by this test."""
    if any(re.search(pattern, command) for pattern in NOT_RUN):
        return False
    needed = [package for pattern, package in NEEDS_PACKAGE.items() if re.search(pattern, command)]
    return all(importlib.util.find_spec(package) for package in needed)


def parse(words: list[str]) -> None:
    """Fails if the command is not one of the program's."""
    if not words[0].startswith("-"):
        typer.main.get_command(app).commands[words[0]].make_context(words[0], list(words[1:]))  # type: ignore[attr-defined]


def run_page(tested: Page) -> None:
    """Runs the commands of a page in the current folder."""
    trainings = 1  # the one that made the runs the page starts with
    for command in tested.commands:
        output = b""
        for operator, words in split(command.text):
            if operator == ">":
                Path(words[0]).write_bytes(output)
                continue
            if words[0] == "charrnn":
                parse(words[1:])
            if not runs_here(shlex.join(words)):
                continue
            stdin = output if operator == "|" else b""
            if words[0] == "charrnn":
                trainings += words[1] == "train"
                result = charrnn(*bounded(words[1:], trainings), stdin=stdin)
                assert result.exit_code == 0, f"{tested}: {command.text}\n{result.output}\n{result.stderr}"
                output = result.stdout_bytes
                if words[1] in LABELED:
                    check_labels(command, result.output)
            else:
                done = subprocess.run(words, input=stdin, capture_output=True, check=False)
                assert done.returncode == 0, f"{tested}: {command.text}\n{done.stderr.decode()}"
                output = done.stdout


def check_labels(command: Command, output: str) -> None:
    """Fails if the page shows a line with a label that the command does not print."""
    labels = {line.split()[0] for line in output.splitlines() if line.strip()}
    for line in command.shown:
        label = line.split()[0]
        assert label in labels or label[0].isdigit(), f"{command.text} does not print {line!r}, but:\n{output}"


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages name, and a small trained run for each name in `STARTS_WITH`."""
    folder = tmp_path_factory.mktemp("shelf")
    write_files(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in sorted({name for names in STARTS_WITH.values() for name in names}):
            assert charrnn("prepare", "anna.txt", "--name", name).exit_code == 0
            assert charrnn(*bounded(["train", name], 1)).exit_code == 0
    return folder


def write_files(folder: Path) -> None:
    text = TEXT * 40
    names = ("anna", "play", "tinyshakespeare", "small", "letter", "letters", "chapter", "chapter9", "mybook", "notes")
    for name in (*names, "names"):
        (folder / f"{name}.txt").write_text(
            TEXT if name == "letter" else text, "utf-8"
        )  # a prime is read token by token
    poems = [f"poems/{number}.txt" for number in range(20)]
    for file in (*poems, "train.txt", "valid.txt", "test.txt"):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text, "utf-8")
    for split_name in ("train", "valid", "test"):
        (folder / "ptb").mkdir(exist_ok=True)
        (folder / "ptb" / f"ptb.{split_name}.txt").write_text(" the <unk> company said N \n" * 80, "utf-8")
    for file in ("program/main.py", "program/README.md"):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text, "utf-8")
    (folder / "old.txt").write_text(text, "cp1252")
    (folder / "song.mid").write_bytes(bytes(range(256)) * 20)
    records = "".join(json.dumps({"title": "a", "body": line}) + "\n" for line in text.splitlines() if line)
    (folder / "posts.jsonl").write_text(records, "utf-8")
    (folder / "reviews.jsonl.gz").write_bytes(gzip.compress(records.encode()))
    with zipfile.ZipFile(folder / "books.zip", "w") as archive:
        archive.writestr("one.txt", text)
        archive.writestr("two.txt", text)
    (folder / "tales.txt.gz").write_bytes(gzip.compress(text.encode()))


@pytest.mark.parametrize("tested", [page(path) for path in RUN_PAGES], ids=str)
def test_the_commands_of_every_page_run(tested: Page, shelf: Path, folder: Path) -> None:
    for path in shelf.iterdir():
        if path.name != "runs":
            (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / path.name)
    for name in STARTS_WITH.get(str(tested), ()):
        shutil.copytree(shelf / "runs" / name, folder / "runs" / name)
    run_page(tested)


def test_many_commands_are_run() -> None:
    commands = [command.text for path in RUN_PAGES for command in page(path).commands]
    assert sum(command.startswith("charrnn") and runs_here(command) for command in commands) >= 60


def test_every_exception_is_needed() -> None:
    commands = [
        shlex.join(words) for path in RUN_PAGES for command in page(path).commands for _, words in split(command.text)
    ]
    for pattern in (*NOT_RUN, *NEEDS_PACKAGE):
        assert any(re.search(pattern, command) for command in commands), pattern


@pytest.mark.parametrize("path", ALL_PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_block_names_its_language(path: Path) -> None:
    for language, block in blocks(path):
        assert language in ("sh", "console", "text", "python", "json", "toml"), block


def options(command: Any) -> set[str]:
    """The long options of a command."""
    names = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    return {name for name in names if name.startswith("--")}


def test_no_page_names_an_unknown_option() -> None:
    group = typer.main.get_command(app)
    known = options(group).union(*map(options, group.commands.values()), FOREIGN_OPTIONS, {"--help"})  # type: ignore[attr-defined]
    for path in ALL_PAGES:
        named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", path.read_text("utf-8")))
        assert named <= known, f"{path.name}: {sorted(named - known)}"


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    return documentation_hooks()


def documentation_hooks() -> ModuleType:
    """docs/hooks.py, which is not a module of the package."""
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_reference_has_every_option_with_its_help(hooks: ModuleType) -> None:
    reference = hooks.command_reference(app)
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        section = reference.split(f"\n## {name}\n")[1].split("\n## ")[0]
        for option in options(command):
            assert re.search(rf"^\| `[^`]*{option}\b[^`]*` \| \S", section, re.M), f"{name} {option}"


def test_links_between_the_docs_and_the_repository_become_links_within_the_site(hooks: ModuleType) -> None:
    def rewritten(markdown: str, src_uri: str) -> str:
        page = type("Page", (), {"file": type("File", (), {"src_uri": src_uri})})
        return str(hooks.on_page_markdown(markdown, page=page, config=None, files=None))

    assert rewritten("[c](../CONTRIBUTING.md)", "code.md") == "[c](CONTRIBUTING.md)"
    assert rewritten("[c](docs/code.md)", "CONTRIBUTING.md") == "[c](code.md)"
    assert rewritten("[c](../../docs/code.md#x)", "models/anna/README.md") == "[c](../../code.md#x)"


@pytest.mark.parametrize("path", ALL_PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        url = urlsplit(target)
        if url.scheme:
            assert url.scheme in ("https", "http") and "." in url.netloc, target
        elif url.path and url.path != "commands.md":  # that one is generated
            assert (path.parent / url.path).exists(), target


def test_ci_calls_exactly_the_test_command_of_readme() -> None:
    (command,) = re.findall(r"^pip install -e '\.\[test\]' && .*$", README.read_text("utf-8"), re.M)
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_layout_page_names_every_module() -> None:
    layout = (ROOT / "docs" / "code.md").read_text("utf-8")
    package = ROOT / "charrnn_cli"
    for path in package.rglob("*.py"):
        if path.name != "__init__.py":
            assert re.search(rf"^ +{path.name}\b", layout, re.M), path.relative_to(package)
    for name in re.findall(r"^ +(\w+\.py)\b", layout, re.M):
        assert any(package.rglob(name)), name


def test_readme_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 170
