// The report of `charrnn visualize`: found cells on real text, surprisal, and tokens that the model confused.
"use strict";
(function (charrnn) {
  const { counted, element, wholeNumber } = charrnn;
  const at = (id) => document.getElementById(id);

  function show(analysis) {
    const { model, text } = analysis;
    at("about").textContent = `${model.network}, tokens of level ${model.level}. Text: ${text.name}, ${counted(text.tokens, "token")}.`;
    at("report").append(
      element("p", { class: "numbers" }, element("strong", {}, text.bits_per_character.toFixed(3)), " bits per character",
        text.tokens === text.characters ? "" : ` · ${text.bits_per_token.toFixed(3)} per token`,
        ` · the likeliest token was right ${charrnn.percent(text.accuracy)} of the time`),
      ...passage(analysis), ...hypotheses(analysis), ...confused(analysis));
  }

  // The text in the tint of surprise or of a found cell.
  function passage({ passage: part, cells }) {
    let shown = -1;
    const legend = element("div"), facts = element("p", { class: "detail" }), detail = element("p", { class: "detail" });
    const isTrue = (index) => shown >= 0 && cells[shown].measure === "AUC" && part.truth[shown][index] > 0.5;
    const tinted = charrnn.tintedText({
      label: "A passage of the text. Arrow keys choose a token.",
      paint: (index) => shown < 0 ? charrnn.surpriseClass(part.bits[index])
        : `${charrnn.cellClass(part.values[shown][index], cells[shown].scale)}${isTrue(index) ? " is-true" : ""}`,
      pick(index) {
        const value = shown < 0 ? "" : ` The cell is at ${part.values[shown][index].toFixed(2)} after it.`;
        detail.replaceChildren(charrnn.quoted(part.tokens[index]), `: ${part.bits[index].toFixed(1)} bits. The likeliest token was `,
          charrnn.quoted(part.predicted[index]), `.${value}`);
        at("live").textContent = detail.textContent;
      },
    });
    const choices = [{ title: "surprise" }, ...cells].map((cell, k) => {
      const place = cell.state ? element("span", { class: "quiet" }, ` ${charrnn.cellName(cell.state, cell.layer, cell.cell)}`) : null;
      return element("button", { type: "button", class: "button", on: { click: () => choose(k - 1) } }, cell.title, place);
    });

    function choose(k) {
      shown = k;
      choices.forEach((choice, n) => choice.setAttribute("aria-pressed", String(n === k + 1)));
      legend.replaceChildren(k < 0 ? charrnn.surpriseLegend() : charrnn.cellLegend("negative, dotted", "positive, solid"));
      facts.textContent = k < 0 ? "How unexpected each token was." : describe(cells[k]);
      tinted.repaint();
    }

    tinted.show(part.tokens);
    choose(cells.length ? 0 : -1);
    detail.textContent = "Choose a token, by click or arrow keys, to see what the model expected.";
    return [element("h2", {}, "The text as a cell sees it"), element("div", { class: "found", role: "group", "aria-label": "Tint" }, ...choices),
      legend, facts, tinted.root, detail];
  }

  function describe({ title, state, layer, cell, measure, score, control, low, high }) {
    const kind = measure === "AUC" ? ["false", "true"] : ["low", "high"];
    const outline = measure === "AUC" ? " A line above the text marks where it is true." : "";
    return `Cell ${cell + 1} of layer ${layer + 1}, state ${state}, follows “${title}”: ${measure} ${score.toFixed(3)}, by chance ${control.toFixed(3)}. ` +
      `It is typically at ${low.toFixed(2)} where this is ${kind[0]} and at ${high.toFixed(2)} where it is ${kind[1]}.${outline}`;
  }

  function hypotheses({ hypotheses: tested, left_out: leftOut, half, text }) {
    const rows = tested.map((one) => [one.title, charrnn.cellName(one.state, one.layer, one.cell), one.measure, one.score.toFixed(3),
      one.control.toFixed(3), one.found ? "yes" : "no"]);
    const reasons = leftOut.map(({ title, reason }) => `${title} (${reason})`).join(", ");
    return [element("h2", {}, "What was tested"),
      element("p", {}, `For each, the best of all cells was chosen on the first ${counted(half, "token")}, and scored on the other ${wholeNumber(text.tokens - half)}. ` +
        "Chance is what the best cell reaches if the property is shifted along the text, so that it has no meaning."),
      table(["Property", "Cell", "Measure", "Score", "Chance", "Found"], rows, [3, 4]),
      ...(reasons ? [element("p", { class: "quiet" }, `Not tested: ${reasons}.`)] : [])];
  }

  function confused({ confused: pairs }) {
    if (!pairs.length) return [];
    const rows = pairs.map((pair) => [charrnn.quoted(pair.true), charrnn.quoted(pair.predicted), wholeNumber(pair.count), charrnn.percent(pair.share)]);
    return [element("h2", {}, "Which tokens it confuses"),
      element("p", {}, "The likeliest token was not the one in the text. The share is of all places where the text has that token."),
      table(["In the text", "Likeliest", "Times", "Share"], rows, [2, 3])];
  }

  function table(names, rows, numeric) {
    const cell = (tag, content, k, more) => element(tag, { class: numeric.includes(k) ? "number" : undefined, ...more }, content);
    return element("div", { class: "wide-table", tabindex: "0", role: "group", "aria-label": `Table: ${names[0]}` },
      element("table", {}, element("thead", {}, element("tr", {}, ...names.map((name, k) => cell("th", name, k, { scope: "col" })))),
        element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((content, k) => cell("td", content, k)))))));
  }

  if (typeof document !== "undefined" && at("report")) show(JSON.parse(at("analysis").textContent));
})((globalThis.charrnn ||= {}));
