// Reads a text in slices, so that the page stays alive: how surprising each token was, and states to come back to.
"use strict";
(function (charrnn) {
  const SLICE = 30; // milliseconds of work between two pauses
  const MOST_KEPT = 500; // states that are kept of one text

  charrnn.pause = () => new Promise((resolve) => setTimeout(resolve));

  // A clock for loops: `await slice()` pauses if the slice is over.
  charrnn.slices = function () {
    let end = performance.now() + SLICE;
    return async function (report) {
      if (performance.now() < end) return;
      if (report) report();
      await charrnn.pause();
      end = performance.now() + SLICE;
    };
  };

  // The ids of a text for scoring, as `charrnn evaluate` reads it; how often it has which unknown tokens; and those that
  // the model reads as <unk>, by their place.
  charrnn.scorable = function (model, text) {
    const { ids, unknown: replacement } = model.vocabulary, known = [], unknown = new Map(), replaced = new Map();
    for (const token of model.vocabulary.tokensOf(text)) {
      const id = ids.get(token);
      if (id === undefined) {
        unknown.set(token, (unknown.get(token) || 0) + 1);
        if (replacement === null) continue;
        replaced.set(known.length, token);
      }
      known.push(id ?? replacement);
    }
    return { ids: known, unknown, replaced };
  };

  // What each token adds to the text.
  charrnn.pieces = function (model, ids, replaced) {
    const joiner = model.joiner(), pieces = Array.from(ids, (id) => joiner.add(id));
    for (const [place, token] of replaced) if (place < pieces.length) pieces[place] = pieces[place].replace(/<unk>|\ufffd/, () => token);
    if (pieces.length) pieces[pieces.length - 1] += joiner.end();
    return pieces;
  };

  charrnn.characters = (text) => Array.from(text).length;

  class Reading {
    constructor(model, ids) {
      this.model = model;
      this.ids = ids;
      this.count = 0; // tokens that were read
      this.total = 0; // bits
      this.bits = new Float32Array(ids.length).fill(NaN); // the first token is not predicted
      this.distance = Math.max(64, Math.ceil(ids.length / MOST_KEPT));
      this.kept = [model.start()];
      this.state = this.kept[0];
    }

    // Reads on until the end, or until `stopped()`. visit(index, state before, state after, bits) sees every token.
    async run({ stopped = () => false, progress = () => {}, visit = () => {} }) {
      const slice = charrnn.slices();
      while (this.count < this.ids.length && !stopped()) {
        const index = this.count, id = this.ids[index], before = this.state;
        if (index > 0) this.total += this.bits[index] = charrnn.surprisal(before.logits, id);
        this.state = this.model.read(before, id);
        this.count++;
        if (this.count % this.distance === 0) this.kept.push(this.state);
        visit(index, before, this.state, this.bits[index]);
        await slice(() => progress(this.count / this.ids.length));
      }
      progress(this.count / Math.max(1, this.ids.length));
    }

    // The state after the first `count` tokens.
    stateAfter(count) {
      const place = Math.min(Math.floor(count / this.distance), this.kept.length - 1);
      let state = this.kept[place];
      for (let index = place * this.distance; index < count; index++) state = this.model.read(state, this.ids[index]);
      return state;
    }

    // What the model expected in the place of a token.
    expected(index, n) {
      return index > 0 ? charrnn.alternatives(this.stateAfter(index).logits, n) : [];
    }
  }

  charrnn.Reading = Reading;
})((globalThis.charrnn ||= {}));
