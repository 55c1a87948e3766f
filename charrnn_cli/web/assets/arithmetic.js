// The arithmetic of the network: products of matrices and vectors, and tanh, in WebAssembly or in JavaScript.
//
// A product of a matrix and a vector is a sum of integers: the weights have 127 levels, and the vector as many as 32 bits
// can sum. All other numbers are 64-bit, in a fixed order. So the results are the same in every browser.
"use strict";
(function (charrnn) {
  const { tanh } = charrnn;
  const LEVELS = 127, PAGE = 65536;
  const ROWS = 16; // of a matrix that are multiplied at once

  const roundUp = (number, step) => Math.ceil(number / step) * step;

  // Where an integer of a matrix is: charrnn_cli/web/packing.py has the order.
  const place = (width, row, column) =>
    (row - (row % ROWS)) * width + (column >> 1) * 2 * ROWS + (row % ROWS) * 2 + (column & 1);

  // A matrix of 8-bit integers with a scale and a bias for each row.
  charrnn.Matrix = class {
    constructor(rows, columns) {
      Object.assign(this, { rows, columns, height: roundUp(rows, ROWS), width: roundUp(columns, 2) });
      this.levels = Math.min(32767, Math.floor(2147483647 / (LEVELS * columns))); // of a vector: no sum is too large
    }

    get size() {
      return this.height * (this.width + 16);
    }

    // Moves to an address of a memory.
    moveTo(buffer, address) {
      const { integers, scales, height, width } = this, end = address + height * width;
      this.integers = new Int8Array(buffer, address, height * width);
      this.scales = new Float64Array(buffer, end, height);
      this.biases = new Float64Array(buffer, end + 8 * height, height);
      this.integers.set(integers);
      this.scales.set(scales);
    }

    at(row, column) {
      return this.integers[place(this.width, row, column)] * this.scales[row];
    }
  };

  // Computes with matrices, and with two vectors: the products of input and state with their weights.
  charrnn.Arithmetic = class {
    static async open(matrices, isWasmAllowed) {
      const highest = Math.max(...matrices.map((one) => one.height)), widest = Math.max(...matrices.map((one) => one.width));
      const size = matrices.reduce((sum, one) => sum + one.size, 20 * highest + 2 * widest);
      const wasm = isWasmAllowed ? await inWasm(size) : null;
      return new this(matrices, highest, wasm || inScript(size), wasm !== null);
    }

    constructor(matrices, highest, { buffer, functions }, usesWasm) {
      Object.assign(this, { functions, usesWasm });
      this.ofInput = new Float64Array(buffer, 0, highest);
      this.ofState = new Float64Array(buffer, 8 * highest, highest);
      this.sums = 16 * highest; // the address of the last product
      this.vector = matrices.reduce((address, one) => (one.moveTo(buffer, address), address + one.size), 20 * highest);
      this.levels = new Int16Array(buffer, this.vector); // of the last vector
    }

    // The product of a matrix and a vector of 32-bit numbers, plus the biases. It is written to `out`, one of the vectors here.
    product(matrix, x, out) {
      const { levels, functions, sums } = this, { columns, width, height } = matrix;
      let largest = 0;
      for (let k = 0; k < columns; k++) {
        const size = Math.abs(x[k]);
        if (size > largest) largest = size;
      }
      const factor = matrix.levels / (largest || 1);
      for (let k = 0; k < columns; k++) levels[k] = ((x[k] * factor + 32768.5) | 0) - 32768; // rounds to an integer
      if (columns < width) levels[columns] = 0;
      functions.product(matrix.integers.byteOffset, this.vector, sums, height, width);
      functions.scale(sums, matrix.scales.byteOffset, largest / matrix.levels, out.byteOffset, height);
    }

    // Replaces numbers of `ofState` by the tanh of their sum with those of `ofInput`. If `count` is odd, the number after
    // them may change too.
    tanhOfSum(first, count) {
      this.functions.tanh(this.ofInput.byteOffset + 8 * first, this.ofState.byteOffset + 8 * first, count);
    }
  };

  // The functions of arithmetic.wat; null where WebAssembly is not allowed.
  async function inWasm(size) {
    if (typeof WebAssembly === "undefined" || !charrnn.wasmBytes) return null;
    try {
      const memory = new WebAssembly.Memory({ initial: Math.ceil(size / PAGE) });
      const { instance } = await WebAssembly.instantiate(charrnn.wasmBytes, { page: { memory } });
      return { buffer: memory.buffer, functions: instance.exports };
    } catch {
      return null;
    }
  }

  // The same functions in JavaScript. They take addresses, too.
  function inScript(size) {
    const buffer = new ArrayBuffer(roundUp(size, 8));
    const bytes = new Int8Array(buffer), levels = new Int16Array(buffer), integers = new Int32Array(buffer), numbers = new Float64Array(buffer);
    function product(matrix, vector, sums, height, width) {
      for (let row = 0; row < height; row += 4) {
        let a = 0, b = 0, c = 0, d = 0, at = matrix + place(width, row, 0);
        for (let k = vector >> 1; k < (vector >> 1) + width; k += 2, at += 2 * ROWS) {
          const x = levels[k], y = levels[k + 1];
          a = (a + bytes[at] * x + bytes[at + 1] * y) | 0;
          b = (b + bytes[at + 2] * x + bytes[at + 3] * y) | 0;
          c = (c + bytes[at + 4] * x + bytes[at + 5] * y) | 0;
          d = (d + bytes[at + 6] * x + bytes[at + 7] * y) | 0;
        }
        integers.set([a, b, c, d], (sums >> 2) + row);
      }
    }
    function scale(sums, scales, scale, out, count) {
      for (let k = 0; k < count; k++) {
        numbers[(out >> 3) + k] = numbers[(scales >> 3) + count + k] + integers[(sums >> 2) + k] * (scale * numbers[(scales >> 3) + k]);
      }
    }
    function tanhOfSum(first, second, count) {
      for (let k = 0; k < count; k++) numbers[(second >> 3) + k] = tanh(numbers[(first >> 3) + k] + numbers[(second >> 3) + k]);
    }
    return { buffer, functions: { product, scale, tanh: tanhOfSum } };
  }
})((globalThis.charrnn ||= {}));
