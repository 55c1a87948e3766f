import pytest
from support import TEXT, train_small

from charrnn_cli.config import SamplingSettings
from charrnn_cli.errors import RunError, UsageError
from charrnn_cli.generation.model import MAX_TEXTS, Model, check_texts, random_seed, sampling_settings
from charrnn_cli.generation.texts import Piece, Sample
from charrnn_cli.runs.folders import find_run

SHORT = SamplingSettings(length=20)


@pytest.fixture(scope="module")
def anna() -> Model:
    return Model.open(find_run("anna"), engine="numpy")


def texts(events) -> list[str]:
    """The whole texts, in the order in which they come."""
    found = [""]
    for event in events:
        if isinstance(event, Sample):
            found.append("")
        else:
            found[-1] += event.text
    return found[:-1]


def test_a_model_opens_a_bundled_model_a_run_or_the_last_one(fox):
    train_small(fox)
    assert Model.open("anna").run.bundled
    assert Model.open().run == Model.open("fox").run == fox
    with pytest.raises(RunError, match="nobody"):
        Model.open("nobody")
    with pytest.raises(UsageError, match="31"):
        Model.open(fox, checkpoint=31)


def test_opening_and_encoding_loads_no_engine():
    model = Model.open("anna")
    model.encode("Far")
    model.check(SHORT)
    assert "engine" not in vars(model)


def test_the_description_names_model_and_engine(anna):
    assert anna.description.startswith("anna (bundled): LSTM 2 x 512, step ")
    assert anna.description.endswith("; NumPy")


def test_a_prime_can_be_continued_many_times(anna):
    prime = anna.read_prime("Far")
    one, again = (texts(anna.write(prime, SHORT, seed=1)) for _ in range(2))
    assert one == again
    assert one[0].startswith("Far")
    assert len(one[0]) == 23
    assert prime.text == "Far"


def test_texts_come_in_order_and_do_not_depend_on_their_number(anna):
    prime = anna.read_prime("Far")
    three = texts(anna.write(prime, SHORT, seed=1, num=3))
    assert texts(anna.write(prime, SHORT, seed=1, num=1)) == three[:1]
    assert len(set(three)) == 3


def test_best_of_gives_the_likeliest_first(anna):
    prime = anna.read_prime("Far")
    scored = [event for event in anna.write(prime, SHORT, seed=1, num=4, scored=True) if isinstance(event, Sample)]
    best = [event for event in anna.write(prime, SHORT, seed=1, num=2, best_of=4) if isinstance(event, Sample)]
    assert best == sorted(scored, key=lambda sample: -sample.log_probability)[:2]


def test_pieces_have_log_probabilities_only_if_scored(anna):
    prime = anna.read_prime("Far")
    for scored in (True, False):
        pieces = [event for event in anna.write(prime, SHORT, seed=1, scored=scored) if isinstance(event, Piece)]
        assert all((piece.log_probability < 0) == scored for piece in pieces if not piece.prime)


def test_check_names_unknown_tokens_by_setting(anna):
    assert anna.check(SHORT) == {}
    assert anna.check(SamplingSettings(ban=("eé",), allow_only=("ab☕",))) == {"ban": ["é"], "allow_only": ["☕"]}
    with pytest.raises(UsageError, match="no token is left to write"):
        anna.check(SamplingSettings(allow_only=("☕",)))


@pytest.mark.parametrize(
    ("num", "best_of", "seed", "message"),
    [
        (0, None, 1, "`num` must be between 1 and 1,000,000, got 0"),
        (MAX_TEXTS + 1, None, 1, "`num`"),
        (3, 2, 1, r"`best_of` must be between `num` \(3\) and 1,000,000, got 2"),
        (1, MAX_TEXTS + 1, 1, "`best_of`"),
        (1, None, -1, "`seed` must be at least 0, got -1"),
    ],
)
def test_numbers_out_of_range_are_errors_that_name_the_setting(anna, num, best_of, seed, message):
    with pytest.raises(UsageError, match=message):
        check_texts(num, best_of, seed)
    with pytest.raises(UsageError, match=message):  # before the first piece
        anna.write(anna.read_prime("Far"), SHORT, seed=seed, num=num, best_of=best_of)


def test_lines_without_a_length_set_a_length_that_is_enough():
    assert sampling_settings({"lines": 3}).length == 3000
    assert sampling_settings({"lines": 3, "length": 7}).length == 7
    assert sampling_settings({}) == SamplingSettings()
    assert sampling_settings({"ban": ["a", "b"]}).ban == ("a", "b")


def test_random_seeds_differ():
    assert len({random_seed() for _ in range(5)}) == 5


def test_a_prime_comes_from_a_file_of_any_format(anna, folder):
    (folder / "letter.txt").write_bytes("\ufeffDear Anna,\r\n".encode())
    (folder / "letter.jsonl").write_text('{"text": "Dear Anna,"}\n')
    assert anna.text_of("letter.txt") == anna.text_of(folder / "letter.jsonl") == "Dear Anna,\n"


def test_the_original_is_a_file_or_the_training_text(anna, fox, folder):
    train_small(fox)
    (pieces,) = Model.open(fox).original().pieces()
    assert "".join(map(chr, pieces)) == TEXT[: len(pieces)]
    (folder / "other.txt").write_text("some text")
    (pieces,) = anna.original(["other.txt"]).pieces()
    assert "".join(map(chr, pieces)) == "some text"
    with pytest.raises(RunError, match="anna comes without its training text"):
        anna.original()
