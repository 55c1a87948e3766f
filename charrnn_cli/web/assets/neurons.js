// The view that shows a text as one cell sees it, which earlier tokens mattered, and what a cell does to the writing.
"use strict";
(function (charrnn) {
  const { element } = charrnn;
  const MOST_READ = 3000; // tokens: the values of all cells are kept
  const WRITTEN = 600; // tokens that the model writes at the start
  const button = (name, more = "") => element("button", { type: "button", class: `button ${more}` }, name);

  // The values of all cells after every token of a text.
  class CellValues {
    constructor(model, count) {
      this.model = model;
      this.tables = Object.fromEntries(model.stateNames.map((name) =>
        [name, Array.from({ length: model.layers }, () => new Float32Array(count * model.H))]));
    }

    keep(index, state) {
      for (const name of this.model.stateNames) this.tables[name].forEach((table, layer) => table.set(state[name][layer], index * this.model.H));
    }

    value({ state, layer, cell }, index) {
      return this.tables[state][layer][index * this.model.H + cell];
    }

    // The state after the token at an index, or the state at the start.
    state(index) {
      if (index < 0) return this.model.start();
      const H = this.model.H, part = (table) => table.subarray(index * H, (index + 1) * H);
      return Object.fromEntries(this.model.stateNames.map((name) => [name, this.tables[name].map(part)]));
    }

    // The size that nearly all values of a cell are below.
    scale(cell, count) {
      const sizes = Float32Array.from({ length: count }, (_, index) => Math.abs(this.value(cell, index))).sort();
      return sizes[Math.floor(0.99 * (count - 1))] || 1;
    }
  }

  function mount(root, app) {
    const { model } = app;
    const input = element("textarea", { id: "neurons-input", rows: 4, maxlength: 20000, spellcheck: "false", autocomplete: "off", dir: "auto" });
    const read = button("Read", "primary"), write = button("Write a text"), bar = element("progress", { max: 1, hidden: true, "aria-label": "Progress" });
    const notes = element("div"), detail = element("p", { class: "detail" });
    let ids = [], pieces = [], values = null, shown = { state: model.stateNames.at(-1), layer: model.layers - 1, cell: 0 }, scale = 1, run = 0;
    const text = charrnn.tintedText({
      label: "The text as the cell sees it. Arrow keys choose a token.",
      paint: (index) => charrnn.cellClass(values.value(shown, index), scale),
      pick,
    });
    const picker = cellPicker(model, (cell) => ((shown = cell), repaint()));
    const connections = charrnn.connectionsPanel(app), clamping = charrnn.clampingPanel(app);
    root.append(
      element("p", { class: "lead" }, "See what a single cell of the network follows in a text."),
      element("label", { for: "neurons-input", class: "label" }, "Text"), input,
      element("p", { class: "tools" }, read, write, bar), notes,
      element("h2", {}, "The text as a cell sees it"), picker.root,
      charrnn.cellLegend("negative, dotted", "positive, solid"), text.root, detail,
      element("h2", {}, "What mattered for a token"), connections.root,
      element("h2", {}, "Hold the cell while the model writes"), clamping.root,
    );

    async function readText() {
      const mine = ++run, found = charrnn.scorable(model, input.value);
      charrnn.nameUnknown(notes, model, found.unknown);
      if (found.ids.length > MOST_READ) notes.append(element("p", { class: "note" }, `Only the first ${MOST_READ} tokens are read.`));
      const reading = new charrnn.Reading(model, found.ids.slice(0, MOST_READ)), kept = new CellValues(model, reading.ids.length);
      bar.hidden = false;
      await reading.run({
        stopped: () => mine !== run,
        progress: (share) => (bar.value = share),
        visit: (index, before, after) => kept.keep(index, after),
      });
      if (mine !== run) return;
      bar.hidden = true;
      [ids, values, pieces] = [reading.ids, kept, charrnn.pieces(model, reading.ids, found.replaced)];
      scale = shownScale();
      text.show(pieces);
      connections.clear();
      describeCell();
      clamping.set(shown, picker.found(), scale);
    }

    // A text by the model itself: the page has no other.
    async function writeText() {
      const mine = ++run, uniform = charrnn.uniforms(1), slice = charrnn.slices(), written = [];
      let state = model.start();
      for (const id of model.firstIds()) state = model.read(state, id);
      bar.hidden = false;
      while (written.length < WRITTEN && mine === run) {
        written.push(charrnn.draw(model, state.logits, { temperature: 0.6 }, written, uniform()));
        state = model.read(state, written.at(-1));
        await slice(() => (bar.value = written.length / WRITTEN));
      }
      if (mine !== run) return;
      input.value = model.decode(written).trimStart();
      await readText();
    }

    const shownScale = () => picker.found()?.scale || (ids.length ? values.scale(shown, ids.length) : 1);

    function repaint() {
      scale = values ? shownScale() : 1;
      if (values) text.repaint();
      describeCell();
      clamping.set(shown, picker.found(), scale);
    }

    function describeCell() {
      detail.textContent = "Choose a token, by click or arrow keys, to see which earlier ones mattered for it.";
      const found = picker.found();
      app.announce(`Cell ${charrnn.cellName(shown.state, shown.layer, shown.cell)}${found ? `, ${found.title}` : ""}`);
    }

    function pick(index) {
      const value = values.value(shown, index);
      detail.replaceChildren("After ", charrnn.quoted(pieces[index]), ` the cell is at ${value.toFixed(2)}.`);
      app.announce(detail.textContent);
      connections.explain({ ids, pieces, index, stateBefore: (place) => values.state(place - 1) });
    }

    read.addEventListener("click", readText);
    write.addEventListener("click", writeText);
    let opened = false;
    return {
      show: () => opened || ((opened = true), writeText()),
      hide: () => clamping.stop(),
    };
  }

  // Chooses a cell: from those that were found, by its numbers, or the next one.
  function cellPicker(model, changed) {
    const found = (model.header.cells || []).filter((one) => model.stateNames.includes(one.state) && one.layer < model.layers && one.cell < model.H);
    const number = (label, most) => {
      const input = element("input", { type: "number", min: 1, max: most, value: 1, inputmode: "numeric" });
      return { input, field: element("label", { class: "field" }, label, input) };
    };
    const states = element("select", {}, ...model.stateNames.map((name) => element("option", { value: name }, name)));
    const layer = number("Layer", model.layers), cell = number("Cell", model.H);
    const previous = button("Previous"), next = button("Next"), list = element("div", { class: "found", role: "group", "aria-label": "Cells that were found" });
    const buttons = found.map((one) => {
      const place = charrnn.cellName(one.state, one.layer, one.cell), control = one.control === undefined ? "" : `, by chance ${one.control.toFixed(2)}`;
      const choose = element("button", { type: "button", class: "button", "aria-pressed": "false", title: `${one.measure} ${one.score.toFixed(2)}${control}` },
        one.title, " ", element("span", { class: "quiet" }, place));
      choose.addEventListener("click", () => set(one));
      return choose;
    });
    list.append(...buttons);
    const limited = (input, most) => Math.min(most, Math.max(1, Math.round(Number(input.value)) || 1)) - 1;
    const chosen = () => ({ state: states.value, layer: limited(layer.input, model.layers), cell: limited(cell.input, model.H) });
    const isChosen = (one) => JSON.stringify([one.state, one.layer, one.cell]) === JSON.stringify(Object.values(chosen()));

    function set(one) {
      [states.value, layer.input.value, cell.input.value] = [one.state, one.layer + 1, one.cell + 1];
      buttons.forEach((choose, k) => choose.setAttribute("aria-pressed", String(isChosen(found[k]))));
      changed(chosen());
    }

    function move(step) {
      const { state, layer: k, cell: c } = chosen(), all = model.layers * model.H, place = (k * model.H + c + step + all) % all;
      set({ state, layer: Math.floor(place / model.H), cell: place % model.H });
    }

    previous.addEventListener("click", () => move(-1));
    next.addEventListener("click", () => move(1));
    for (const input of [states, layer.input, cell.input]) input.addEventListener("change", () => set(chosen()));
    const none = element("p", { class: "quiet" }, "No meaning was found for any cell yet. ", element("code", {}, `charrnn visualize ${model.header.name} --save`),
      " looks for cells that follow quotations, line breaks and the like; then export the page again.");
    const root = element("div", {}, found.length ? list : none, element("div", { class: "tools" },
      element("label", { class: "field" }, "State", states), layer.field, cell.field, previous, next));
    setTimeout(() => set(found[0] || { state: model.stateNames.at(-1), layer: model.layers - 1, cell: 0 }));
    return { root, found: () => found.find(isChosen) };
  }

  charrnn.views ||= [];
  charrnn.views.push({ id: "neurons", title: "Neurons", mount });
})((globalThis.charrnn ||= {}));
