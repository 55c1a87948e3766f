// The view that scores a text: how surprising each of its tokens was, and the oddest places.
"use strict";
(function (charrnn) {
  const { element } = charrnn;
  const ODDEST = 12, APART = 12; // places that are listed, and tokens between two of them
  const BEFORE = 30, AFTER = 12; // tokens of the context of a place
  const NAMED = 12; // unknown tokens that are named
  const LONG = 50000, SHOWN = 2000; // a longer paste stays out of the input field, which would be slow; characters it shows

  const button = (name, more = "") => element("button", { type: "button", class: `button ${more}` }, name);

  function mount(root, app) {
    const { model } = app;
    const input = element("textarea", { id: "score-input", rows: 6, spellcheck: "false", autocomplete: "off", dir: "auto" });
    const start = button("Score", "primary"), stop = button("Stop"), bar = element("progress", { max: 1, "aria-label": "Progress" });
    const notes = element("div"), numbers = element("p", { class: "numbers" }), detail = element("p", { class: "detail" });
    const list = element("ol", { class: "places" }), results = element("div", { hidden: true });
    const legend = charrnn.surpriseLegend();
    let reading = null, pieces = [], run = 0, long = null;

    const text = charrnn.tintedText({
      label: "The scored text. Arrow keys choose a token.",
      paint: (index) => charrnn.surpriseClass(reading.bits[index]),
      pick: describe,
    });
    root.append(
      element("p", { class: "lead" }, "Paste a text to see what surprises the model in it, and where."),
      element("label", { for: "score-input", class: "label" }, "Text"), input,
      element("p", { class: "tools" }, start, stop, bar), notes, results,
    );
    results.append(numbers, legend, text.root, detail, element("h2", {}, "The oddest places"), list);
    stop.hidden = bar.hidden = true;

    async function score() {
      const mine = ++run, { ids, unknown, replaced } = charrnn.scorable(model, long ?? input.value);
      nameUnknown(notes, model, unknown);
      results.hidden = true;
      if (ids.length < 2) return notes.append(element("p", { class: "note" }, "Paste a longer text: the first token is only read."));
      reading = new charrnn.Reading(model, ids);
      const oddest = [];
      let stopped = false;
      stop.onclick = () => (stopped = true);
      working(true);
      try {
        await reading.run({
          stopped: () => stopped || mine !== run,
          progress: (share) => (bar.value = share),
          visit: (index, before, after, bits) => keepOdd(oddest, index, bits, before),
        });
      } catch (error) {
        notes.append(element("p", { class: "note" }, error.message));
      }
      if (mine !== run) return;
      working(false);
      show(oddest, replaced);
    }

    function working(is) {
      stop.hidden = bar.hidden = !is;
      start.disabled = is;
      bar.value = 0;
      if (is) stop.focus();
      else if (document.activeElement === document.body) start.focus();
    }

    function show(oddest, replaced) {
      pieces = charrnn.pieces(model, reading.ids.slice(0, reading.count), replaced);
      const predicted = Math.max(1, reading.count - 1), characters = Math.max(1, charrnn.characters(pieces.slice(1).join("")));
      const unit = { char: "character", byte: "byte", word: "token", subword: "token" }[model.vocabulary.level];
      const perCharacter = (reading.total / characters).toFixed(3), perToken = (reading.total / predicted).toFixed(3);
      numbers.replaceChildren(element("strong", { id: "score-bits" }, perCharacter), " bits per character",
        unit === "character" ? "" : ` · ${perToken} per ${unit}`, ` · ${charrnn.counted(characters, "character")}`,
        reading.count < reading.ids.length ? " · stopped before the end" : "");
      results.hidden = false;
      text.show(pieces);
      list.replaceChildren(...oddest.map(place));
      detail.textContent = "Choose a token, by click or arrow keys, to see what the model expected in its place.";
      app.announce(`${perCharacter} bits per character.`);
    }

    function place({ index, bits, expected }) {
      const context = (from, to) => pieces.slice(Math.max(0, from), to).join("").replace(/\s+/g, " ");
      const [, space, token] = pieces[index].match(/^( (?=.))?([^]*)$/);
      const go = element("button", { type: "button", class: "place" }, element("bdi", {}, context(index - BEFORE, index), space,
        element("mark", { class: charrnn.surpriseClass(bits) }, token.replace(/\n/g, "⏎")), context(index + 1, index + AFTER)));
      go.addEventListener("click", () => {
        text.choose(index);
        text.root.firstChild.focus({ preventScroll: true });
        text.root.scrollIntoView({ block: "nearest" });
      });
      return element("li", {}, go, element("span", { class: "quiet" }, `${bits.toFixed(1)} bits; expected `, alternatives(expected)));
    }

    const alternatives = (expected) => expected.flatMap(({ id, probability }, k) =>
      [k ? ", " : "", charrnn.quoted(model.tokenText(id)), ` ${charrnn.percent(probability)}`]);

    function describe(index) {
      const expected = reading.expected(index, 5), bits = reading.bits[index];
      detail.replaceChildren(charrnn.quoted(pieces[index]),
        ...(index ? [`: ${bits.toFixed(1)} bits (${charrnn.percent(2 ** -bits)}). Expected: `, ...alternatives(expected)] : [": the first token is only read."]));
      app.announce(detail.textContent);
    }

    function paste(event) {
      const pasted = event.clipboardData.getData("text/plain");
      if (pasted.length < LONG) return;
      event.preventDefault();
      long = pasted;
      input.value = `${pasted.slice(0, SHOWN)} …`;
      notes.replaceChildren(element("p", { class: "note" }, `Pasted ${charrnn.wholeNumber(pasted.length)} characters; the field shows only the first. Press Score.`));
    }

    start.addEventListener("click", score);
    input.addEventListener("paste", paste);
    input.addEventListener("input", () => (long = null));
    return { hide: () => stop.click() };
  }

  // Keeps the most surprising places that are not close to each other, the oddest first, with what was expected.
  function keepOdd(oddest, index, bits, before) {
    if (!(bits > 0) || (oddest.length === ODDEST && bits <= oddest[ODDEST - 1].bits)) return;
    const near = oddest.findIndex((other) => index - other.index < APART);
    if (near >= 0 && oddest[near].bits >= bits) return;
    if (near >= 0) oddest.splice(near, 1);
    oddest.push({ index, bits, expected: charrnn.alternatives(before.logits, 3) });
    oddest.sort((a, b) => b.bits - a.bits);
    oddest.length = Math.min(oddest.length, ODDEST);
  }

  // Says which tokens the model does not know, and the closest known ones.
  function nameUnknown(notes, model, unknown) {
    notes.replaceChildren();
    if (!unknown.size) return;
    const kept = model.vocabulary.unknown !== null;
    const named = [...unknown].slice(0, NAMED).flatMap(([token, count], k) => {
      const closest = charrnn.closest(model.vocabulary, token).map((id) => model.tokenText(id)).join("");
      return [k ? ", " : " ", charrnn.quoted(token), count > 1 ? ` ×${count}` : "", closest && " (closest: ", closest && charrnn.quoted(closest), closest && ")"];
    });
    const rest = unknown.size - NAMED;
    notes.append(element("p", { class: "note" }, kept ? "The model does not know these, and reads <unk>:" : "The model does not know these, and they are left out:",
      ...named, rest > 0 ? ` and ${rest} more.` : "."));
  }

  charrnn.views ||= [];
  charrnn.views.push({ id: "score", title: "Score", mount });
  charrnn.nameUnknown = nameUnknown;
})((globalThis.charrnn ||= {}));
