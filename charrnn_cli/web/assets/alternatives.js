// The box with the likeliest tokens of one place. Choosing one branches there.
"use strict";
(function (charrnn) {
  const { element } = charrnn;
  const SHOWN = 10;
  const OPEN_DELAY = 120, CLOSE_DELAY = 350; // milliseconds, so that the mouse can go from the token to the box

  class Alternatives {
    // `choose(pane, index, id)` is called when the user takes a token.
    constructor(app, choose) {
      this.app = app;
      this.choose = choose;
      this.list = element("ol", { class: "choices" });
      this.title = element("p", { class: "quiet", id: "choices-title" });
      this.root = element("div", { class: "alternatives", role: "group", "aria-labelledby": "choices-title", hidden: true }, this.title, this.list);
      this.root.addEventListener("mouseenter", () => clearTimeout(this.timer));
      this.root.addEventListener("mouseleave", () => this.closeSoon());
      this.root.addEventListener("keydown", (event) => this.key(event));
      document.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
    }

    openSoon(pane, index) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.open(pane, index), OPEN_DELAY);
    }

    closeSoon() {
      clearTimeout(this.timer);
      if (!this.root.contains(document.activeElement)) this.timer = setTimeout(() => this.close(), CLOSE_DELAY);
    }

    // Shows what the model expected at a token, or after the last one.
    open(pane, index) {
      clearTimeout(this.timer);
      const { model } = this.app, { passage } = pane;
      const logits = index <= passage.ids.length && index <= passage.count ? passage.expected(index) : null;
      if (!logits) return this.close();
      const found = charrnn.alternatives(logits, SHOWN), there = passage.ids[index], bits = passage.bits[index];
      const name = index < passage.ids.length ? `Here: ${charrnn.visibleText(model.tokenText(there))}, ${bits.toFixed(1)} bits. ` : "";
      this.title.textContent = `${name}${index < passage.ids.length ? "The likeliest:" : "What may come next:"}`;
      this.list.replaceChildren(...found.map((one) => element("li", null, this.button(pane, index, one, one.id === there))));
      this.from = pane;
      this.root.hidden = false;
      this.place(pane, index);
    }

    button(pane, index, { id, probability }, isThere) {
      const percent = `${(100 * probability).toFixed(probability < 0.1 ? 1 : 0)} %`;
      const bar = element("span", { class: "bar", "aria-hidden": "true" });
      bar.style.setProperty("--share", probability.toFixed(4));
      return element("button", {
        type: "button", class: "choice", "aria-current": isThere ? "true" : undefined,
        on: { click: () => (this.close(), this.choose(pane, index, id)) },
      }, element("span", { class: "choice-text", text: charrnn.visibleText(this.app.model.tokenText(id)) }), bar, element("span", { class: "share", text: percent }));
    }

    // Puts the box below its token, inside the window.
    place(pane, index) {
      const box = (pane.editor.spanOf(index) || pane.editor.spanOf(index - 1) || pane.editor.root).getBoundingClientRect();
      const width = this.root.offsetWidth, height = this.root.offsetHeight;
      const left = Math.max(8, Math.min(box.left, document.documentElement.clientWidth - width - 8));
      const isBelow = box.bottom + height + 8 < window.innerHeight || box.top < height + 8;
      const top = isBelow ? Math.min(box.bottom + 2, window.innerHeight - 60) : box.top - height - 2;
      this.root.style.left = `${left + window.scrollX}px`;
      this.root.style.top = `${top + window.scrollY}px`;
    }

    focus() {
      this.list.querySelector("button")?.focus();
    }

    close() {
      clearTimeout(this.timer);
      if (this.root.hidden) return;
      const hadFocus = this.root.contains(document.activeElement);
      this.root.hidden = true;
      if (hadFocus) this.from.editor.root.focus();
    }

    key(event) {
      const buttons = [...this.list.querySelectorAll("button")], at = buttons.indexOf(document.activeElement);
      const steps = { ArrowDown: at + 1, ArrowUp: at - 1 + buttons.length, Home: 0, End: buttons.length - 1 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      buttons[steps[event.key] % buttons.length].focus();
    }
  }

  charrnn.Alternatives = Alternatives;
})((globalThis.charrnn ||= {}));
