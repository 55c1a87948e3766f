// The network of charrnn_cli/network/model.py, one token at a time, with 8-bit weights.
//
// A product of a matrix and a vector is a sum of integers: the weights have 127 levels, and the vector as many as 32 bits
// can sum. All other numbers are 64-bit, rounded to 32 bits where they are stored, in a fixed order. So the same model
// writes the same text in every browser, with WebAssembly and without.
"use strict";
(function (charrnn) {
  const { tanh, sigmoid } = charrnn;
  const FORMAT = 1, LEVELS = 127, EPSILON = Math.fround(1e-5), PAGE = 65536;
  const LARGEST_TABLE = 4e6; // numbers that are kept of the products of tokens with the input weights

  const roundUp = (number, step) => Math.ceil(number / step) * step;

  // Opens a model: its header and the bytes of its weights, as charrnn_cli/web/packing.py writes them. Without
  // WebAssembly, or with {wasm: false}, JavaScript computes the products: the same numbers, more slowly.
  charrnn.openModel = async function (header, weights, options = {}) {
    if (header.format !== FORMAT) throw new Error("This page is damaged, or made by another version of charrnn.");
    const bytes = new Uint8Array(weights.buffer || weights, weights.byteOffset || 0, weights.byteLength);
    const tensors = readTensors(header, bytes);
    const matrices = tensors.filter((tensor) => tensor.rows !== undefined);
    const widest = Math.max(...matrices.map((matrix) => matrix.width)), highest = Math.max(...matrices.map((matrix) => matrix.height));
    let size = 2 * widest + 4 * highest; // the vector, then the sums, then the matrices
    for (const matrix of matrices) {
      matrix.address = size = roundUp(size, 16);
      size += matrix.height * matrix.width;
    }
    const { buffer, multiply } = (options.wasm !== false && (await wasmProducts(size))) || scriptProducts(size);
    for (const matrix of matrices) fillMatrix(matrix, buffer);
    const products = {
      vector: new Int16Array(buffer, 0, widest),
      sums: new Int32Array(buffer, 2 * widest, highest),
      multiply: (matrix) => multiply(matrix.address, 0, 2 * widest, matrix.height, matrix.width),
    };
    return new Model(header, new Map(tensors.map((tensor) => [tensor.name, tensor])), products, multiply.name !== "script");
  };

  // Opens the model that the page itself contains.
  charrnn.openEmbedded = async function (options) {
    const bytes = (id) => charrnn.fromBase85(document.getElementById(id).textContent);
    charrnn.wasmBytes = bytes("products-wasm");
    const header = JSON.parse(document.getElementById("model-header").textContent);
    return charrnn.openModel(header, bytes("model-weights"), options);
  };

  function readTensors(header, bytes) {
    let at = 0;
    const take = (size) => bytes.slice(at, (at += size));
    const tensors = header.tensors.map(({ name, shape }) => {
      if (shape.length < 2) return { name, values: new Float32Array(take(4 * (shape[0] ?? 1)).buffer) };
      const [rows, columns] = shape;
      const integers = new Int8Array(take(rows * columns).buffer);
      const scales = Float64Array.from(new Uint16Array(take(2 * rows).buffer), charrnn.float16);
      const levels = Math.min(32767, Math.floor(2147483647 / (LEVELS * columns))); // of a vector: no sum is too large
      return { name, rows, columns, integers, scales, levels, height: roundUp(rows, 4), width: roundUp(columns, 16) };
    });
    if (at !== bytes.length) throw new Error("This page is damaged: its weights have the wrong size.");
    return tensors;
  }

  // Copies a matrix to its place in the memory of the products, with zeros up to a full height and width.
  function fillMatrix(matrix, buffer) {
    const { rows, columns, integers, width } = matrix;
    const cells = new Int8Array(buffer, matrix.address, matrix.height * width);
    for (let row = 0; row < rows; row++) cells.set(integers.subarray(row * columns, (row + 1) * columns), row * width);
    matrix.integers = cells;
  }

  // The products in WebAssembly; null where that is not allowed.
  async function wasmProducts(size) {
    if (typeof WebAssembly === "undefined" || !charrnn.wasmBytes) return null;
    try {
      const memory = new WebAssembly.Memory({ initial: Math.ceil(size / PAGE) });
      const { instance } = await WebAssembly.instantiate(charrnn.wasmBytes, { page: { memory } });
      return { buffer: memory.buffer, multiply: instance.exports.products };
    } catch {
      return null;
    }
  }

  // The products in JavaScript, four rows at a time.
  function scriptProducts(size) {
    const buffer = new ArrayBuffer(roundUp(size, 16));
    const bytes = new Int8Array(buffer), vector = new Int16Array(buffer), sums = new Int32Array(buffer);
    function script(matrix, x, out, height, width) {
      for (let row = 0; row < height; row += 4) {
        const first = matrix + row * width, second = first + width, third = second + width, fourth = third + width;
        let a = 0, b = 0, c = 0, d = 0;
        for (let k = 0; k < width; k++) {
          const value = vector[x + k];
          a = (a + bytes[first + k] * value) | 0;
          b = (b + bytes[second + k] * value) | 0;
          c = (c + bytes[third + k] * value) | 0;
          d = (d + bytes[fourth + k] * value) | 0;
        }
        const to = (out >> 2) + row;
        sums[to] = a;
        sums[to + 1] = b;
        sums[to + 2] = c;
        sums[to + 3] = d;
      }
    }
    return { buffer, multiply: script };
  }

  // What a model knows after some tokens. It never changes. Its logits are computed when they are first read; before
  // the first token they are null.
  class State {
    constructor(model, parts, output) {
      for (const [name, layers] of Object.entries(parts)) this[name] = layers;
      Object.defineProperty(this, "prediction", { value: { model, output, logits: null } });
    }

    get logits() {
      const { model, output, logits } = this.prediction;
      if (logits || !output) return logits;
      return (this.prediction.logits = model.predict(output));
    }
  }

  class Model {
    constructor(header, tensors, products, usesWasm) {
      const config = header.config;
      this.header = header;
      this.usesWasm = usesWasm;
      this.vocabulary = new charrnn.Vocabulary(header);
      this.V = header.tokens.length;
      this.H = config.hidden;
      this.layers = config.layers;
      this.stateNames = config.states;
      this.step = STEPS[config.cell];
      if (!this.step) throw new Error(`This page cannot compute the cell ${config.cell}.`);
      this.products = products;
      this.embedding = config.embedding ? tensors.get("embedding.weight") : null;
      this.head = tensors.get(config.tie_weights ? "embedding.weight" : "head.weight");
      this.headBias = tensors.get("head.bias").values;
      this.scale = tensors.get("head.scale")?.values[0] ?? 1;
      this.cells = Array.from({ length: this.layers }, (_, k) => layer(tensors, k, config));
      this.norm = norm(tensors, this.layers);
      this.rows = new Array(this.V); // the products of tokens with the input weights, as far as they are known
      this.rowsLeft = Math.floor(LARGEST_TABLE / this.cells[0].ofState.rows);
      const gates = this.cells[0].ofState.rows;
      this.ofInput = new Float64Array(gates);
      this.ofState = new Float64Array(gates);
      this.sums = new Float64Array(this.V);
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
      let x = this.embedding || (this.cells[0].residual && this.H === this.V) ? this.input(id) : null;
      this.cells.forEach((cell, k) => {
        this.ofInput.set(k === 0 ? this.row(id) : this.inputProduct(cell, x));
        this.ofState.set(cell.stateBias);
        this.addProduct(cell.ofState, state.h[k], this.ofState);
        const old = this.stateNames.map((name) => state[name][k]);
        const held = (name) => clamps.filter((clamp) => clamp.layer === k && clamp.name === name);
        const next = this.step(this.ofInput, this.ofState, old, held);
        this.stateNames.forEach((name, n) => parts[name].push(next[n]));
        x = cell.residual ? sum(x, next[0]) : next[0];
      });
      return new State(this, parts, this.norm ? normalized(x, this.norm) : x);
    }

    // The logits of the next token from the output of the last layer.
    predict(output) {
      const sums = this.sums, logits = new Float32Array(this.V);
      sums.set(this.headBias);
      this.addProduct(this.head, output, sums);
      for (let k = 0; k < logits.length; k++) logits[k] = sums[k] * this.scale;
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
      else for (let k = 0; k < x.length; k++) x[k] = this.embedding.integers[id * this.embedding.width + k] * this.embedding.scales[id];
      return x;
    }

    // The product of a token with the weights of the first layer, with its bias.
    row(id) {
      if (this.rows[id]) return this.rows[id];
      const row = this.embedding ? this.inputProduct(this.cells[0], this.input(id)) : this.column(this.cells[0], id);
      if (this.rowsLeft-- > 0) this.rows[id] = row;
      return row;
    }

    column({ ofInput, inputBias }, id) {
      return inputBias.map((bias, k) => bias + ofInput.integers[k * ofInput.width + id] * ofInput.scales[k]);
    }

    inputProduct(cell, x) {
      const product = new Float64Array(cell.inputBias);
      this.addProduct(cell.ofInput, cell.norm ? normalized(x, cell.norm) : x, product);
      return product;
    }

    // Adds the product of a matrix and a vector of 32-bit numbers to `out`.
    addProduct(matrix, x, out) {
      const { vector, sums } = this.products, { levels, columns, width, scales, rows } = matrix;
      let largest = 0;
      for (let k = 0; k < columns; k++) {
        const size = Math.abs(x[k]);
        if (size > largest) largest = size;
      }
      if (largest === 0) return;
      const factor = levels / largest;
      for (let k = 0; k < columns; k++) vector[k] = ((x[k] * factor + 32768.5) | 0) - 32768; // rounds to an integer
      for (let k = columns; k < width; k++) vector[k] = 0;
      this.products.multiply(matrix);
      const scale = largest / levels;
      for (let k = 0; k < rows; k++) out[k] += sums[k] * (scale * scales[k]);
    }
  }

  function layer(tensors, k, config) {
    const get = (name) => tensors.get(`rnn.${name}_l${k}`);
    const ofInput = get("weight_ih");
    const inputBias = Float64Array.from(get("bias_ih").values), stateBias = Float64Array.from(get("bias_hh").values);
    return {
      ofInput, ofState: get("weight_hh"), norm: norm(tensors, k), inputBias, stateBias,
      residual: config.residual && ofInput.columns === config.hidden,
    };
  }

  function norm(tensors, k) {
    const weight = tensors.get(`rnn.norm_weight_l${k}`);
    return weight ? { weight: weight.values, bias: tensors.get(`rnn.norm_bias_l${k}`).values } : null;
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
  // A state that is held takes effect at once.
  const STEPS = {
    lstm(ofInput, ofState, [, oldC], held) {
      const H = oldC.length, h = new Float32Array(H), c = new Float32Array(H);
      for (let k = 0; k < H; k++) {
        const i = sigmoid(ofInput[k] + ofState[k]), f = sigmoid(ofInput[H + k] + ofState[H + k]);
        c[k] = f * oldC[k] + i * tanh(ofInput[2 * H + k] + ofState[2 * H + k]);
      }
      hold(c, held("c"));
      for (let k = 0; k < H; k++) h[k] = sigmoid(ofInput[3 * H + k] + ofState[3 * H + k]) * tanh(c[k]);
      return [hold(h, held("h")), c];
    },

    gru(ofInput, ofState, [oldH], held) {
      const H = oldH.length, h = new Float32Array(H);
      for (let k = 0; k < H; k++) {
        const r = sigmoid(ofInput[k] + ofState[k]), z = sigmoid(ofInput[H + k] + ofState[H + k]);
        h[k] = (1 - z) * tanh(ofInput[2 * H + k] + r * ofState[2 * H + k]) + z * oldH[k];
      }
      return [hold(h, held("h"))];
    },

    rnn(ofInput, ofState, [oldH], held) {
      const h = new Float32Array(oldH.length);
      for (let k = 0; k < h.length; k++) h[k] = tanh(ofInput[k] + ofState[k]);
      return [hold(h, held("h"))];
    },
  };
})((globalThis.charrnn ||= {}));
