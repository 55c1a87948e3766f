// Unpacks what the page holds as text: its style and script, which it starts, and later the model.
"use strict";
(function (charrnn) {
  // The digits of RFC 1924, but for those that mean something in HTML.
  const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%,()*+-;.=:?@^_/{|}~";

  // The bytes of a text in base 85: four bytes for each five digits. The last digits may be missing; they count as 84.
  charrnn.fromBase85 = function (text) {
    const values = new Uint8Array(128);
    for (let k = 0; k < 85; k++) values[DIGITS.charCodeAt(k)] = k;
    const codes = new TextEncoder().encode(text.trim() + "~~~~"); // 84 four times
    const groups = Math.floor(codes.length / 5), missing = 5 * groups - (codes.length - 4);
    const bytes = new Uint8Array(4 * groups), view = new DataView(bytes.buffer);
    for (let at = 0, to = 0; to < bytes.length; at += 5, to += 4) {
      const first = (values[codes[at]] * 85 + values[codes[at + 1]]) * 85 + values[codes[at + 2]];
      view.setInt32(to, Math.imul(first, 85 * 85) + values[codes[at + 3]] * 85 + values[codes[at + 4]]);
    }
    return bytes.subarray(0, bytes.length - missing);
  };

  async function inflated(bytes) {
    if (typeof DecompressionStream === "undefined") throw new Error("This browser is too old: it cannot decompress the page.");
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  }

  // Adds the style or the script of the page. The policy allows them by their hashes.
  async function add(tag) {
    const node = document.createElement(tag);
    node.textContent = await inflated(charrnn.fromBase85(document.getElementById(`packed-${tag}`).textContent));
    document.head.append(node);
  }

  // Shows the page when it has its style, and starts the script when the document is complete.
  async function start() {
    const complete = new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve));
    document.documentElement.hidden = true;
    try {
      await add("style");
    } finally {
      document.documentElement.hidden = false;
      await complete;
    }
    await add("script");
  }

  if (typeof document !== "undefined") start().catch((error) => (document.querySelector("main").textContent = error.message));
})((globalThis.charrnn ||= {}));
