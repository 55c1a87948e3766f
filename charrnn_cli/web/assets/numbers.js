// Functions of numbers that give the same result in every browser: sums, products and quotients of 64-bit numbers only.
"use strict";
(function (charrnn) {
  const LN2_HIGH = 0.6931471803691238; // the first bits of log 2, so that n times it is exact
  const LN2_LOW = 1.9082149292705877e-10;
  const LOG2_E = 1.4426950408889634;
  const SQRT_HALF = 0.7071067811865476;

  // 2 to the powers from -1022 to 1023.
  const POWERS = new Float64Array(2046);
  POWERS[1022] = 1;
  for (let n = 1; n <= 1023; n++) POWERS[1022 + n] = POWERS[1021 + n] * 2;
  for (let n = 1; n <= 1022; n++) POWERS[1022 - n] = POWERS[1023 - n] / 2;

  // e to the power of x; 0 where that is too small for a normal number.
  charrnn.exp = function (x) {
    if (!(x > -708)) return x === x ? 0 : NaN;
    if (x > 709) return Infinity;
    const n = Math.floor(x * LOG2_E + 0.5);
    const r = x - n * LN2_HIGH - n * LN2_LOW; // from -0.35 to 0.35
    const high = r * (C8 + r * (C9 + r * (C10 + r * (C11 + r * (C12 + r * C13)))));
    return (1 + r * (1 + r * (0.5 + r * (C3 + r * (C4 + r * (C5 + r * (C6 + r * (C7 + high)))))))) * POWERS[1022 + n];
  };
  const [C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13] = inverseFactorials(3, 13);

  function inverseFactorials(first, last) {
    const inverses = [];
    for (let k = 1, product = 1; k <= last; k++) {
      product *= k;
      if (k >= first) inverses.push(1 / product);
    }
    return inverses;
  }

  // The natural logarithm of a positive number.
  charrnn.log = function (x) {
    if (!(x > 0)) return x === 0 ? -Infinity : NaN;
    if (x === Infinity) return x;
    let n = 0;
    while (x >= 2) (x /= 2), n++;
    while (x < SQRT_HALF) (x *= 2), n--;
    if (x > 2 * SQRT_HALF) (x /= 2), n++;
    const s = (x - 1) / (x + 1);
    let sum = 0;
    for (let k = 23; k >= 1; k -= 2) sum = sum * s * s + 1 / k;
    return n * LN2_LOW + 2 * s * sum + n * LN2_HIGH;
  };

  // The hyperbolic tangent, as a quotient of polynomials with an error of at most 3e-7 (from Eigen).
  charrnn.tanh = function (x) {
    x = x > 7.9 ? 7.9 : x < -7.9 ? -7.9 : x;
    const y = x * x;
    const p =
      x * (4.89352455891786e-3 + y * (6.37261928875436e-4 + y * (1.48572235717979e-5 + y * (5.12229709037114e-8 +
        y * (-8.60467152213735e-11 + y * (2.00018790482477e-13 + y * -2.76076847742355e-16))))));
    return p / (4.89352518554385e-3 + y * (2.2684346324390e-3 + y * (1.18534705686654e-4 + y * 1.19825839466702e-6)));
  };

  charrnn.sigmoid = function (x) {
    return 0.5 + 0.5 * charrnn.tanh(0.5 * x);
  };

  // The number with the 16 bits of a float16.
  charrnn.float16 = function (bits) {
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const size = exponent === 0 ? fraction * 2 ** -24
      : exponent === 31 ? (fraction ? NaN : Infinity) : (1024 + fraction) * 2 ** (exponent - 25);
    return bits & 0x8000 ? -size : size;
  };

  // A generator of uniform numbers in [0, 1) with 53 bits: sfc32 by Chris Doty-Humphrey.
  charrnn.uniforms = function (seed) {
    const number = Math.floor(Math.abs(Number(seed))) || 0;
    let a = number | 0, b = (number / 4294967296) | 0, c = 0x9e3779b9 | 0, counter = 1;
    function bits() {
      const t = (((a + b) | 0) + counter) | 0;
      counter = (counter + 1) | 0;
      a = b ^ (b >>> 9);
      b = (c + (c << 3)) | 0;
      c = (c << 21) | (c >>> 11);
      c = (c + t) | 0;
      return t >>> 0;
    }
    for (let k = 0; k < 15; k++) bits();
    return () => ((bits() >>> 5) * 67108864 + (bits() >>> 6)) / 9007199254740992;
  };
})((globalThis.charrnn ||= {}));
