import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support import TEXT, charrnn, prepare_text, train_small

from charrnn_cli.config import PrepareSettings, SamplingSettings, SelectionSettings
from charrnn_cli.errors import RunError, SelectionError, TextError, UsageError
from charrnn_cli.generation import model as module
from charrnn_cli.generation.model import Model, load
from charrnn_cli.generation.results import Text
from charrnn_cli.generation.state import State
from charrnn_cli.generation.texts import Piece, Sample
from charrnn_cli.runs.folders import find_run

SHORT = SamplingSettings(length=20)
ENGINES = ("numpy", "onnx", "torch")
WRITTEN = "The quick"
CHOICES = [
    {},
    {"temperature": 0},
    {"temperature": 1.5, "top_n": 5, "top_p": 0.8, "min_p": 0.01},
    {"repetition_penalty": 1.3, "repetition_window": 8, "ban": ["e", "q"], "length": 30},
    {"lines": 2, "until_line": True, "stop": ["dog"], "keep_stop": True},
]


@pytest.fixture(scope="module")
def anna() -> Model:
    return load(find_run("anna"), engine="numpy")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory) -> Path:
    """A folder with a run of each level, and one of a list."""
    folder = tmp_path_factory.mktemp("shelf")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, settings in {
            "chars": {},
            "words": {"level": "word"},
            "bytes": {"level": "byte"},
            "subwords": {"level": "subword"},
            "list": {"documents": "line"},
        }.items():
            train_small(prepare_text(folder, TEXT, PrepareSettings(**settings), name=name))
    return folder


@pytest.fixture
def runs(shelf, monkeypatch) -> Path:
    monkeypatch.chdir(shelf)
    return shelf


def texts(events) -> list[str]:
    """The whole texts, in the order in which they come."""
    found = [""]
    for event in events:
        if isinstance(event, Sample):
            found.append("")
        else:
            found[-1] += event.text
    return found[:-1]


def by_command(*arguments: str, **settings) -> list[dict]:
    """The records of `charrnn sample`."""
    for name, value in settings.items():
        for one in value if isinstance(value, list) else [value]:
            arguments += (f"--{name.replace('_', '-')}", *([] if one is True else [str(one)]))
    result = charrnn("sample", *arguments, "--json", "--logprobs")
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def as_record(text: Text) -> dict:
    scores = zip(*text.scores, strict=True) if text.scores else ((), ())
    tokens, log_probabilities = map(list, scores)
    return {
        "model": "chars",
        "seed": text.seed,
        "sample": text.number,
        "prime": text.prime,
        "text": text.text,
        "tokens": text.tokens,
        "log_probability": text.log_probability,
        "stop_reason": text.ending,
        "logprobs": {"tokens": tokens, "log_probabilities": log_probabilities},
    }


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("choice", CHOICES)
def test_a_seed_writes_the_same_as_the_command(runs, engine, choice):
    model, settings = load("chars", engine=engine), {"length": 60, **choice}
    arguments = ("--model", "chars", "--engine", engine, "--prime", WRITTEN, "--seed", "3")
    (one,) = by_command(*arguments, **settings)
    assert as_record(model.generate(WRITTEN, seed=3, **settings)) | {"model": "chars"} == one
    three = by_command(*arguments, "--num", "3", **settings)
    assert [
        as_record(text) | {"model": "chars"} for text in model.generate_many(WRITTEN, 3, seed=3, **settings)
    ] == three
    assert three[0] == one
    best = by_command(*arguments, "--best-of", "4", **settings)
    assert [as_record(model.best_of(WRITTEN, 4, seed=3, **settings))] == best
    assert "".join(map(str, model.stream(WRITTEN, seed=3, **settings))) == one["prime"] + one["text"]
    assert model.generate(model.read(WRITTEN), seed=3, **settings).text == one["text"]


@pytest.mark.parametrize("name", ["words", "bytes"])
def test_every_level_writes_the_same_as_the_command(runs, name):
    result = charrnn("sample", "--model", name, "--prime", WRITTEN, "--seed", "3", "--length", "50")
    assert f"{load(name).generate(WRITTEN, seed=3, length=50)}".rstrip("\n") == result.stdout.rstrip("\n")


def test_a_model_of_a_list_writes_as_many_lines_as_the_command(runs):
    model = load("list")
    lines = charrnn("sample", "--model", "list", "--seed", "3", "--lines", "4").stdout.splitlines()
    assert [str(text) for text in model.generate_many(num=2, lines=2, seed=3)] == lines
    assert str(model.generate(seed=3, lines=1)) == lines[0]
    with pytest.raises(UsageError, match="`lines=2` asks list for several texts"):
        model.generate(lines=2)


@pytest.mark.parametrize("engine", ENGINES)
def test_texts_that_are_refused_are_replaced_by_later_ones_of_the_seed(runs, engine):
    model = load("chars", engine=engine)
    every = model.generate_many("The", 80, seed=3, length=12, temperature=1.5)
    expected = [text for text in every if "x" in text.text]
    for count in (1, 3):
        chosen = model.generate_many("The", count, seed=3, length=12, temperature=1.5, contains=["x"])
        assert chosen == expected[:count]
    best = model.generate_many("The", 1, seed=3, best_of=3, length=12, temperature=1.5, contains=["x"])
    assert best == [max(expected[:3], key=lambda text: text.log_probability)]


def test_novel_texts_are_in_no_split_of_the_training_text(folder, anna):
    numbers = [str(number) for number in range(100, 140)]
    run = prepare_text(folder, "\n".join(numbers), PrepareSettings(documents="line"))
    train_small(run, steps=1)
    selection = load(run).selection(SelectionSettings(novel=True))
    assert not any(map(selection.keeps, numbers))
    assert selection.keeps("140")
    with pytest.raises(RunError, match="anna comes without its training text"):
        anna.generate_many(novel=True)
    assert not anna.selection(SelectionSettings(novel=True), ["fox.txt"]).keeps("100")
    assert anna.selection(SelectionSettings(tries=3)) is None


def test_a_ladder_writes_as_many_texts_with_each_temperature(anna):
    texts = anna.generate_many("Far", seed=1, length=8, temperatures=[1.1, 0.5])
    assert [text.temperature for text in texts] == [1.1, 0.5]
    assert texts[1] == anna.generate("Far", seed=1, length=8, temperature=0.5)


def test_too_few_texts_are_an_error_with_those_that_were_found(anna):
    with pytest.raises(SelectionError, match="found only 1 of 2 texts after writing 4; refused 3 by") as caught:
        anna.generate_many("Far", 2, length=0, unique=True, tries=2)
    assert list(map(str, caught.value.texts)) == ["Far"]
    assert str(anna.generate("Far", length=0, unique=True)) == "Far"


def test_load_finds_a_bundled_model_a_run_or_the_last_one(trained):
    assert load("anna").run.bundled
    assert load().run == load("fox").run == load(trained).run == trained
    assert load("fox", root=str(Path("runs").absolute())).run.folder.is_absolute()
    assert load(trained.folder).run.folder == trained.folder
    with pytest.raises(RunError, match="nobody"):
        load("nobody")
    with pytest.raises(UsageError, match="31"):
        load(trained, checkpoint=31)
    with pytest.raises(UsageError, match="`engine` must be auto, numpy, onnx or torch, got 'nump'"):
        load(engine="nump")


def test_loading_and_encoding_loads_no_engine(monkeypatch):
    model = load("anna")
    model.encode("Far")
    model.check(SHORT)
    monkeypatch.setattr(module, "load_engine", lambda *arguments: pytest.fail("loaded"))
    assert repr(model) == "<Model anna: LSTM 2 x 512>"


def test_the_description_names_model_and_engine(anna):
    assert anna.description.startswith("anna (bundled): LSTM 2 x 512, step ")
    assert anna.description.endswith("; NumPy")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda model: model.generate(lenght=3),
            UsageError,
            "`lenght` is not a setting of writing. Did you mean length",
        ),
        (lambda model: model.generate(length="3"), UsageError, "`length` must be a whole number, got '3'"),
        (lambda model: model.generate(top_p=2), UsageError, r"`top_p` must be in \(0, 1\], got 2"),
        (lambda model: model.generate(ban="e"), UsageError, "`ban` must be a list of texts, got 'e'"),
        (lambda model: model.generate(seed=-1), UsageError, "`seed` must be at least 0"),
        (lambda model: model.stream(seed=-1), UsageError, "`seed` must be at least 0"),  # before the first piece
        (lambda model: model.generate_many(num=0), UsageError, "`num` must be between 1 and"),
        (lambda model: model.best_of(count=0), UsageError, "`count` must be between"),
        (lambda model: model.best_of(count="5"), UsageError, "`count` must be a whole number, got '5'"),
        (lambda model: model.generate_many(num=None), UsageError, "`num` must be a whole number, got None"),
        (lambda model: model.generate(seed=1.5), UsageError, "`seed` must be a whole number, got 1.5"),
        (lambda model: model.generate(None), UsageError, "`prime` must be a text or a `State`, got None"),
        (lambda model: model.read(b"Far"), UsageError, "`text` must be a text, got b'Far'"),
        (lambda model: model.next(None), UsageError, r"`prime` must be a text or a `State`, got None\."),
        (lambda model: model.stream(3), UsageError, "`prime` must be a text"),
        (lambda model: model.read(model.read("Far")), UsageError, "`text` must be a text"),
        (
            lambda model: model.read("x", after="Far"),
            UsageError,
            "`after` must be a `State`, as `read` returns it, got 'Far'",
        ),
        (lambda model: model.score(None), UsageError, "`text` must be a text, got None"),
        (lambda model: model.generate("Far", num=3), UsageError, "`num` is for several texts.* `generate_many`"),
        (lambda model: model.generate("Far", temperatures=[1, 2]), UsageError, "`temperatures` is for several texts"),
        (lambda model: model.best_of("Far", best_of=3), UsageError, "`best_of` is for several texts"),
        (
            lambda model: model.generate("Far", temperature=math.inf),
            UsageError,
            "`temperature` must be finite and at least 0",
        ),
        (lambda model: model.generate("Far", sed=1), UsageError, "Did you mean seed"),
        (lambda model: load("anna", threads=0), UsageError, r"`threads` must be in \[1, 1024\], got 0"),
        (lambda model: load("anna", threads=-1, engine="onnx"), UsageError, "`threads`"),
        (lambda model: load("anna", root=None), UsageError, "`root` must be a path, got None"),
        (lambda model: model.next("Far").likeliest("3"), UsageError, "`count` must be a whole number, got '3'"),
        (lambda model: model.next("Far").likeliest(-1), UsageError, "`count` must be at least 0, got -1"),
        (lambda model: model.original(3), UsageError, "`copies_from` must be a path or a list of paths, got 3"),
        (lambda model: model.generate("☕"), UsageError, "does not know '☕' at position 1"),
        (lambda model: model.read("a", unknown="drop"), UsageError, "`unknown` must be error, skip or replace"),
        (lambda model: model.score("a", unknown="replace"), UsageError, "`unknown` must be error or skip"),
        (lambda model: model.score("☕☕"), TextError, "does not know"),
        (lambda model: model.score("a"), TextError, "only one token"),
    ],
)
def test_mistakes_are_errors_of_the_library(anna, call, error, message):
    with pytest.raises(error, match=message):
        call(anna)


def test_texts_without_scores_are_the_same(anna):
    plain = anna.generate_many("Far", 2, seed=1, length=10, scored=False)
    scored = anna.generate_many("Far", 2, seed=1, length=10)
    assert list(map(str, plain)) == list(map(str, scored))
    assert [(text.scores, text.tokens, text.log_probability) for text in plain] == [
        ((), 10, pytest.approx(np.nan, nan_ok=True))
    ] * 2


def test_a_random_seed_is_told(anna):
    text = anna.generate("Far", length=10)
    assert anna.generate("Far", length=10, seed=text.seed) == text
    assert anna.generate("Far", length=10).seed != text.seed


@pytest.mark.parametrize("engine", ENGINES)
def test_a_state_is_continued_any_number_of_times_and_stored(runs, engine):
    model = load("chars", engine=engine)
    state = model.read("The qu")
    stored = State.from_bytes(state.to_bytes())
    whole = model.generate("The quick", seed=1, length=30)
    for before in (state, stored, state):
        after = model.read("ick", after=before)
        assert after == model.read("The quick")
        assert model.generate(after, seed=1, length=30).text == whole.text
    assert state == stored


@pytest.mark.parametrize("reader", ENGINES)
@pytest.mark.parametrize("writer", ENGINES)
def test_a_state_of_one_engine_is_continued_by_another(runs, reader, writer):
    state = load("chars", engine=reader).read("The quick")
    model = load("chars", engine=writer)
    np.testing.assert_allclose(state.hidden, model.read("The quick").hidden, atol=0.1)
    assert len(model.generate(state, length=20, seed=1).text) == 20


@pytest.mark.parametrize("name", ["chars", "words", "bytes", "subwords", "list"])
def test_a_text_may_be_read_in_parts(runs, name):
    model = load(name, engine="numpy")
    assert model.read(" brown fox", after=model.read("The quick")) == model.read("The quick brown fox")
    assert model.read("The", after=model.read("")) == model.read("The")
    assert model.read("", after=model.read("The")) == model.read("The")


def test_a_state_of_anna_takes_8_kb(anna):
    assert len(anna.read("Far").to_bytes()) < 8 * 1024 + 200


def test_the_state_of_another_model_is_an_error(runs, anna):
    state = load("chars").read("The")
    for use in (anna.generate, anna.next, lambda state: anna.read("a", after=state)):
        with pytest.raises(UsageError, match="the state belongs to another model than anna"):
            use(state)
    broken = State(anna.read("a").hidden, 10**6, (10**6,), anna.stored.checksum)
    with pytest.raises(UsageError, match="another model"):
        anna.next(broken)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_next_token_is_predicted_as_it_is_written(runs, engine):
    model = load("chars", engine=engine)
    prediction = model.next("The quic")
    assert prediction.probabilities.shape == (len(model.vocabulary),)
    assert prediction.probabilities.sum() == pytest.approx(1)
    assert prediction.tokens == model.vocabulary.tokens
    (likeliest, probability), *_ = prediction.likeliest(1)
    text = model.generate("The quic", temperature=0, length=1)
    assert text.text == likeliest
    assert np.exp(text.log_probability) == pytest.approx(probability, rel=1e-4)
    assert dict(model.next(model.read("The quic"))) == dict(prediction)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["chars", "words", "bytes", "subwords", "list"])
def test_a_score_equals_that_of_the_command(runs, name, engine):
    text = TEXT[:86]
    Path("some.txt").write_text(text)
    record = json.loads(charrnn("evaluate", "some.txt", "--model", name, "--engine", engine, "--json").stdout)
    score = load(name, engine=engine).score(text)
    for key in ("loss", "bits_per_character", "perplexity", "tokens", "characters", "unknown"):
        assert getattr(score, key) == record[key]
    assert len(score.scores) == score.tokens
    assert sum(one.surprisal for one in score.scores) == pytest.approx(score.bits_per_token * score.tokens, rel=1e-5)


def test_a_score_agrees_with_the_predictions(runs):
    model = load("chars", engine="numpy")
    for position, one in enumerate(model.score("The quick").scores):
        before = "The quick"[: position + 1]
        assert one.token == "The quick"[position + 1]
        assert np.exp(one.log_probability) == pytest.approx(model.next(before)[one.token], rel=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_threads_that_share_a_model_write_the_same_as_alone(runs, engine):
    alone = load("chars", engine=engine)
    expected = [alone.generate_many("The", 5, seed=seed, length=80) for seed in range(4)]
    shared, start = load("chars", engine=engine), threading.Barrier(4)

    def write(seed: int) -> list[Text]:
        start.wait()
        return shared.generate_many("The", 5, seed=seed, length=80)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(write, range(4))) == expected


def test_texts_come_in_order_and_do_not_depend_on_their_number(anna):
    state = anna.read("Far")
    three = texts(anna.write(state, SHORT, seed=1, num=3))
    assert texts(anna.write(state, SHORT, seed=1, num=1)) == three[:1]
    assert len(set(three)) == 3


def test_best_of_gives_the_likeliest_first(anna):
    state = anna.read("Far")
    scored = [event for event in anna.write(state, SHORT, seed=1, num=4, scored=True) if isinstance(event, Sample)]
    best = [event for event in anna.write(state, SHORT, seed=1, num=2, best_of=4) if isinstance(event, Sample)]
    assert best == sorted(scored, key=lambda sample: -sample.log_probability)[:2]


def test_pieces_have_log_probabilities_only_if_scored(anna):
    state = anna.read("Far")
    for scored in (True, False):
        pieces = [event for event in anna.write(state, SHORT, seed=1, scored=scored) if isinstance(event, Piece)]
        assert all((piece.log_probability < 0) == scored for piece in pieces if not piece.prime)


def test_check_names_unknown_tokens_by_setting(anna):
    assert anna.check(SHORT) == {}
    assert anna.check(SamplingSettings(ban=("eé",), allow_only=("ab☕",))) == {"ban": ["é"], "allow_only": ["☕"]}
    with pytest.raises(UsageError, match="no token is left to write"):
        anna.check(SamplingSettings(allow_only=("☕",)))


def test_a_prime_comes_from_a_file_of_any_format(anna, folder):
    (folder / "letter.txt").write_bytes("\ufeffDear Anna,\r\n".encode())
    (folder / "letter.jsonl").write_text('{"text": "Dear Anna,"}\n')
    assert anna.text_of("letter.txt") == anna.text_of(folder / "letter.jsonl") == "Dear Anna,\n"


def test_the_original_is_a_file_or_the_training_text(anna, trained, folder):
    (pieces,) = load(trained).original().pieces()
    assert "".join(map(chr, pieces)) == TEXT[: len(pieces)]
    (folder / "other.txt").write_text("some text")
    (pieces,) = anna.original(["other.txt"]).pieces()
    assert "".join(map(chr, pieces)) == "some text"
    with pytest.raises(RunError, match="anna comes without its training text"):
        anna.original()


def test_a_run_that_is_not_trained_says_what_to_call(fox):
    for run in (fox, fox.name):
        with pytest.raises(RunError, match=r"not trained yet\. Call `charrnn\.train\('fox'\)`\."):
            load(run)
