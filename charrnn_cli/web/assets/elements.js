// Elements of the page. A text becomes a text node, never HTML.
"use strict";
(function (charrnn) {
  const LEVEL_BORDERS = [1, 2.5, 4.5, 7, 10]; // bits

  // An element with attributes: `text`, `class`, `on` (listeners by event), `dataset`, properties, or any attribute.
  charrnn.element = function (tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) setAttribute(node, name, value);
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
  };

  function setAttribute(node, name, value) {
    if (value === undefined || value === null || value === false) return;
    if (name === "text") node.textContent = value;
    else if (name === "class") node.className = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }

  // The color of a token by its surprisal in bits, and its level from 0 to 5, which is also an underline.
  charrnn.surprisalColor = function (bits) {
    let level = 0;
    while (level < LEVEL_BORDERS.length && bits >= LEVEL_BORDERS[level]) level++;
    return { background: `var(--surprise-${level})`, level };
  };

  charrnn.spanOfText = function (text, bits) {
    const span = document.createElement("span");
    span.className = bits >= 0 ? `token surprise-${charrnn.surprisalColor(bits).level}` : "token";
    span.textContent = text;
    return span;
  };

  charrnn.tokenSpan = (model, id, bits) => charrnn.spanOfText(model.tokenText(id), bits);

  // A whole number with commas. The browser's own function first loads its language data, which delays the first character.
  charrnn.wholeNumber = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");

  // "1 token", "2,000 tokens".
  charrnn.counted = (number, noun) => `${charrnn.wholeNumber(number)} ${noun}${number === 1 ? "" : "s"}`;

  // A token as one can read it alone: spaces and control characters by name.
  const NAMES = { " ": "space", "\n": "new line", "\t": "tab", "": "nothing", "\u00a0": "no-break space", "\u200b": "zero-width space" };
  charrnn.visibleText = function (text) {
    if (text in NAMES) return NAMES[text];
    return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`);
  };

  // A file for the user to save.
  charrnn.saveText = function (text, name) {
    const address = URL.createObjectURL(new Blob([text], { type: "text/plain;charset=utf-8" }));
    const link = charrnn.element("a", { href: address, download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  };

  // Puts a text on the clipboard; false where the browser does not allow it.
  charrnn.copyText = async function (text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  };
})((globalThis.charrnn ||= {}));
