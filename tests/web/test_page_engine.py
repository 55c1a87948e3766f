"""The JavaScript engine of the HTML page computes what the Python engines compute."""

import dataclasses

import numpy as np
import pytest
from page_engine import ASSETS, CHARACTERS, packed, random_model, run_in_node

from charrnn_cli.config import ModelSettings, SamplingSettings
from charrnn_cli.errors import UsageError
from charrnn_cli.generation.numpy_engine import NumpyEngine
from charrnn_cli.generation.prime import encode_prime
from charrnn_cli.generation.sampling import allowed_tokens, draw, filters
from charrnn_cli.network.cells import CELLS
from charrnn_cli.text.tokenizer import tokenizer_of
from charrnn_cli.text.vocabulary import EOD, UNKNOWN, Vocabulary
from charrnn_cli.text.words import WordTokenizer
from charrnn_cli.web.packing import dequantized_weights

V = len(CHARACTERS)
SUBWORDS = Vocabulary("subword", (*"\n abch'", " a", "ab", "bc", " abc"))
SHAPES = [
    {"embedding": 8, "layer_norm": True},
    {"embedding": 24, "tie_weights": True, "layer_norm": True},
    {"embedding": 0, "layer_norm": True},
    {"embedding": 0, "hidden": V},  # the input is added to the output of the first layer
    {"embedding": 9, "residual": False, "layers": 1},
    {"embedding": 9, "hidden": 7},
]
NETWORKS = [ModelSettings(**{"cell": cell, "hidden": 24, **shape}) for cell in CELLS for shape in SHAPES]


def test_logits_are_those_of_numpy_with_and_without_webassembly():
    ids = np.random.default_rng(1).integers(V, size=200)
    models = [random_model(settings) for settings in NETWORKS]
    results = run_in_node(
        """
        const all = [];
        for (const one of job.models) {
          for (const wasm of [true, false]) {
            const model = await open(one, wasm);
            if (model.usesWasm !== wasm) throw new Error("WebAssembly does not work");
            let state = model.start();
            all.push(job.ids.map((id) => Array.from((state = model.read(state, id)).logits)));
          }
        }
        say(all);
        """,
        models=[packed(model) for model in models],
        ids=ids.tolist(),
    )
    for model, with_wasm, without in zip(models, results[::2], results[1::2], strict=True):
        assert with_wasm == without
        engine = NumpyEngine(dequantized_weights(model), model.settings)
        state = engine.start(1)
        for id, computed in zip(ids, with_wasm, strict=True):
            logits, state = engine.step(np.array([id]), state)
            np.testing.assert_allclose(computed, logits[0], atol=1e-3, err_msg=str(model.settings))


def test_the_tanh_of_webassembly_is_that_of_javascript():
    assert run_in_node(
        """
        const { arithmetic } = await open(job.model), { ofInput, ofState } = arithmetic;
        const sums = [0, -0, 1e-300, 0.1, -0.3, 1, -2.5, 7.89, 7.91, -8, 1e9, Infinity, -Infinity, NaN];
        ofInput.fill(0.125);
        ofState.set(sums.map((sum) => sum - 0.125));
        const expected = Array.from(ofState, (number) => charrnn.tanh(0.125 + number));
        arithmetic.tanhOfSum(0, sums.length);
        say(arithmetic.usesWasm && sums.every((_, k) => Object.is(ofState[k], expected[k])));
        """,
        model=packed(random_model()),
    )


def test_a_state_stays_what_it_was_and_a_held_cell_takes_effect():
    plain, again, held, h, c, below = run_in_node(
        """
        const model = await open(job.model), state = model.read(model.start(), 1);
        const clamps = [{ layer: 0, name: "c", cell: 3, value: 2 }, { layer: 1, name: "h", cell: 5, value: 0.5 }];
        const plain = model.read(state, 2), held = model.read(state, 2, clamps), again = model.read(state, 2);
        const logits = [plain, again, held].map((one) => Array.from(one.logits));
        say([...logits, held.h[1][5], held.c[0][3], held.h[0][3] !== plain.h[0][3]]);
        """,
        model=packed(random_model()),
    )
    assert plain == again != held
    assert (h, c, below) == (0.5, 2, True)


def test_the_same_seed_writes_the_same_text_with_and_without_webassembly():
    texts = run_in_node(
        """
        const texts = [];
        for (const [wasm, seed] of [[true, 1], [false, 1], [true, 2], [true, 2 ** 40 + 1]]) {
          const model = await open(job.model, wasm), uniform = charrnn.uniforms(seed), ids = [];
          let state = model.read(model.start(), model.firstIds()[0]);
          for (let k = 0; k < 100; k++) {
            ids.push(charrnn.draw(model, state.logits, { temperature: 1, topP: 0.95 }, ids, uniform()));
            state = model.read(state, ids.at(-1));
          }
          texts.push(model.decode(ids));
        }
        say(texts);
        """,
        model=packed(random_model()),
    )
    assert len(texts[0]) == 100
    assert texts[0] == texts[1]
    assert len(set(texts)) == 3


SAMPLING = [
    {"temperature": 0.0, "top_p": 0.5},
    {"temperature": 0.7, "top_p": 1.0},
    {"temperature": 1.5, "top_n": 4, "top_p": 1.0},
    {"top_p": 0.6, "min_p": 0.1},
    {"top_p": 1.0, "min_p": 0.3, "repetition_penalty": 1.8, "repetition_window": 3},
    {"ban": ("ab", "'"), "top_n": 5},
    {"allow_only": ("abch",), "repetition_penalty": 0.5},
]


@pytest.mark.parametrize("vocabulary", [CHARACTERS, SUBWORDS], ids=lambda vocabulary: vocabulary.level)
def test_filters_and_draws_are_those_of_python(vocabulary):
    random = np.random.default_rng(2)
    logits = np.round(random.normal(0, 2, (40, V)), 1)  # with ties
    recent, uniforms = random.integers(V, size=(40, 8)), random.random(40)
    camel = [{_camel(name): value for name, value in settings.items()} for settings in SAMPLING]
    results = run_in_node(
        """
        const model = await open(job.model), minus = (x) => (x === -Infinity ? null : x);
        say(job.settings.map((settings) => job.logits.map((logits, k) => [
          Array.from(charrnn.filtered(model, logits, settings, job.recent[k]), minus),
          charrnn.draw(model, logits, settings, job.recent[k], job.uniforms[k]),
        ])));
        """,
        model=packed(random_model(vocabulary=vocabulary)),
        settings=camel,
        logits=logits.tolist(),
        recent=recent.tolist(),
        uniforms=uniforms.tolist(),
    )
    for settings, rows in zip((SamplingSettings(**one) for one in SAMPLING), results, strict=True):
        expected = logits
        for filter in filters(settings, allowed_tokens(settings, vocabulary)):
            expected = filter(expected, recent[:, -settings.repetition_window :])
        computed = np.array([[-np.inf if x is None else x for x in row] for row, _ in rows])
        np.testing.assert_allclose(computed, expected, atol=1e-12, err_msg=str(settings))
        assert [id for _, id in rows] == draw(expected, uniforms).tolist()


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.title() for other in others)


def test_settings_that_leave_no_token_are_explained():
    message = run_in_node(
        """
        const model = await open(job.model);
        try { charrnn.filtered(model, new Float32Array(model.V), { allowOnly: ["xyz"] }, []); }
        catch (error) { say(error.message); }
        """,
        model=packed(random_model()),
    )
    assert "No token is left" in message


def test_functions_of_numbers_are_exact_enough():
    x = np.concatenate([np.linspace(-30, 30, 2001), [-800.0, 700.0, 0.0, 1e-30]])
    exp, log, tanh, halves = run_in_node(
        """
        const safe = (values) => values.map((y) => (Number.isFinite(y) ? y : null));
        const halves = Array.from({ length: 0x7c00 }, (_, k) => charrnn.float16(k));
        say([...["exp", "log", "tanh"].map((name) => safe(job.x.map((x) => charrnn[name](x)))), halves]);
        """,
        x=x.tolist(),
    )
    np.testing.assert_allclose(exp, np.exp(x), rtol=1e-14)
    positive = x > 0
    np.testing.assert_allclose(np.array(log)[positive].astype(float), np.log(x[positive]), rtol=1e-14, atol=1e-14)
    np.testing.assert_allclose(np.array(tanh), np.tanh(x), atol=5e-7)
    assert halves == np.arange(0x7C00, dtype=np.uint16).view(np.float16).astype(float).tolist()


def words(text: str, *special: str) -> Vocabulary:
    splitter = WordTokenizer().splitter()
    tokens = [*special, *dict.fromkeys(splitter.add(text) + splitter.end())]
    end = tokens.index(EOD) if EOD in tokens else None
    return Vocabulary("word", tuple(tokens), tokens.index(UNKNOWN), marks=splitter.marks, end=end)


NOVEL = (
    '"Well," said the Prince, "it\'s 3.14 -- or so."\n\n(He paused;  she didn\'t.)\n_Very_ odd\u2026 caf\u00e9!  '
    "\u2014Why? "
    "Twenty-one \U0001f600 \u201cpounds\u201d: $5, 10% off\0A new one: state-of-the-art, e.g. this/that.\n\tTab    four"
)
VOCABULARIES = [
    Vocabulary("char", ("<eod>", *"\n abcdeftyz\u00e9\"'-."), end=0),
    Vocabulary("char", (UNKNOWN, *" abc"), unknown=0, lowercase=True),
    Vocabulary("byte", tuple(f"{byte:02x}" for byte in range(256))),
    words(NOVEL, UNKNOWN),
    Vocabulary("subword", ("<eod>", *"\n abcdeftyz\u00e9", " c", "at", " at", " cat", "yes", "te", "  "), end=0),
    Vocabulary("subword", (UNKNOWN, *" sheidpu", "he", " s", "id", "aid", "paus"), unknown=0, lowercase=True),
    Vocabulary("word", ("<eos>", UNKNOWN, "the", "cat", "sat"), unknown=1, split_on="whitespace", lowercase=True),
]
TEXTS = [
    "",
    "a cat\nfed\r\nby\rtea",
    "cafe\u0301 \u201cyes\u201d \u2014 na\u00efve \u4e2d \U0001f600\U0001f44d\U0001f3fd",
    NOVEL,
    'The the  cat (sat) -- didn\'t. "Odd" said   she\n\nunpaused Princess, 3.5 3. 5 x-y_z \u00abq\u00bb \u00a0 end  ',
]


@pytest.mark.parametrize("vocabulary", VOCABULARIES, ids=lambda one: f"{one.level}-{one.split_on}-{len(one)}")
def test_texts_become_the_ids_of_python_and_texts_again(vocabulary):
    settings = ModelSettings(hidden=4, layers=1, embedding=2)
    results = run_in_node(
        """
        const model = await open(job.model);
        say(job.texts.map((text) => {
          const { ids, unknown } = model.encode(text, { unknown: "skip" });
          const all = ids.concat(Array.from(model.header.tokens.keys()));
          return [ids, unknown.length, all, model.decode(all), model.encode(text, { unknown: "replace" }).ids];
        }));
        """,
        model=packed(random_model(settings, vocabulary)),
        texts=TEXTS,
    )
    for text, (ids, unknown, all_ids, decoded, replaced) in zip(TEXTS, results, strict=True):
        skipped = encode_prime(text, vocabulary, "skip").ids
        assert ids == skipped, text
        joiner = tokenizer_of(vocabulary).joiner()
        assert decoded == "".join([*map(joiner.add, vocabulary.decode(all_ids)), joiner.end()])
        try:
            assert encode_prime(text, vocabulary, "error").ids == ids
            assert unknown == 0
        except UsageError:
            assert unknown > 0
        try:
            assert replaced == encode_prime(text, vocabulary, "replace").ids
        except UsageError:
            assert unknown > 0


def test_unknown_characters_are_named_with_the_closest_ones():
    unknown = run_in_node(
        'const model = await open(job.model); say(model.encode("a\u201db\u4e2d").unknown);',
        model=packed(random_model()),
    )
    assert unknown == [
        {"text": "\u201d", "position": 1, "closest": ""},
        {"text": "\u4e2d", "position": 3, "closest": ""},
    ]
    vocabulary = dataclasses.replace(CHARACTERS, tokens=(*CHARACTERS.tokens, '"'))
    unknown = run_in_node(
        'const model = await open(job.model); say(model.encode("a\u201db").unknown);',
        model=packed(random_model(vocabulary=vocabulary)),
    )
    assert unknown == [{"text": "\u201d", "position": 1, "closest": '"'}]


def test_each_document_is_scored_from_the_start():
    vocabulary = Vocabulary("char", ("<eod>", *"abc"), end=0)
    whole, first, second = run_in_node(
        'const model = await open(job.model); say(["ab\\0ca", "ab\\0", "ca"].map((text) => model.score(text)));',
        model=packed(random_model(vocabulary=vocabulary)),
    )
    assert whole["ids"] == [1, 2, 0, 3, 1]
    assert list(whole["bits"].values()) == [*first["bits"].values(), *second["bits"].values()]
    assert whole["perCharacter"] == pytest.approx(whole["total"] / 4)


def test_the_webassembly_is_the_committed_text():
    wasmtime = pytest.importorskip("wasmtime", reason="needs the package wasmtime, which assembles the text")
    assembled = bytes(wasmtime.wat2wasm((ASSETS / "arithmetic.wat").read_text("utf-8")))
    committed = (ASSETS / "arithmetic.wasm").read_bytes()
    assert assembled.startswith(committed)  # only the names of the variables follow
