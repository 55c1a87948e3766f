// One text with its seed, its box and its notes.
"use strict";
(function (charrnn) {
  const { element } = charrnn;
  const MOST_NAMED = 5; // unknown tokens that a note names
  const LARGEST_SEED = 2 ** 32 - 1;

  class Pane {
    constructor(view, number, seed) {
      Object.assign(this, { view, number, left: 0, isWriting: false, pace: 0, caret: null });
      this.passage = new charrnn.Passage(view.app.model);
      this.seed = seed;
      this.editor = new charrnn.Editor(this.passage, `Text ${number}`, { change: (text) => this.typed(text), undo: () => view.undo(this) });
      this.seedField = element("input", {
        type: "number", min: 0, max: LARGEST_SEED, step: 1, id: `seed-${number}`, value: String(seed), on: { input: () => this.newSeed(this.seedField.value) },
      });
      this.count = element("span", { class: "quiet count" });
      this.note = element("div", { class: "note", hidden: true, role: "group", "aria-label": "Unknown characters" });
      this.root = element("article", { class: "pane", "aria-label": `Text ${number}` }, this.editor.root, this.note,
        element("div", { class: "pane-foot" },
          element("label", { class: "seed quiet", for: this.seedField.id }, "Seed ", this.seedField),
          element("button", { type: "button", class: "plain", text: "new seed", "aria-label": `New seed for text ${number}`, on: { click: () => this.otherSeed() } }),
          this.count));
      this.editor.render(0);
      this.useSeed();
    }

    get seed() {
      return this.passage.seed;
    }

    set seed(seed) {
      this.passage.seed = seed;
    }

    // The random numbers from where the text is.
    useSeed() {
      this.uniform = charrnn.uniforms(this.seed);
      for (let k = 0; k < this.passage.drawn; k++) this.uniform();
    }

    newSeed(text) {
      const seed = Number(text), isRight = text.trim() !== "" && Number.isInteger(seed) && seed >= 0 && seed <= LARGEST_SEED;
      this.seedField.setAttribute("aria-invalid", String(!isRight));
      if (!isRight) return;
      this.seed = seed;
      this.passage.drawn = 0;
      this.passage.fix();
      this.useSeed();
    }

    otherSeed() {
      this.seedField.value = String(Math.floor(Math.random() * 1e6));
      this.newSeed(this.seedField.value);
      this.view.app.announce(`Seed ${this.seed}.`);
    }

    typed(text) {
      this.view.pause(this);
      this.wasWriting = false;
      const first = this.passage.setText(text, "typing");
      this.caret = null;
      this.view.wake();
      this.showUnknown();
      return first;
    }

    // Opens what a link says and then writes as many tokens as it had.
    open(saved) {
      this.seed = saved.seed;
      this.seedField.value = String(saved.seed);
      this.passage.begin(saved);
      this.useSeed();
      this.editor.render(0);
      this.showUnknown();
      this.caret = null;
      if (saved.count) this.start(saved.count);
    }

    // What a link needs to write this text again.
    saved() {
      const { passage, seed } = this, { fixed } = passage;
      if (passage.before) return { text: passage.text.slice(-charrnn.LONGEST_LINK), ids: [], seed, drawn: 0, count: 0, fromFirst: false, isWhole: false };
      const text = passage.pieces.slice(0, fixed).join("");
      const isWhole = text.length <= charrnn.LONGEST_LINK;
      if (!isWhole) return { text: passage.text.slice(-charrnn.LONGEST_LINK), ids: [], seed, drawn: 0, count: 0, fromFirst: false, isWhole };
      return { text, ids: passage.ids.slice(0, fixed), seed, drawn: passage.fixedDrawn, count: passage.ids.length - fixed, fromFirst: fixed > 0 && passage.fromFirst, isWhole };
    }

    // Begins to write where the cursor is. What is behind the cursor goes away; undo brings it back.
    start(length) {
      this.cut();
      this.left = length || Infinity;
      this.isWriting = this.wasWriting = true;
      this.pace = 0;
    }

    cut() {
      const { passage, editor, caret } = this, shown = passage.shown;
      this.caret = null;
      if (caret === null || caret >= shown.length) return passage.remember(passage.ids.length, "writing");
      const before = passage.ids.length;
      editor.render(passage.setText(shown.slice(0, caret), "writing"));
      const removed = charrnn.counted(before - passage.ids.length, "token");
      this.view.app.announce(`Writing from the cursor. The text after it (${removed}) was removed; undo brings it back.`);
    }

    // Writes until the deadline, at most `count` tokens. An unread text is read first. True if there is more to do.
    work(deadline, count) {
      const { passage, view } = this, from = passage.count;
      if (!passage.isRead) {
        const isRead = passage.read(deadline);
        this.editor.tint(Math.min(from, passage.count), passage.count);
        if (!isRead) return true;
      }
      while (this.isWriting && this.left > 0 && count-- > 0 && performance.now() < deadline) {
        passage.write(view.settings.values, this.uniform());
        this.left--;
      }
      if (this.left <= 0) this.isWriting = false;
      return this.isWriting;
    }

    show() {
      if (this.passage.shorten()) this.editor.render(0);
      const box = this.editor.root, isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
      if (this.editor.shown < this.passage.ids.length) {
        this.editor.grow();
        if (isAtEnd) box.scrollTop = box.scrollHeight;
      }
      const length = this.passage.before.length + this.passage.ids.length;
      if (this.length !== length) this.count.textContent = charrnn.counted((this.length = length), "token");
    }

    // The cursor, if it is here, goes behind what was written.
    toEnd() {
      if (document.activeElement === this.editor.root) this.editor.cursor = this.passage.shown.length;
    }

    showUnknown() {
      const { unknown } = this.passage;
      this.note.hidden = !unknown.length;
      if (!unknown.length) return;
      const closest = new Map(unknown.map((one) => [one.text, one.closest]));
      const named = [...closest].slice(0, MOST_NAMED).map(([text, known]) =>
        `“${charrnn.visibleText(text.slice(0, 40))}”${known ? ` (closest known: “${known}”)` : ""}`);
      const more = closest.size > MOST_NAMED ? ` and ${charrnn.wholeNumber(closest.size - MOST_NAMED)} more` : "";
      const message = `The model does not know ${named.join(", ")}${more}. It skips what it does not know.`;
      const button = (text, mode) => element("button", { type: "button", class: "button", text, on: { click: () => this.replaceUnknown(mode) } });
      this.note.replaceChildren(element("p", { text: message }), button("Use the closest", "replace"), button("Leave out", "skip"));
      if (this.message !== message) this.view.app.announce(message);
      this.message = message;
    }

    replaceUnknown(mode) {
      const { model } = this.view.app;
      this.editor.render(this.passage.setText(model.decode(model.encode(this.passage.shown, { unknown: mode }).ids), "edit"));
      this.showUnknown();
      this.view.wake();
      this.editor.root.focus();
    }
  }

  charrnn.Pane = Pane;
})((globalThis.charrnn ||= {}));
