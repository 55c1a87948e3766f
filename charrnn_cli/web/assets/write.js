// The view that writes: one to four texts side by side, which the model continues.
"use strict";
(function (charrnn) {
  const { element, Pane, Settings, Alternatives } = charrnn;
  const MOST_TEXTS = 4;
  const SLICE = 10; // milliseconds of work before the page may react
  const CALM = 40; // tokens a second
  const FEW = 500; // tokens that are read at once
  const DISPLAY = 100; // milliseconds between two displays of a text that is written as fast as possible
  const LONGEST_FRAME = 100; // milliseconds that count after a pause of the browser

  class WriteView {
    constructor(root, app) {
      Object.assign(this, { root, app, panes: [], working: false, time: 0 });
      this.settings = new Settings(() => this.settingsChanged());
      this.alternatives = new Alternatives(app, (pane, index, id) => this.branch(pane, index, id));
      this.makeControls();
      this.texts = element("div", { class: "panes" });
      root.append(this.controls, this.texts, this.legend(), this.options(), this.linkBox, this.alternatives.root);
      this.listen();
      this.channel = new MessageChannel();
      this.channel.port1.onmessage = () => this.slice();
      this.addPane(1 + Math.floor(Math.random() * 9999));
      addEventListener("hashchange", () => this.openLink());
      if (!this.openLink() && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.play();
    }

    makeControls() {
      const button = (text, click, attributes = {}) => element("button", { type: "button", class: "button", text, on: { click }, ...attributes });
      this.playButton = button("Write", () => this.toggle(), { class: "button primary" });
      this.speed = element("select", { id: "speed" }, element("option", { value: "calm", text: "calm" }), element("option", { value: "fast", text: "as fast as it can" }));
      this.number = element("select", { id: "number", on: { change: () => this.setNumber(Number(this.number.value)) } },
        [1, 2, 3, MOST_TEXTS].map((n) => element("option", { value: String(n), text: String(n) })));
      this.tint = element("input", { type: "checkbox", id: "tint", checked: true, on: { change: () => this.texts.classList.toggle("untinted", !this.tint.checked) } });
      this.controls = element("div", { class: "controls", role: "group", "aria-label": "Writing" },
        this.playButton, button("Step", () => this.step()), button("Undo", () => this.undo(this.active)),
        button("What next?", () => this.ask(this.active)),
        element("span", { class: "gap" }),
        button("Copy", () => this.copy()), button("Save", () => this.save()), button("Link", () => this.share()));
      this.linkField = element("input", { type: "text", readonly: true, id: "link", on: { focus: () => this.linkField.select() } });
      this.linkBox = element("div", { class: "note", hidden: true, role: "group", "aria-label": "Link" },
        element("label", { class: "field", for: "link" }, "A link to this text, its settings and its seed", this.linkField));
    }

    legend() {
      const words = ["expected", "", "", "", "", "unexpected"];
      const steps = words.map((word, level) => element("span", { class: `token surprise-${level}`, text: word || "\u2003" }));
      return element("div", { class: "legend quiet" },
        element("label", { for: "tint", class: "check" }, this.tint, "Tint by surprise"), element("span", { class: "steps", role: "img", "aria-label": "From expected, not marked, to unexpected, in orange and underlined twice" }, steps));
    }

    options() {
      return element("div", { class: "options" }, element("div", { class: "fields" }, this.settings.main,
        element("label", { class: "field", for: "speed" }, "Speed", this.speed), element("label", { class: "field", for: "number" }, "Texts side by side", this.number)),
        element("details", null, element("summary", { text: "More settings" }), this.settings.more),
        element("details", null, element("summary", { text: "How to use this page" }), element("div", { class: "help" },
          ["Type in the text, or put the cursor where the model should continue, and press Write. What is behind the cursor goes away; Undo brings it back.",
            "Point at a token, or tap it, to see the ten likeliest. Choose one, and the text continues from there.",
            "Keyboard: Ctrl+Enter writes and pauses, Alt+Right writes one token, Alt+Down shows the likeliest tokens at the cursor, Ctrl+Z undoes, Escape closes.",
            "A color and an underline mark tokens that the model did not expect."].map((text) => element("p", { text })))));
    }

    listen() {
      this.texts.addEventListener("mouseover", (event) => this.hover(event));
      this.texts.addEventListener("mouseout", () => this.alternatives.closeSoon());
      this.texts.addEventListener("click", (event) => this.hover(event, true));
      this.root.addEventListener("keydown", (event) => this.key(event));
      document.addEventListener("selectionchange", () => this.cursorMoved());
    }

    get active() {
      return this.panes.find((pane) => pane === this.last) || this.panes[0];
    }

    addPane(seed) {
      const pane = new Pane(this, this.panes.length + 1, seed);
      pane.root.addEventListener("focusin", () => (this.last = pane));
      this.panes.push(pane);
      this.texts.append(pane.root);
      this.texts.dataset.number = String(this.panes.length);
      this.number.value = String(this.panes.length);
      return pane;
    }

    // A new text begins as the first one did.
    setNumber(number) {
      while (this.panes.length > number) this.panes.pop().root.remove();
      const { passage } = this.panes[0];
      const text = passage.pieces.slice(0, passage.fixed).join("").slice(0, charrnn.LONGEST_LINK);
      while (this.panes.length < number) {
        const pane = this.addPane(this.panes[this.panes.length - 1].seed + 1);
        pane.open({ text, ids: [], seed: pane.seed, drawn: 0, count: 0, fromFirst: false });
      }
      this.texts.dataset.number = String(number);
      this.wake();
    }

    settingsChanged() {
      for (const { passage } of this.panes) {
        passage.fix();
        passage.version++;
      }
    }

    get isWriting() {
      return this.panes.some((pane) => pane.isWriting);
    }

    toggle() {
      if (this.isWriting) return this.panes.forEach((pane) => (this.pause(pane), pane.show()));
      this.play();
      this.app.announce("Writing.");
    }

    play() {
      this.alternatives.close();
      for (const pane of this.panes) pane.start(this.settings.values.length);
      this.wake();
    }

    pause(pane) {
      if (pane.isWriting && pane.left > 0) this.isOpening = false;
      pane.isWriting = false;
      this.update();
    }

    step() {
      this.panes.forEach((pane) => this.pause(pane));
      const { active } = this;
      active.start(1);
      if (active.passage.ids.length - active.passage.count < FEW) active.work(Infinity, 1);
      active.show();
      active.toEnd();
      this.wake();
    }

    undo(pane) {
      this.pause(pane);
      const first = pane.passage.undo();
      if (first === null) return this.app.announce("Nothing to undo.");
      pane.caret = null;
      pane.seedField.value = String(pane.seed);
      pane.useSeed();
      pane.editor.render(Math.max(0, first - 1));
      pane.showUnknown();
      if (pane.editor.root.contains(document.activeElement)) pane.editor.cursor = pane.passage.shown.length;
      this.app.announce("Undone.");
      this.wake();
    }

    branch(pane, index, id) {
      this.pause(pane);
      pane.passage.branch(index, id);
      pane.editor.render(index);
      pane.caret = null;
      pane.editor.root.focus();
      pane.editor.cursor = pane.passage.shown.length;
      this.app.announce(`${charrnn.visibleText(this.app.model.tokenText(id))} chosen.`);
      this.wake();
    }

    // Works until all is read and written: in slices, so that the page can react, and one display for each frame.
    wake() {
      this.update();
      if (this.working) return;
      this.working = true;
      this.time = performance.now();
      for (const pane of this.panes) pane.pace = 1;
      this.askForFrame();
      this.askForSlice();
    }

    // Asks for one frame: the next one, or a later one if the model writes as fast as it can.
    askForFrame(delay = 0) {
      if (this.isFrameAsked) return;
      this.isFrameAsked = true;
      const ask = () => requestAnimationFrame(() => this.frame());
      if (delay) setTimeout(ask, delay);
      else ask();
    }

    // Lets the browser react, then continues. A second request before the slice has no effect.
    askForSlice() {
      if (!this.isAsked) this.channel.port2.postMessage(null);
      this.isAsked = true;
    }

    get isFast() {
      return this.isOpening || this.speed.value === "fast";
    }

    slice() {
      this.isAsked = false;
      if (!this.working) return;
      const deadline = performance.now() + SLICE, { isFast } = this;
      let more = false;
      try {
        this.panes.forEach((pane, k) => {
          const end = performance.now() + (deadline - performance.now()) / (this.panes.length - k);
          const count = isFast ? Infinity : Math.floor(pane.pace);
          const before = pane.passage.drawn;
          more = pane.work(end, count) || more;
          if (!isFast) pane.pace -= pane.passage.drawn - before;
        });
      } catch (error) {
        this.panes.forEach((pane) => this.pause(pane));
        this.app.announce(error.message);
        throw error;
      }
      this.working = more;
      if (more && (isFast || this.panes.some((pane) => !pane.passage.isRead))) this.askForSlice();
      if (!more) this.finish();
    }

    frame() {
      this.isFrameAsked = false;
      const time = performance.now(), passed = Math.min(LONGEST_FRAME, time - this.time);
      this.time = time;
      for (const pane of this.panes) {
        pane.pace = Math.min(CALM, pane.pace + (passed * CALM) / 1000);
        pane.show();
      }
      if (!this.working) return;
      this.askForSlice();
      this.askForFrame(this.isFast ? DISPLAY : 0);
    }

    finish() {
      this.isOpening = false;
      for (const pane of this.panes) {
        pane.show();
        if (pane.wasWriting) pane.toEnd();
        pane.wasWriting = false;
      }
      this.update();
    }

    update() {
      const { isWriting } = this;
      this.playButton.textContent = isWriting ? "Pause" : "Write";
      this.root.classList.toggle("writing", isWriting);
    }

    hover(event, isClick = false) {
      const pane = this.panes.find((one) => one.root.contains(event.target)), index = pane ? pane.editor.indexOf(event.target) : -1;
      if (index < 0 || pane.isWriting) return;
      if (isClick) this.alternatives.open(pane, index);
      else if (event.buttons === 0) this.alternatives.openSoon(pane, index);
    }

    cursorMoved() {
      for (const pane of this.panes) {
        const cursor = pane.isWriting ? null : pane.editor.cursor;
        if (cursor !== null) pane.caret = cursor;
      }
    }

    // Shows the likeliest tokens where the cursor is, for the keyboard.
    ask(pane) {
      this.panes.forEach((one) => this.pause(one));
      pane.passage.read(Infinity);
      const { passage } = pane, caret = pane.caret ?? Infinity;
      let index = 0, characters = 0;
      while (index < passage.ids.length && characters + passage.pieces[index].length <= caret) characters += passage.pieces[index++].length;
      pane.show();
      this.alternatives.open(pane, index);
      this.alternatives.focus();
    }

    key(event) {
      const pane = this.panes.find((one) => one.editor.root === event.target), command = event.ctrlKey || event.metaKey;
      const isUndo = command && !event.shiftKey && event.key.toLowerCase() === "z" && pane;
      const action = command && event.key === "Enter" ? () => this.toggle()
        : event.altKey && event.key === "ArrowRight" && pane ? () => this.step()
        : event.altKey && event.key === "ArrowDown" && pane ? () => this.ask(pane)
        : isUndo ? () => this.undo(pane) : null;
      if (!action) return;
      event.preventDefault();
      action();
    }

    get wholeText() {
      const texts = this.panes.map((pane) => pane.passage.text);
      return texts.length === 1 ? texts[0] : texts.map((text, k) => `Text ${k + 1}\n\n${text}\n`).join("\n");
    }

    async copy() {
      const isCopied = await charrnn.copyText(this.wholeText);
      this.app.announce(isCopied ? "Copied." : "This browser does not allow to copy. Select the text and copy it.");
      this.flash(isCopied ? "Copied." : "Select the text and copy it.");
    }

    save() {
      const name = this.app.model.header.name.replace(/[^\p{L}\p{N}._-]+/gu, "-").slice(0, 60) || "text";
      charrnn.saveText(this.wholeText, `${name}.txt`);
      this.app.announce("Saved.");
    }

    async share() {
      const saved = this.panes.map((pane) => pane.saved());
      const fragment = charrnn.toFragment(this.app.model, this.settings.values, saved);
      this.linkField.value = location.href.replace(/#.*$/s, "") + fragment;
      this.linkBox.hidden = false;
      this.linkField.focus();
      const isCopied = await charrnn.copyText(this.linkField.value);
      const part = saved.every((one) => one.isWhole) ? "" : ` The text is long: the link has its last ${charrnn.wholeNumber(charrnn.LONGEST_LINK)} characters.`;
      this.app.announce(`${isCopied ? "The link is copied." : "The link is below the text, selected."}${part}`);
      this.flash(`${isCopied ? "The link is copied." : "Copy the link below the text."}${part}`);
    }

    // Says something for a moment, for those who see the page.
    flash(text) {
      this.message?.remove();
      this.message = element("p", { class: "flash", "aria-hidden": "true", text });
      this.controls.append(this.message);
      setTimeout((message) => message.remove(), 4000, this.message);
    }

    // Opens what the address carries; false if that is nothing.
    openLink() {
      const link = charrnn.fromFragment(this.app.model, location.hash, Settings.has);
      if (!link) return false;
      this.settings.open(link.settings);
      this.alternatives.close();
      while (this.panes.length > link.texts.length) this.panes.pop().root.remove();
      while (this.panes.length < link.texts.length) this.addPane(1);
      this.texts.dataset.number = this.number.value = String(this.panes.length);
      link.texts.forEach((text, k) => this.panes[k].open(text));
      this.isOpening = true;
      this.wake();
      return true;
    }
  }

  charrnn.views ||= [];
  charrnn.views.push({
    id: "write",
    title: "Write",
    mount(root, app) {
      const view = new WriteView(root, app);
      return { hide: () => (view.alternatives.close(), view.panes.forEach((pane) => view.pause(pane))) };
    },
  });
})((globalThis.charrnn ||= {}));
