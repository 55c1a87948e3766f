// A link that carries the beginning of each text, the settings and the seeds. The part after # never leaves the browser.
"use strict";
(function (charrnn) {
  const MOST_TEXTS = 4;
  const LONGEST = 20000; // characters of a text in a link
  const MOST_WRITTEN = 200000; // tokens that a link may ask for

  // The part after # for these settings and texts: {text, ids, seed, drawn, count, fromFirst}.
  charrnn.toFragment = function (model, settings, texts) {
    const parts = new URLSearchParams();
    for (const [name, value] of Object.entries(settings)) parts.set(name, String(value));
    for (const { text, ids, seed, drawn, count, fromFirst } of texts) {
      const known = ids.filter((id) => id >= 0), again = model.encode(text, { unknown: "skip" }).ids;
      const isSame = known.length === again.length && known.every((id, k) => id === again[k]);
      parts.append("prime", text);
      parts.append("seed", String(seed));
      parts.append("more", [drawn, count, fromFirst ? 1 : 0, ...(isSame ? [] : ids)].join("."));
    }
    return `#${parts}`;
  };

  // The settings and texts of a fragment; null if it has none. Wrong numbers are left out.
  charrnn.fromFragment = function (model, fragment, isSetting) {
    const parts = new URLSearchParams(fragment.replace(/^#/, ""));
    if (!parts.has("prime") && !parts.has("seed")) return null;
    const settings = {};
    for (const [name, value] of parts) if (isSetting(name)) settings[name] = value;
    const primes = parts.getAll("prime"), seeds = parts.getAll("seed"), more = parts.getAll("more");
    const count = Math.min(MOST_TEXTS, Math.max(primes.length, seeds.length));
    const texts = Array.from({ length: count }, (_, k) => {
      const numbers = (more[k] || "").split(".").map(Number).map((number) => (Number.isSafeInteger(number) ? number : 0));
      const [drawn = 0, written = 0, first = 0, ...ids] = numbers;
      return {
        text: (primes[k] || "").slice(0, LONGEST * 2), seed: Number(seeds[k]) || 1, fromFirst: first === 1,
        drawn: Math.min(Math.max(0, drawn), 1e8), count: Math.min(Math.max(0, written), MOST_WRITTEN),
        ids: ids.every((id) => id >= -1 && id < model.V) ? ids : [],
      };
    });
    return { settings, texts };
  };

  charrnn.LONGEST_LINK = LONGEST;
})((globalThis.charrnn ||= {}));
