"""Laws about the code itself: every module has its tests, functions are short, and names say one thing."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "charrnn_cli"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))
LONGEST_FILE, LONGEST_FUNCTION = 350, 60


def functions(path: Path) -> list[tuple[str, int]]:
    """(name, lines of the body without docstring, comments and blank lines) of every function in a file."""
    source = path.read_text("utf-8")
    lines = source.splitlines()
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            written = lines[body[0].lineno - 1 : node.end_lineno] if body else []
            count = sum(1 for line in written if line.strip() and not line.strip().startswith("#"))
            found.append((f"{path.name}: {node.name}", count))
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_module_has_its_test_file(path):
    inside = path.relative_to(PACKAGE)
    assert (ROOT / "tests" / inside.parent / f"test_{inside.name}").is_file()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_file_is_long(path):
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST_FILE


def test_functions_are_short():
    counts = sorted((count, name) for path in MODULES for name, count in functions(path))
    lengths = [count for count, _ in counts]
    assert lengths[-1] <= LONGEST_FUNCTION, counts[-1]
    assert lengths[len(lengths) * 9 // 10] <= 20
    assert lengths[len(lengths) // 2] <= 6


def test_a_public_constant_or_class_has_one_meaning():
    """Two modules do not define the same public name at the top level."""
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text("utf-8")).body:
            names = []
            if isinstance(node, ast.ClassDef):
                names = [node.name]
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
            for name in names:
                if not name.startswith("_"):
                    places[name].append(path.relative_to(PACKAGE).as_posix())
    assert {name: where for name, where in places.items() if len(where) > 1} == {}
