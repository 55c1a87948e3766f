// Which earlier tokens mattered for a token: each is left out in turn, and the change of the probability is shown.
"use strict";
(function (charrnn) {
  const { element } = charrnn;
  const REACH = 60; // earlier tokens that are tried
  const FULL = 3; // bits of the strongest tint
  const STRONGEST = 5;

  // How many bits of surprise the token at `index` would gain without each of the tokens before it. stateBefore(place)
  // is the kept state before a token, so that only the tokens after it are read again.
  charrnn.connections = async function (model, { ids, index, stateBefore }, stopped = () => false) {
    const start = Math.max(0, index - REACH), slice = charrnn.slices(), changes = new Array(index - start).fill(0);
    const surprisal = function (leftOut) {
      const from = Math.max(0, (leftOut ?? index) - 1);
      const context = ids.slice(from, index).filter((_, k) => from + k !== leftOut);
      let state = stateBefore(from);
      for (const id of context.length ? context : model.firstIds()) state = model.read(state, id);
      return charrnn.surprisal(state.logits, ids[index]);
    };
    if (index === 0) return { start, bits: NaN, changes };
    const bits = surprisal();
    for (let place = index - 1; place >= start && !stopped(); place--) {
      changes[place - start] = surprisal(place) - bits;
      await slice();
    }
    return { start, bits, changes };
  };

  charrnn.connectionsPanel = function (app) {
    const strip = element("div", { class: "tinted strip", dir: "auto", tabindex: "0", role: "group", "aria-label": "The tokens before it" }), told = element("p", { class: "detail" });
    const root = element("div", { class: "connections" }, strip, charrnn.cellLegend("made it less likely", "made it likelier"), told);
    let run = 0;

    function clear() {
      run++;
      strip.hidden = true;
      root.children[1].hidden = true;
      told.textContent = "Choose a token of the text above. Each of the tokens before it is left out in turn, to see how much less likely that makes it.";
    }

    async function explain(place) {
      const mine = ++run;
      const { start, bits, changes } = await charrnn.connections(app.model, place, () => mine !== run);
      if (mine !== run) return;
      const pieces = place.pieces.slice(start, place.index);
      strip.hidden = root.children[1].hidden = false;
      strip.replaceChildren(...pieces.map((piece, k) => element("span", { class: charrnn.cellClass(changes[k], FULL), title: signed(changes[k]) }, piece)),
        element("span", { "data-chosen": "" }, place.pieces[place.index]));
      strip.scrollTop = strip.scrollHeight;
      const order = changes.map((_, k) => k).sort((a, b) => Math.abs(changes[b]) - Math.abs(changes[a])).slice(0, STRONGEST);
      if (!pieces.length) told.textContent = "Nothing stands before the first token.";
      else told.replaceChildren(charrnn.quoted(place.pieces[place.index]), ` had ${bits.toFixed(1)} bits of surprise. Without one of these it would have more (+) or fewer (−): `,
        ...order.flatMap((k, n) => [n ? ", " : "", charrnn.quoted(pieces[k]), ` ${signed(changes[k])}`]), ".");
      app.announce(told.textContent);
    }

    const signed = (change) => `${change < 0 ? "−" : "+"}${Math.abs(change).toFixed(1)}`;
    clear();
    return { root, clear, explain };
  };
})((globalThis.charrnn ||= {}));
