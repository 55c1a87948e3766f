// The network of charrnn_cli/network/model.py, one token at a time, with 8-bit weights.
//
// All numbers are 64-bit, rounded to 32 bits where they are stored, and computed in a fixed order. So the same model writes
// the same text in every browser, with WebAssembly and without.
"use strict";
(function (charrnn) {
  const FORMAT = 2, EPSILON = Math.fround(1e-5);
  const LARGEST_TABLE = 4e6; // numbers that are kept of the products of tokens with the input weights

  // Opens a model: its header and the bytes of its weights, as charrnn_cli/web/packing.py writes them. Without
  // WebAssembly, or with {wasm: false}, JavaScript computes the same numbers, more slowly.
  charrnn.openModel = async function (header, weights, options = {}) {
    if (header.format !== FORMAT) throw new Error("This page is damaged, or made by another version of charrnn.");
    const bytes = new Uint8Array(weights.buffer || weights, weights.byteOffset || 0, weights.byteLength);
    const tensors = readTensors(header, bytes);
    const matrices = Object.values(tensors).filter((tensor) => tensor instanceof charrnn.Matrix);
    const arithmetic = await charrnn.Arithmetic.open(matrices, options.wasm !== false);
    return new Model(header, tensors, arithmetic);
  };

  // Opens the model that the page itself contains.
  charrnn.openEmbedded = async function (options) {
    const bytes = (id) => charrnn.fromBase85(document.getElementById(id).textContent);
    charrnn.wasmBytes = bytes("arithmetic-wasm");
    const header = JSON.parse(document.getElementById("model-header").textContent);
    return charrnn.openModel(header, bytes("model-weights"), options);
  };

  // The tensors by their names: matrices, and arrays of 32-bit numbers.
  function readTensors(header, bytes) {
    let at = 0;
    const take = (size) => bytes.slice(at, (at += size)).buffer;
    const tensors = header.tensors.map(({ name, shape: [rows = 1, columns] }) => {
      if (columns === undefined) return [name, new Float32Array(take(4 * rows))];
      const matrix = new charrnn.Matrix(rows, columns);
      matrix.integers = new Int8Array(take(matrix.height * matrix.width));
      matrix.scales = Float64Array.from(new Uint16Array(take(2 * rows)), charrnn.float16);
      return [name, matrix];
    });
    if (at !== bytes.length) throw new Error("This page is damaged: its weights have the wrong size.");
    return Object.fromEntries(tensors);
  }

  // What a model knows after some tokens. It never changes. Its logits are computed when they are first read; before
  // the first token they are null.
  class State {
    #model;
    #output;
    #logits = null;

    constructor(model, parts, output) {
      Object.assign(this, parts);
      this.#model = model;
      this.#output = output;
    }

    get logits() {
      if (this.#output) this.#logits ||= this.#model.predict(this.#output);
      return this.#logits;
    }
  }

  class Model {
    constructor(header, tensors, arithmetic) {
      const config = header.config;
      this.header = header;
      this.arithmetic = arithmetic;
      this.usesWasm = arithmetic.usesWasm;
      this.vocabulary = new charrnn.Vocabulary(header);
      this.V = header.tokens.length;
      this.H = config.hidden;
      this.layers = config.layers;
      this.stateNames = config.states;
      this.cell = CELLS[config.cell];
      if (!this.cell) throw new Error(`This page cannot compute the cell ${config.cell}.`);
      this.embedding = config.embedding ? tensors["embedding.weight"] : null;
      this.head = tensors[config.tie_weights ? "embedding.weight" : "head.weight"];
      this.head.biases.set(tensors["head.bias"]);
      this.scale = tensors["head.scale"]?.[0] ?? 1;
      this.cells = Array.from({ length: this.layers }, (_, k) => layer(tensors, k, config, this.cell.gates));
      this.norm = norm(tensors, this.layers);
      this.rows = new Array(this.V); // the products of tokens with the input weights, as far as they are known
      this.rowsLeft = Math.floor(LARGEST_TABLE / this.cells[0].ofState.rows);
    }

    encode(text, { unknown = "refuse" } = {}) {
      return charrnn.encode(this.vocabulary, text, unknown);
    }

    tokenText(id) {
      return this.vocabulary.tokenText(id);
    }

    joiner() {
      return this.vocabulary.joiner();
    }

    decode(ids) {
      const joiner = this.joiner();
      return Array.from(ids, joiner.add).join("") + joiner.end();
    }

    // What the model reads in place of an empty prime.
    firstIds() {
      return [this.vocabulary.first()];
    }

    start() {
      const zeros = () => this.cells.map(() => new Float32Array(this.H));
      return new State(this, Object.fromEntries(this.stateNames.map((name) => [name, zeros()])), null);
    }

    // The state after one more token. Each of `clamps`, {layer, name, cell, value}, holds a number of a state.
    read(state, id, clamps = []) {
      const parts = Object.fromEntries(this.stateNames.map((name) => [name, []]));
      let x = this.cells[0].residual ? this.input(id) : null;
      this.cells.forEach((cell, k) => {
        if (k === 0) this.readToken(id);
        else this.readInput(cell, x);
        this.arithmetic.product(cell.ofState, state.h[k], this.arithmetic.ofState);
        const old = this.stateNames.map((name) => state[name][k]);
        const held = (name) => clamps.filter((clamp) => clamp.layer === k && clamp.name === name);
        const next = this.cell.step(this.arithmetic, old, held);
        this.stateNames.forEach((name, n) => parts[name].push(next[n]));
        x = cell.residual ? sum(x, next[0]) : next[0];
      });
      return new State(this, parts, this.norm ? normalized(x, this.norm) : x);
    }

    // The logits of the next token from the output of the last layer.
    predict(output) {
      const { ofInput } = this.arithmetic, logits = new Float32Array(this.V);
      this.arithmetic.product(this.head, output, ofInput);
      for (let k = 0; k < logits.length; k++) logits[k] = ofInput[k] * this.scale;
      return logits;
    }

    // Reads a text, and returns how unexpected each of its tokens is. Each document starts as a new text.
    score(text) {
      const { ids: known, unknown } = this.vocabulary;
      return this.scoreIds(this.vocabulary.tokensOf(text).map((token) => known.get(token) ?? unknown).filter((id) => id !== null));
    }

    scoreIds(ids) {
      const bits = new Float64Array(ids.length), first = this.vocabulary.first();
      let state = null, last = first, total = 0;
      ids.forEach((id, k) => {
        state = this.read(state || this.start(), last);
        total += bits[k] = charrnn.surprisal(state.logits, id);
        last = id;
        if (id === this.vocabulary.end) [state, last] = [null, first];
      });
      const characters = Array.from(this.decode(ids)).length;
      return { ids, bits, total, characters, perCharacter: characters ? total / characters : 0 };
    }

    // The input of the first layer: the embedding of a token, or a one-hot vector.
    input(id) {
      const x = new Float32Array(this.embedding ? this.embedding.columns : this.V);
      if (!this.embedding) x[id] = 1;
      else for (let k = 0; k < x.length; k++) x[k] = this.embedding.at(id, k);
      return x;
    }

    // The product of a token with the weights of the first layer, with its bias.
    readToken(id) {
      const { ofInput } = this.arithmetic, [cell] = this.cells, { rows, biases } = cell.ofInput;
      if (this.rows[id]) return ofInput.set(this.rows[id]);
      if (this.embedding) this.readInput(cell, this.input(id));
      else for (let k = 0; k < rows; k++) ofInput[k] = biases[k] + cell.ofInput.at(k, id);
      if (this.rowsLeft-- > 0) this.rows[id] = ofInput.slice(0, rows);
    }

    readInput(cell, x) {
      this.arithmetic.product(cell.ofInput, cell.norm ? normalized(x, cell.norm) : x, this.arithmetic.ofInput);
    }
  }

  function layer(tensors, k, config, gates) {
    const [ofInput, ofState] = ["ih", "hh"].map((name) => {
      const matrix = tensors[`rnn.weight_${name}_l${k}`];
      matrix.biases.set(tensors[`rnn.bias_${name}_l${k}`]);
      for (const gate of gates) halve(matrix, gate * config.hidden, (gate + 1) * config.hidden);
      return matrix;
    });
    return { ofInput, ofState, norm: norm(tensors, k), residual: config.residual && ofInput.columns === config.hidden };
  }

  // Halves rows, for gates: sigmoid(x) = 0.5 + 0.5 tanh(0.5 x).
  function halve({ scales, biases }, from, end) {
    for (let k = from; k < end; k++) {
      scales[k] *= 0.5;
      biases[k] *= 0.5;
    }
  }

  const sigmoid = (tanhOfHalf) => 0.5 + 0.5 * tanhOfHalf;

  function norm(tensors, k) {
    const weight = tensors[`rnn.norm_weight_l${k}`];
    return weight ? { weight, bias: tensors[`rnn.norm_bias_l${k}`] } : null;
  }

  function sum(a, b) {
    const both = new Float32Array(a.length);
    for (let k = 0; k < both.length; k++) both[k] = a[k] + b[k];
    return both;
  }

  // A vector with mean 0 and variance 1, then scaled and shifted.
  function normalized(x, { weight, bias }) {
    const y = new Float32Array(x.length);
    let mean = 0, variance = 0;
    for (let k = 0; k < x.length; k++) mean += x[k];
    mean /= x.length;
    for (let k = 0; k < x.length; k++) variance += (x[k] - mean) * (x[k] - mean);
    const deviation = Math.sqrt(variance / x.length + EPSILON);
    for (let k = 0; k < x.length; k++) y[k] = ((x[k] - mean) / deviation) * weight[k] + bias[k];
    return y;
  }

  function hold(values, clamps) {
    for (const { cell, value } of clamps) values[cell] = value;
    return values;
  }

  // The cells: from the products of input and state with their weights, and the old states, to the new states.
  // A state that is held takes effect at once. `gates` are the parts of a product whose sigmoid is taken.
  const CELLS = {
    lstm: {
      gates: [0, 1, 3],
      step(arithmetic, [, oldC], held) {
        const { ofInput, ofState } = arithmetic, H = oldC.length, h = new Float32Array(H), c = new Float32Array(H);
        arithmetic.tanhOfSum(0, 4 * H);
        for (let k = 0; k < H; k++) c[k] = sigmoid(ofState[H + k]) * oldC[k] + sigmoid(ofState[k]) * ofState[2 * H + k];
        ofInput.set(hold(c, held("c")));
        ofState.fill(0, 0, H);
        arithmetic.tanhOfSum(0, H);
        for (let k = 0; k < H; k++) h[k] = sigmoid(ofState[3 * H + k]) * ofState[k];
        return [hold(h, held("h")), c];
      },
    },

    gru: {
      gates: [0, 1],
      step(arithmetic, [oldH], held) {
        const { ofState } = arithmetic, H = oldH.length, h = new Float32Array(H);
        arithmetic.tanhOfSum(0, 2 * H);
        for (let k = 0; k < H; k++) ofState[2 * H + k] *= sigmoid(ofState[k]);
        arithmetic.tanhOfSum(2 * H, H);
        for (let k = 0; k < H; k++) {
          const z = sigmoid(ofState[H + k]);
          h[k] = (1 - z) * ofState[2 * H + k] + z * oldH[k];
        }
        return [hold(h, held("h"))];
      },
    },

    rnn: {
      gates: [],
      step(arithmetic, [oldH], held) {
        arithmetic.tanhOfSum(0, oldH.length);
        return [hold(Float32Array.from(arithmetic.ofState.subarray(0, oldH.length)), held("h"))];
      },
    },
  };
})((globalThis.charrnn ||= {}));
