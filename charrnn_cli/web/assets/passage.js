// A text that the model reads, continues and takes back: its tokens, how surprising they were, and some states.
"use strict";
(function (charrnn) {
  const DISTANCE = 64; // tokens between two states that are kept
  const MOST_STATES = 96; // then every other one of the older half is dropped
  const MOST_TOKENS = 200000; // then the older half becomes plain text
  const LONGEST_READING = 20000; // tokens of a pasted text that the model reads: the last ones
  const MOST_ENCODED = 50000; // characters of a typed or pasted text that become tokens and are shown: the last ones
  const MOST_UNDO = 100;
  const NEAR = 40; // characters between two tokens of a typed text, mostly spaces
  const TYPING = 1000; // milliseconds between two keys that are undone together

  class Passage {
    constructor(model) {
      this.model = model;
      this.before = ""; // the text of dropped tokens
      this.history = [];
      this.setTokens([], []);
      this.drawn = 0; // random numbers used
      this.fixed = 0; // tokens that do not follow from the seed
      this.fixedDrawn = 0; // random numbers used before them
      this.unknown = [];
      this.seed = 1;
      this.version = 0; // of the settings
    }

    get text() {
      return this.before + this.shown;
    }

    get shown() {
      return this.pieces.join("");
    }

    get isRead() {
      return this.count === this.ids.length;
    }

    setTokens(ids, pieces) {
      Object.assign(this, { ids, pieces, bits: ids.map(() => NaN), joiner: null });
      this.fromFirst = false; // whether the model read its first token before the text
      this.forget();
    }

    forget() {
      this.count = 0; // tokens that were read
      this.state = this.model.start();
      this.kept = [{ at: 0, state: this.state }];
    }

    // Reads tokens until the deadline; true if all are read.
    read(deadline) {
      if (this.ids.length - this.count > LONGEST_READING) {
        this.count = this.ids.length - LONGEST_READING;
        this.state = this.model.start();
        this.kept = [{ at: this.count, state: this.state }];
      }
      while (this.count < this.ids.length) {
        if (performance.now() > deadline) return false;
        this.readNext();
      }
      return true;
    }

    readNext() {
      const id = this.ids[this.count];
      if (id >= 0) {
        if (this.state.logits) this.bits[this.count] = charrnn.surprisal(this.state.logits, id);
        this.state = this.model.read(this.state, id);
      }
      this.count++;
      if (this.count % DISTANCE === 0) this.keep();
    }

    keep() {
      this.kept.push({ at: this.count, state: this.state });
      if (this.kept.length > MOST_STATES) {
        this.kept = this.kept.filter((_, k) => k === 0 || k >= MOST_STATES / 2 || k % 2 === 0);
      }
    }

    // What comes after all tokens. An empty text begins after the first token that the model knows.
    logits() {
      if (!this.state.logits) {
        this.fromFirst = true;
        this.restart();
        this.count = this.ids.length;
      }
      return this.state.logits;
    }

    firstState() {
      return this.model.firstIds().reduce((state, id) => this.model.read(state, id), this.model.start());
    }

    // The logits before a token; null before the first one of a text that was typed.
    expected(index) {
      if (index === this.count) return this.isRead ? this.logits() : null;
      let from = this.kept.filter((one) => one.at <= index).pop();
      if (!from) from = { at: Math.max(0, index - DISTANCE), state: this.model.start() };
      let state = from.state;
      for (let k = from.at; k < index; k++) if (this.ids[k] >= 0) state = this.model.read(state, this.ids[k]);
      return state.logits;
    }

    // Draws one token. `uniform` is the next random number.
    write(settings, uniform) {
      const logits = this.logits();
      const recent = this.ids.slice(-settings.repetitionWindow).filter((id) => id >= 0);
      this.drawn++;
      this.append(charrnn.draw(this.model, logits, settings, recent, uniform));
    }

    append(id) {
      if (!this.joiner) {
        this.joiner = this.model.joiner();
        for (const known of this.ids) if (known >= 0) this.joiner.add(known);
      }
      let piece = this.joiner.add(id);
      if (/^ ./.test(piece) && /\s$/.test(this.pieces[this.pieces.length - 1] || "")) piece = piece.slice(1);
      this.ids.push(id);
      this.pieces.push(piece);
      this.bits.push(NaN);
      this.readNext();
    }

    // Drops the tokens from `length` on.
    truncate(length) {
      for (const list of [this.ids, this.pieces, this.bits]) list.length = length;
      this.joiner = null;
      if (length >= this.count) return;
      this.kept = this.kept.filter((one) => one.at <= length);
      if (!this.kept.length) return this.forget();
      ({ at: this.count, state: this.state } = this.kept[this.kept.length - 1]);
    }

    // Remembers what undo() goes back to: the tokens from `length` on, and where the random numbers are.
    remember(length, kind) {
      const last = this.history[this.history.length - 1], time = performance.now();
      if (kind === "typing" && last?.kind === kind && time - last.time < TYPING && length >= last.length) return (last.time = time);
      const { drawn, fixed, fixedDrawn, fromFirst, unknown, seed, version, before } = this;
      const tail = [this.ids.slice(length), this.pieces.slice(length), this.bits.slice(length)];
      this.history.push({ length, tail, kind, time, marks: { drawn, fixed, fixedDrawn, fromFirst, unknown, seed, version, before } });
      let kept = this.history.reduce((sum, change) => sum + change.tail[0].length, 0);
      while (this.history.length > 1 && (this.history.length > MOST_UNDO || kept > MOST_TOKENS)) kept -= this.history.shift().tail[0].length;
    }

    // Takes the last change back and gives the place of the first changed token; null if there is none.
    undo() {
      const change = this.history.pop(), { version } = this;
      if (!change) return null;
      this.truncate(change.length);
      const [ids, pieces, bits] = change.tail;
      for (let k = 0; k < ids.length; k++) this.ids.push(ids[k]), this.pieces.push(pieces[k]), this.bits.push(bits[k]);
      Object.assign(this, change.marks, { version });
      if (change.marks.version !== version) this.fix(); // it was written with other settings
      if (change.length === 0) this.restart();
      return change.length;
    }

    restart() {
      this.forget();
      if (!this.fromFirst) return;
      this.state = this.firstState();
      this.kept = [{ at: 0, state: this.state }];
    }

    // All tokens are fixed from now on: they do not follow from the seed.
    fix() {
      this.fixed = this.ids.length;
      this.fixedDrawn = this.drawn;
    }

    // Replaces the shown text, and gives the place of the first changed token.
    setText(text, kind) {
      const cut = Math.max(0, text.length - MOST_ENCODED), head = text.slice(0, cut);
      text = text.slice(cut);
      const { ids, pieces, unknown } = tokensOf(this.model, text);
      let same = 0;
      while (!head && same < ids.length && ids[same] === this.ids[same] && pieces[same] === this.pieces[same]) same++;
      this.remember(same, kind);
      this.before += head;
      this.truncate(same);
      for (let k = same; k < ids.length; k++) this.ids.push(ids[k]), this.pieces.push(pieces[k]), this.bits.push(NaN);
      this.unknown = unknown;
      if (same === 0) {
        this.fromFirst = false;
        this.restart();
      }
      this.fix();
      return same;
    }

    // Begins with a text from a link, where some random numbers were used before.
    begin({ text, ids, drawn, fromFirst }) {
      const known = tokensOf(this.model, text);
      this.unknown = known.unknown;
      if (ids?.length) known.pieces = align(text, textsOf(this.model, ids));
      this.setTokens(ids?.length ? ids : known.ids, known.pieces);
      this.before = "";
      this.history = [];
      this.fromFirst = fromFirst;
      this.restart();
      this.drawn = drawn;
      this.fix();
    }

    // Puts a token in the place of another one and drops what followed.
    branch(index, id) {
      this.remember(index, "branch");
      this.truncate(index);
      if (index === 0) this.logits();
      this.read(Infinity);
      this.append(id);
      this.fix();
    }

    // Makes room: gives true if the older half of the tokens became plain text.
    shorten() {
      if (this.ids.length <= MOST_TOKENS) return false;
      const cut = this.kept.find((one) => one.at >= MOST_TOKENS / 2)?.at ?? this.count;
      this.before += this.pieces.slice(0, cut).join("");
      for (const list of [this.ids, this.pieces, this.bits]) list.splice(0, cut);
      this.kept = this.kept.filter((one) => one.at >= cut).map((one) => ({ at: one.at - cut, state: one.state }));
      if (!this.kept.length) this.kept = [{ at: this.count - cut, state: this.state }];
      this.count -= cut;
      this.history = [];
      this.fix();
      return true;
    }
  }

  // A text as tokens, each with its piece of the text. Unknown tokens have the id -1; the model skips them.
  function tokensOf(model, text) {
    const encoded = model.encode(text, { unknown: "skip" });
    const unknownAt = new Map(encoded.unknown.map((one) => [one.position, one.text]));
    const joiner = model.joiner(), ids = [], texts = [];
    let next = 0;
    for (let position = 0; next < encoded.ids.length || unknownAt.has(position); position++) {
      const isKnown = !unknownAt.has(position), id = isKnown ? encoded.ids[next++] : -1;
      ids.push(id);
      texts.push(isKnown ? joiner.add(id) : unknownAt.get(position));
    }
    if (!ids.length && text) return { ids: [-1], pieces: [text], unknown: encoded.unknown };
    return { ids, pieces: align(text, texts), unknown: encoded.unknown };
  }

  function textsOf(model, ids) {
    const joiner = model.joiner();
    return ids.map((id) => (id >= 0 ? joiner.add(id) : ""));
  }

  // Cuts a text into pieces, so that each has the text of its token and the spaces before it.
  function align(text, texts) {
    const pieces = [];
    let at = 0;
    for (const part of texts) {
      const wanted = part.trimStart() || part;
      const place = wanted ? find(text, wanted, at) : -1;
      pieces.push(place < 0 ? "" : text.slice(at, place + wanted.length));
      if (place >= 0) at = place + wanted.length;
    }
    if (pieces.length) pieces[pieces.length - 1] += text.slice(at);
    return pieces;
  }

  function find(text, wanted, at) {
    if (text.startsWith(wanted, at)) return at;
    const place = text.slice(at, at + NEAR + wanted.length).toLowerCase().indexOf(wanted.toLowerCase());
    return place < 0 ? -1 : at + place;
  }

  charrnn.Passage = Passage;
})((globalThis.charrnn ||= {}));
