// A text whose tokens have a tint. Only one part of a long text is on the page; a token can be chosen by mouse and keys.
"use strict";
(function (charrnn) {
  const PART = 3000; // tokens on the page at once

  // A token in a sentence, in a box of its own.
  charrnn.quoted = (piece) => charrnn.element("bdi", { class: "quoted" }, charrnn.visibleText(piece));
  charrnn.percent = (share) => (share < 0.001 ? "under 0.1 %" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`);
  charrnn.cellName = (state, layer, cell) => `${state}:${layer + 1}:${cell + 1}`;

  // The class of a surprisal. The first token of a text has none.
  charrnn.surpriseClass = (bits) => (bits >= 0 ? `surprise-${charrnn.surprisalColor(bits).level}` : "");

  charrnn.surpriseLegend = function () {
    const swatches = [0, 1, 2.5, 4.5, 7, 10].map((bits) => charrnn.element("span", { class: charrnn.surpriseClass(bits) }, bits ? `from ${bits}` : "under 1"));
    return charrnn.element("p", { class: "key" }, "Bits of surprise: ", swatches.flatMap((swatch) => [swatch, " "]));
  };

  // The class of a cell's value: the sign and one of five strengths.
  charrnn.cellClass = function (value, scale) {
    const share = Math.abs(value) / (scale || 1);
    const strength = share < 0.08 ? 0 : share < 0.3 ? 1 : share < 0.55 ? 2 : share < 0.8 ? 3 : 4;
    return strength ? `cell-${value < 0 ? "minus" : "plus"}-${strength}` : "cell-zero";
  };

  charrnn.cellLegend = function (minus, plus) {
    const swatches = (sign, strengths) => strengths.map((strength) => charrnn.element("span", { class: `cell-${sign}-${strength}` }, "ab"));
    return charrnn.element("p", { class: "key" }, `${minus} `, swatches("minus", [4, 3, 2, 1]), charrnn.element("span", {}, "ab"),
      swatches("plus", [1, 2, 3, 4]), ` ${plus}`);
  };

  // paint(index) gives the class of a token; pick(index) hears which one was chosen.
  charrnn.tintedText = function ({ label, paint, pick = () => {} }) {
    const { element } = charrnn;
    const button = (name) => element("button", { type: "button", class: "button" }, name);
    const text = element("div", { class: "tinted", tabindex: "0", role: "group", "aria-label": label, dir: "auto" });
    const earlier = button("Earlier"), later = button("Later");
    const place = element("span", { class: "quiet" });
    const turning = element("p", { class: "tools" }, earlier, place, later);
    const root = element("div", { class: "tinted-text" }, text, turning);
    let pieces = [], start = 0, chosen = -1;

    const span = (index) => text.children[index - start];

    function render(from) {
      start = from;
      const end = Math.min(pieces.length, start + PART), parts = Math.ceil(pieces.length / PART);
      text.replaceChildren(...pieces.slice(start, end).map((piece, k) => {
        const span = document.createElement("span");
        span.textContent = piece;
        span.className = paint(start + k);
        return span;
      }));
      text.scrollTop = 0;
      turning.hidden = parts < 2;
      earlier.disabled = start === 0;
      later.disabled = end >= pieces.length;
      place.textContent = ` Part ${start / PART + 1} of ${parts} `;
      mark();
    }

    function mark() {
      text.querySelector("[data-chosen]")?.removeAttribute("data-chosen");
      span(chosen)?.setAttribute("data-chosen", "");
    }

    function choose(index, quietly) {
      if (index < 0 || index >= pieces.length) return;
      chosen = index;
      const part = index - (index % PART);
      if (part !== start) render(part);
      mark();
      const { offsetTop, offsetHeight } = span(index); // relative to the text, which is positioned
      if (offsetTop < text.scrollTop || offsetTop + offsetHeight > text.scrollTop + text.clientHeight) {
        text.scrollTop = offsetTop - text.clientHeight / 2;
      }
      if (!quietly) pick(index);
    }

    earlier.addEventListener("click", () => render(start - PART));
    later.addEventListener("click", () => render(start + PART));
    text.addEventListener("click", (event) => {
      const index = Array.prototype.indexOf.call(text.children, event.target);
      if (index >= 0) choose(start + index);
    });
    text.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -10, ArrowDown: 10 };
      if (!(event.key in steps) || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      choose(Math.max(0, Math.min(pieces.length - 1, (chosen < 0 ? start - 1 : chosen) + steps[event.key])));
    });
    return {
      root, choose,
      show: (newPieces) => ((pieces = newPieces), (chosen = -1), render(0)),
      repaint() {
        for (let k = 0; k < text.children.length; k++) text.children[k].className = paint(start + k);
      },
    };
  };
})((globalThis.charrnn ||= {}));
