"""Laws about the names that `import charrnn_cli` offers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from support import TEXT

import charrnn_cli

HEAVY = ("numpy", "torch", "onnxruntime", "rich", "typing", "dataclasses")


def fresh(code: str) -> str:
    """What a fresh interpreter prints last."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def loaded(code: str) -> set[str]:
    """The heavy packages that a program loads, besides those of bare Python."""
    return set(
        ast.literal_eval(
            fresh(
                f"import sys; before = set(sys.modules)\n{code}\n"
                f"print([name for name in {HEAVY!r} if name in sys.modules and name not in before])"
            )
        )
    )


def test_importing_loads_nothing_heavy():
    assert loaded("import charrnn_cli") == set()
    assert loaded("import charrnn_cli; dir(charrnn_cli)") == set()


@pytest.mark.parametrize("engine", ["numpy", "onnx"])
def test_generating_never_loads_torch(engine):
    code = (
        f"import charrnn_cli as charrnn\nmodel = charrnn.load('anna', engine={engine!r})\n"
        "state = charrnn.State.from_bytes(model.read('Far').to_bytes())\n"
        "model.next(state), model.generate(state, length=5), list(model.stream('Far', length=5))\n"
        "model.best_of('Far', 2, length=5), model.generate_many('Far', 2, length=5)"
    )
    assert "numpy" in loaded(code)
    assert "torch" not in loaded(code)


def test_preparing_never_loads_torch(folder):
    (folder / "fox.txt").write_text(TEXT)
    assert "torch" not in loaded("import charrnn_cli; charrnn_cli.prepare('fox.txt')")


@pytest.mark.parametrize("name", charrnn_cli.__all__)
def test_every_public_name_is_there_and_has_a_docstring(name):
    value = getattr(charrnn_cli, name)
    assert value.__name__ == name
    assert value.__doc__
    assert name in dir(charrnn_cli)


def test_every_public_name_is_imported_for_type_checkers_from_the_same_place():
    tree = ast.parse(Path(charrnn_cli.__file__).read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {alias.name: node.module for node in block.body for alias in node.names}
    assert imported == {name: f"charrnn_cli.{module}" for name, module in charrnn_cli.PLACES.items()}
    assert sorted(imported) == charrnn_cli.__all__


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        _ = charrnn_cli.lode
