// Unpacks what the page holds in compressed form: its style and script, which it starts, and later the model.
"use strict";
(function (charrnn) {
  // The digits of RFC 1924, but for those that mean something in HTML.
  const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%,()*+-;.=:?@^_/{|}~";

  // The bytes of a text in base 85.
  charrnn.fromBase85 = function (text) {
    const values = new Uint8Array(128);
    for (let k = 0; k < 85; k++) values[DIGITS.charCodeAt(k)] = k;
    text = text.trim();
    const padding = (5 - (text.length % 5)) % 5;
    text += "~".repeat(padding);
    const bytes = new Uint8Array((text.length / 5) * 4);
    for (let at = 0, to = 0; at < text.length; at += 5, to += 4) {
      let value = 0;
      for (let k = 0; k < 5; k++) value = value * 85 + values[text.charCodeAt(at + k)];
      bytes[to] = value >>> 24;
      bytes[to + 1] = value >>> 16;
      bytes[to + 2] = value >>> 8;
      bytes[to + 3] = value;
    }
    return bytes.subarray(0, bytes.length - padding);
  };

  charrnn.inflated = async function (bytes) {
    if (typeof DecompressionStream === "undefined") throw new Error("This browser is too old: it cannot decompress the page.");
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  };

  // The bytes in the element `id`.
  charrnn.unpacked = (id) => charrnn.inflated(charrnn.fromBase85(document.getElementById(id).textContent));

  // Adds the style or the script of the page. The policy allows them by their hashes.
  async function add(tag) {
    const node = document.createElement(tag);
    node.textContent = new TextDecoder().decode(await charrnn.unpacked(`packed-${tag}`));
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
