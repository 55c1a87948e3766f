import pytest
from support import charrnn

from charrnn_cli.runs.folders import Run

SMALL = ["--cpu", "--hidden", "16", "--embedding", "8", "--batch-size", "4", "--seq-length", "16"]


def test_an_exported_model_writes_the_same_text_as_its_run(folder, fox):
    charrnn("train", *SMALL, "--steps", "20")
    write = ["sample", "--prime", "The", "--length", "60", "--seed", "1", "--model"]
    assert charrnn("export", "fox", "kept/exact", "--float32").exit_code == 0
    assert charrnn(*write, "kept/exact").stdout == charrnn(*write, "fox").stdout
    assert charrnn("export", "fox", "kept/half").exit_code == 0
    assert charrnn(*write, "kept/half").exit_code == 0
    exact, half = (Run(folder / "kept" / name).weights.stat().st_size for name in ("exact", "half"))
    assert half < 0.6 * exact


def test_an_existing_model_is_replaced_only_with_force(folder, fox):
    charrnn("train", *SMALL, "--steps", "20")
    charrnn("export", "fox", "kept")
    refused = charrnn("export", "fox", "kept")
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert charrnn("export", "fox", "kept", "--force").exit_code == 0


def test_a_run_is_not_overwritten_and_other_files_stay(folder, fox):
    charrnn("train", *SMALL, "--steps", "20")
    assert charrnn("export", "fox", "runs/fox", "--force").exit_code == 1
    charrnn("export", "fox", "kept")
    (folder / "kept" / "README.md").write_text("mine")
    charrnn("export", "fox", "kept", "--force", "--float32")
    assert {path.name for path in (folder / "kept").iterdir()} == {
        "README.md", "config.json", "model.safetensors", "vocabulary.json"
    }  # fmt: skip


def test_an_untrained_run_is_an_error(fox):
    result = charrnn("export", "fox", "kept")
    assert result.exit_code == 1
    assert "charrnn train fox" in result.stderr


def test_onnx_files_are_written_beside_each_other(folder, fox):
    charrnn("train", *SMALL, "--steps", "5")
    written = charrnn("export", "fox", "--onnx", "new/fox.onnx")
    assert written.exit_code == 0
    assert [line.split(":")[0] for line in written.stderr.splitlines()] == ["new/fox.onnx", "new/fox-loop.onnx"]
    refused = charrnn("export", "fox", "--onnx", "new/fox.onnx")
    assert (refused.exit_code, "--force" in refused.stderr) == (1, True)
    assert charrnn("export", "fox", "--onnx", "new/fox.onnx", "--force").exit_code == 0
    assert {path.name for path in (folder / "new").iterdir()} == {"fox.onnx", "fox-loop.onnx"}


def test_a_page_is_replaced_only_with_force(folder, fox):
    charrnn("train", *SMALL, "--steps", "5")
    written = charrnn("export", "fox", "--html", "new/fox.html")
    assert (written.exit_code, written.stderr.split(":")[0]) == (0, "new/fox.html")
    page = folder / "new" / "fox.html"
    assert "<title>fox</title>" in page.read_text("utf-8")
    page.write_text("mine")
    refused = charrnn("export", "fox", "--html", "new/fox.html")
    assert (refused.exit_code, "--force" in refused.stderr, page.read_text()) == (1, True, "mine")
    assert charrnn("export", "fox", "--html", "new/fox.html", "--force").exit_code == 0
    assert "<title>fox</title>" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "one of a FOLDER, --onnx FILE and --html FILE"),
        (["kept", "--onnx", "a.onnx"], "one of a FOLDER, --onnx FILE and --html FILE"),
        (["--html", "a.html", "--onnx", "a.onnx"], "one of a FOLDER, --onnx FILE and --html FILE"),
        (["--html", "a.html", "--float32"], "--html writes 8-bit weights"),
        (["--html", "."], "Pass the name of a file, such as --html page.html"),
        (["--onnx", "a.onnx", "--float32"], "Leave out --float32"),
        (["--onnx", "."], "Pass the name of a file, such as --onnx model.onnx"),
    ],
)
def test_wrong_arguments_are_explained(folder, arguments, message):
    result = charrnn("export", "anna", *arguments)
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
    assert list(folder.iterdir()) == []
