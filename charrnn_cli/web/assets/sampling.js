// From logits to the next token: filters one after the other, then one draw, as charrnn_cli/generation/sampling.py.
"use strict";
(function (charrnn) {
  const { exp, log } = charrnn;

  charrnn.DEFAULT_SETTINGS = Object.freeze({
    temperature: 0.8, topN: 0, topP: 0.9, minP: 0, repetitionPenalty: 1, repetitionWindow: 64,
    ban: [], allowOnly: [], allowUnknown: false,
  });

  // The probabilities of all tokens.
  charrnn.probabilities = function (logits) {
    const weights = new Float64Array(logits.length), largest = maximum(logits);
    let total = 0;
    for (let k = 0; k < logits.length; k++) total += weights[k] = exp(logits[k] - largest);
    for (let k = 0; k < logits.length; k++) weights[k] /= total;
    return weights;
  };

  // How unexpected a token is, in bits.
  charrnn.surprisal = function (logits, id) {
    const largest = maximum(logits);
    let total = 0;
    for (let k = 0; k < logits.length; k++) total += exp(logits[k] - largest);
    return Math.max(0, (log(total) + largest - logits[id]) / Math.LN2);
  };

  // The n likeliest tokens with their probabilities; of equal ones, those with the lower ids.
  charrnn.alternatives = function (logits, n) {
    const shares = charrnn.probabilities(logits);
    return likeliest(logits, n).map((id) => ({ id, probability: shares[id] }));
  };

  // The logits that the filters leave, the largest of them 0. `recentIds` are the last tokens of the text.
  charrnn.filtered = function (model, logits, settings, recentIds) {
    const s = { ...charrnn.DEFAULT_SETTINGS, ...settings };
    let left = Float64Array.from(logits);
    const allowed = allowedTokens(model, s);
    if (allowed) for (let k = 0; k < left.length; k++) if (!allowed[k]) left[k] = -Infinity;
    if (s.repetitionPenalty !== 1) penalize(left, recentIds.slice(-s.repetitionWindow), s.repetitionPenalty);
    if (s.temperature === 0) keep(left, likeliest(left, 1));
    temper(left, s.temperature || 1);
    if (s.temperature === 0) return left;
    if (s.topN > 0 && s.topN < left.length) keep(left, likeliest(left, s.topN));
    if (s.topP < 1) topP(left, s.topP);
    if (s.minP > 0) {
      const border = maximum(left) + log(s.minP);
      for (let k = 0; k < left.length; k++) if (!(left[k] >= border)) left[k] = -Infinity;
    }
    return left;
  };

  // Draws the next token with a uniform number in [0, 1).
  charrnn.draw = function (model, logits, settings, recentIds, uniform) {
    const left = charrnn.filtered(model, logits, settings, recentIds || []);
    const cumulative = left; // its place is taken over
    let total = 0;
    for (let k = 0; k < left.length; k++) cumulative[k] = total += exp(left[k]);
    if (!(total > 0)) throw new Error("The model produced NaN or infinite numbers; its weights may be corrupt.");
    const target = uniform * total;
    for (let k = 0; k < cumulative.length; k++) if (cumulative[k] > target || cumulative[k] === total) return k;
    return cumulative.length - 1;
  };

  function maximum(logits) {
    let largest = -Infinity;
    for (let k = 0; k < logits.length; k++) if (!(logits[k] <= largest)) largest = logits[k];
    return largest;
  }

  // Which tokens may be drawn; null: all.
  function allowedTokens(model, settings) {
    const { ban, allowOnly, allowUnknown } = settings, vocabulary = model.vocabulary;
    const hidesUnknown = vocabulary.unknown !== null && !allowUnknown;
    if (!ban.length && !allowOnly.length && !hidesUnknown) return null;
    const key = JSON.stringify([ban, allowOnly, hidesUnknown]);
    if (model.allowedKey === key) return model.allowed;
    const allowed = new Uint8Array(model.V).fill(allowOnly.length ? 0 : 1);
    for (const id of writtenWith(vocabulary, allowOnly)) allowed[id] = 1;
    for (const id of containing(vocabulary, ban)) allowed[id] = 0;
    if (hidesUnknown) allowed[vocabulary.unknown] = 0;
    if (!allowed.includes(1)) throw new Error("No token is left to write. Ban fewer tokens, or allow more.");
    model.allowedKey = key;
    return (model.allowed = allowed);
  }

  // The ids of the tokens of some texts; of subwords, all that have no other characters than the texts.
  function writtenWith(vocabulary, texts) {
    if (vocabulary.level !== "subword") return knownIds(vocabulary, texts);
    const characters = new Set(Array.from([texts].flat().join("")));
    return subwordIds(vocabulary, (subword) => Array.from(subword).every((character) => characters.has(character)));
  }

  // The ids of the tokens of some texts; of subwords, all that contain one of the texts.
  function containing(vocabulary, texts) {
    if (vocabulary.level !== "subword") return knownIds(vocabulary, texts);
    return subwordIds(vocabulary, (subword) => [texts].flat().some((text) => subword.includes(text)));
  }

  function subwordIds(vocabulary, test) {
    const isText = (id) => id !== vocabulary.unknown && id !== vocabulary.end;
    return Array.from(vocabulary.tokens.keys()).filter((id) => isText(id) && test(vocabulary.tokens[id]));
  }

  function knownIds(vocabulary, texts) {
    const isGap = (token) => vocabulary.level === "word" && /^\|\|(?:NoSpace|Space|\d+Spaces)\|\|$/.test(token);
    const tokens = [texts].flat().flatMap((text) => vocabulary.split(text)).filter((token) => !isGap(token));
    return tokens.map((token) => vocabulary.ids.get(token)).filter((id) => id !== undefined);
  }

  // Divides positive logits of recent tokens by the penalty and multiplies negative ones.
  function penalize(logits, recentIds, penalty) {
    for (const id of new Set(recentIds)) logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
  }

  // Divides by the temperature after shifting the largest logit to 0.
  function temper(logits, temperature) {
    const largest = maximum(logits);
    for (let k = 0; k < logits.length; k++) logits[k] = (logits[k] - largest) / temperature;
  }

  // Leaves only the tokens with these ids.
  function keep(logits, ids) {
    const kept = ids.map((id) => logits[id]);
    logits.fill(-Infinity);
    ids.forEach((id, k) => (logits[id] = kept[k]));
  }

  // The ids of the n largest logits, the largest first; of equal ones, the lower ids first. Only logits within a distance
  // of the largest are sorted; it grows until they are enough.
  function likeliest(logits, n) {
    const largest = maximum(logits), enough = Math.min(n, logits.length);
    for (let distance = n > 1 ? 4 : 0; ; distance = distance < 1e4 ? 2 * distance : Infinity) {
      const near = within(logits, largest - distance);
      if (near.length >= enough) return ordered(logits, near).slice(0, n);
    }
  }

  // The ids of the logits that are not below a border.
  function within(logits, border) {
    const ids = [];
    for (let k = 0; k < logits.length; k++) if (logits[k] >= border) ids.push(k);
    return ids;
  }

  function ordered(logits, ids) {
    return ids.sort((a, b) => logits[b] - logits[a] || a - b);
  }

  // Leaves the smallest set of likeliest tokens with a total probability of at least p.
  function topP(logits, p) {
    const shares = charrnn.probabilities(logits);
    for (let distance = 4; ; distance *= 2) {
      const ids = ordered(logits, within(logits, -distance));
      let sum = 0, n = 0;
      while (n < ids.length && sum < p) sum += shares[ids[n++]];
      if (sum >= p || distance > 1e4) return keep(logits, ids.slice(0, n));
    }
  }
})((globalThis.charrnn ||= {}));
