// Holds a cell at a value while the model writes, beside the same text without that.
"use strict";
(function (charrnn) {
  const { element } = charrnn;
  const LENGTH = 500; // tokens
  const STEPS = 40; // of the slider, from one end to the other

  // Writes a text token by token; add(id, state) hears each. Texts of one seed differ only by what is held.
  charrnn.writeHeld = async function (model, { prime, seed, temperature, clamps, length, add, stopped }) {
    const uniform = charrnn.uniforms(seed), slice = charrnn.slices(), recent = [...prime];
    let state = model.start();
    for (const id of prime.length ? prime : model.firstIds()) state = model.read(state, id, clamps);
    for (let k = 0; k < length && !stopped(); k++) {
      const id = charrnn.draw(model, state.logits, { temperature }, recent, uniform());
      recent.push(id);
      state = model.read(state, id, clamps);
      add(id, state);
      await slice();
    }
    return recent.slice(prime.length);
  };

  charrnn.clampingPanel = function (app) {
    const { model } = app;
    const number = (label, attributes) => {
      const input = element("input", { type: "number", ...attributes });
      return { input, field: element("label", { class: "field" }, label, input) };
    };
    const slider = element("input", { type: "range", id: "clamp", "aria-describedby": "clamp-marks" });
    const name = element("label", { for: "clamp" }), output = element("output", { for: "clamp" });
    const marks = element("span", { id: "clamp-marks", class: "quiet" });
    const prime = element("input", { type: "text", value: "", maxlength: 200, autocomplete: "off", spellcheck: "false" });
    const seed = number("Seed", { min: 0, value: 1, step: 1 }), warmth = number("Temperature", { min: 0, max: 5, step: 0.1, value: 0.7 });
    const write = element("button", { type: "button", class: "button primary" }, "Write both"), stop = element("button", { type: "button", class: "button" }, "Stop");
    const free = column("Free", "free-text"), held = column("Held", "held-text");
    const columns = element("div", { class: "columns", hidden: true }, free.root, held.root);
    const root = element("div", { class: "clamping" },
      element("p", { class: "slider" }, name, slider, output), element("p", {}, marks),
      element("div", { class: "tools" }, element("label", { class: "field wide" }, "The text begins with", prime), seed.field, warmth.field, write, stop),
      columns);
    let cell = null, scale = 1, run = 0, heldRun = 0;
    stop.hidden = true;

    function column(title, id) {
      const heading = element("h3", { id: `${id}-title` }, title);
      const text = element("div", { id, class: "tinted written", dir: "auto", tabindex: "0", role: "group", "aria-labelledby": `${id}-title` });
      return { root: element("div", {}, heading, text), heading, text };
    }

    // Shows another cell; found says what it means, if that is known.
    function set(newCell, found, newScale) {
      stopAll();
      [cell, scale] = [newCell, newScale];
      const reach = cell.state === "h" ? 1 : 1.5 * scale;
      Object.assign(slider, { min: -reach, max: reach, step: reach / STEPS });
      slider.value = found ? found.high : 0.75 * reach;
      name.textContent = found ? `${found.title} (${charrnn.cellName(cell.state, cell.layer, cell.cell)})` : charrnn.cellName(cell.state, cell.layer, cell.cell);
      const kind = found?.measure === "AUC" ? ["false", "true"] : ["low", "high"];
      marks.textContent = found ? `Typical values: ${found.low.toFixed(2)} where this is ${kind[0]}, ${found.high.toFixed(2)} where it is ${kind[1]}.` : "";
      columns.hidden = true; // texts with another cell
      showValue();
    }

    function showValue() {
      output.textContent = Number(slider.value).toFixed(2);
      held.heading.textContent = `Held at ${output.textContent}`;
    }

    async function fill(target, clamps, stopped) {
      target.text.replaceChildren();
      const known = charrnn.scorable(model, prime.value).ids, joiner = model.joiner();
      const put = (piece, type) => target.text.append(element("span", { class: type }, piece));
      if (known.length) put(known.map((id) => joiner.add(id)).join(""), "prime");
      const settings = { seed: Number(seed.input.value) || 0, temperature: Math.max(0, Number(warmth.input.value) || 0) };
      const shown = cell;
      await charrnn.writeHeld(model, {
        ...settings, prime: known, clamps, length: LENGTH, stopped,
        add: (id, state) => put(joiner.add(id), charrnn.cellClass(state[shown.state][shown.layer][shown.cell], scale)),
      });
    }

    const clamps = () => [{ layer: cell.layer, name: cell.state, cell: cell.cell, value: Number(slider.value) }];

    async function writeHeld() {
      const mine = ++heldRun;
      await fill(held, clamps(), () => mine !== heldRun);
      return mine === heldRun;
    }

    async function writeBoth() {
      const mine = ++run;
      stop.hidden = columns.hidden = false;
      await Promise.all([fill(free, [], () => mine !== run), writeHeld()]);
      if (mine !== run) return;
      stop.hidden = true;
      app.announce("Both texts are written.");
    }

    function stopAll() {
      run++;
      heldRun++;
      stop.hidden = true;
    }

    slider.addEventListener("input", () => {
      showValue();
      if (!columns.hidden) writeHeld();
    });
    write.addEventListener("click", writeBoth);
    stop.addEventListener("click", stopAll);
    return { root, set, stop: stopAll };
  };
})((globalThis.charrnn ||= {}));
