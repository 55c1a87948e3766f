// Text to token ids and back, as charrnn_cli/text does it: characters, bytes, words, subwords.
"use strict";
(function (charrnn) {
  const END = "\0", EOD = "<eod>", EOS = "<eos>", UNKNOWN = "<unk>", RETURN = "||Return||";
  const REPLACEMENT = "\ufffd";
  const MAX_GAP = 16; // spaces that one token can stand for
  const PYTHON_SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;
  const GAP_TOKEN = /^\|\|(?:NoSpace|Space|\d+Spaces)\|\|$/;
  const SUBWORD_WORDS =
    / ?[\p{L}\p{M}]{1,32}| ?\p{N}{1,32}| ?[^\0\p{White_Space}\p{L}\p{M}\p{N}]{1,32}| {1,32}(?= )|\t{1,32}|\0|\p{White_Space}/gu;
  const UNSPACED = new Set(["-", "--", "\u2010", "\u2011", "\u2013", "\u2014", "/"]);
  const OPENING = new Set("'¿¡#$£€@"), CLOSING = new Set(".,:;!?%…");

  class Vocabulary {
    constructor(header) {
      this.level = header.level;
      this.tokens = header.tokens;
      this.hasCharacters = this.level === "char" || this.level === "subword";
      this.lowercase = header.lowercase === true;
      this.onWhitespace = header.split_on === "whitespace";
      this.marks = new Map(Object.entries(header.punctuation || {})); // punctuation tokens to their text
      this.ids = new Map(header.tokens.map((token, id) => [token, id]));
      this.unknown = header.special.unknown ?? null;
      this.end = header.special.end ?? null;
      this.markOf = new Map([...this.marks].map(([token, text]) => [text, token]));
    }

    // The token that a model reads before a text without a prime.
    first() {
      if (this.end !== null) return this.end;
      const lineEnd = this.level === "byte" ? "0a" : this.hasCharacters ? "\n" : this.onWhitespace ? EOS : RETURN;
      return this.ids.get(lineEnd) ?? this.tokens.length - 1;
    }

    // The tokens of a text that more text may follow. A token may be one that the vocabulary does not have.
    split(text) {
      if (this.level === "byte") return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0"));
      if (this.lowercase) text = text.toLowerCase();
      if (this.level === "char") return Array.from(text, (character) => (character === END ? EOD : character));
      if (this.level === "subword") return text.replace(/ $/, "").match(SUBWORD_WORDS)?.flatMap((word) => this.subwords(word)) ?? [];
      if (!this.onWhitespace) return splitWords(text, this.markOf);
      return text.replaceAll("\n", ` ${EOS} `).replaceAll(END, ` ${EOD} `).split(PYTHON_SPACE).filter(Boolean);
    }

    // The characters of a word, merged to subwords: of all neighbours that can be, those that were learned first.
    subwords(word) {
      if (word === END) return [EOD];
      const parts = Array.from(word), rank = (k) => this.ids.get(parts[k] + parts[k + 1]) ?? Infinity;
      for (;;) {
        let best = 0;
        for (let k = 1; k < parts.length - 1; k++) if (rank(k) < rank(best)) best = k;
        if (parts.length < 2 || rank(best) === Infinity) return parts;
        parts.splice(best, 2, parts[best] + parts[best + 1]);
      }
    }

    // The tokens of a text in the composed or decomposed form that the vocabulary knows.
    tokensOf(text) {
      if (this.level === "byte") return this.split(text);
      text = text.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
      const knows = (token) => this.ids.has(token);
      if (this.hasCharacters) {
        if (this.lowercase) text = text.toLowerCase();
        const known = (form) => Array.from(form).every((character) => character === END || knows(character));
        const inKnownForm = (part) => clusters(part).map((cluster) => knownForm(cluster, known)).join("");
        if (!known(text)) text = text.replace(/[\x00-\x7f]?[^\x00-\x7f]+/gu, inKnownForm); // ASCII has one form
        return this.split(text);
      }
      return this.split(text).map((token) => knownForm(token, knows)).filter((token) => knows(token) || !GAP_TOKEN.test(token));
    }

    // The text of a token alone.
    tokenText(id) {
      const token = this.tokens[id];
      if (this.level === "byte") {
        const code = parseInt(token, 16);
        return code < 128 ? String.fromCharCode(code) : `<${token}>`;
      }
      if (token === EOS) return "\n";
      if (id === this.end) return EOD;
      return this.marks.get(token) ?? token;
    }

    // Turns tokens into text, one at a time: add(id) gives the text that is complete with it, end() the rest.
    joiner() {
      const join = this.level === "byte" ? byteJoiner() : this.hasCharacters ? charJoiner()
        : this.onWhitespace ? whitespaceJoiner() : wordJoiner(this.marks);
      return { add: (id) => join.add(this.tokens[id]), end: join.end || (() => "") };
    }
  }

  function charJoiner() {
    return { add: (token) => (token === EOD ? "" : token === UNKNOWN ? REPLACEMENT : token) };
  }

  function byteJoiner() {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return {
      add: (token) => decoder.decode(Uint8Array.of(parseInt(token, 16)), { stream: true }),
      end: () => decoder.decode(),
    };
  }

  function whitespaceJoiner() {
    let space = "";
    return {
      add(token) {
        const before = space;
        space = token === EOS || token === EOD ? "" : " ";
        return token === EOS ? "\n" : token === EOD ? "" : before + token;
      },
    };
  }

  function wordJoiner(marks) {
    const spacing = new Spacing();
    let afterGap = false;
    return {
      add(token) {
        const text = token === EOD ? END : marks.get(token) ?? token;
        if (/^ *$/.test(text)) {
          afterGap = true;
          return text;
        }
        const space = spacing.before(text) && !afterGap;
        afterGap = false;
        if (text === END) return "";
        return space ? ` ${text}` : text;
      },
    };
  }

  // The rule for spaces: whether there is one between two tokens. It is told the text of every token in turn.
  class Spacing {
    constructor() {
      this.after = this.lineEnded = false;
      this.open = { '"': false, _: false };
    }

    before(text) {
      let [wantsBefore, wantsAfter] = [true, true];
      if (text === '"' || text === "_") {
        wantsAfter = this.open[text];
        wantsBefore = this.open[text] = !wantsAfter;
      } else [wantsBefore, wantsAfter] = wants(text);
      const space = this.after && wantsBefore;
      this.after = wantsAfter;
      if (text === END || (text === "\n" && this.lineEnded)) this.open = { '"': false, _: false };
      this.lineEnded = text === "\n";
      return space;
    }
  }

  // Whether a mark wants a space before it, and after it.
  function wants(text) {
    if (/^[\p{White_Space}\x1c-\x1f]+$/u.test(text) || UNSPACED.has(text) || text === END) return [false, false];
    if (OPENING.has(text) || /^[\p{Ps}\p{Pi}]/u.test(text)) return [true, false];
    if (CLOSING.has(text) || /^[\p{Pe}\p{Pf}]/u.test(text)) return [false, true];
    return [true, true];
  }

  let wordPieces = null; // compiled at first use: an old browser without lookbehind can still read characters
  function splitWords(text, markOf) {
    const part = "[\\p{L}\\p{M}\\p{N}]+", inner = "(?:['\\u2019_\\u2010\\u2011\\-]|(?<=\\p{Nd})[.,:](?=\\p{Nd}))";
    wordPieces ||= new RegExp(` +|\\p{White_Space}|--|${part}(?:${inner}${part})*|\\p{Cf}`, "uy");
    const tokens = [], spacing = new Spacing();
    let gap = 0;
    for (let at = 0; at < text.length; ) {
      wordPieces.lastIndex = at;
      const piece = wordPieces.exec(text)?.[0] ?? firstCluster(text.slice(at, at + 64));
      at += piece.length;
      if (piece[0] === " ") {
        gap += piece.length;
        continue;
      }
      if (gap !== (spacing.before(piece) ? 1 : 0)) tokens.push(...gapTokens(gap));
      gap = 0;
      tokens.push(piece === END ? EOD : isMark(piece) ? markOf.get(piece) ?? piece : piece);
    }
    return tokens;
  }

  function isMark(piece) {
    return piece === "--" || /^[\p{P}\p{Sc}\p{Sk}\p{Sm}\p{Z}\n\t\r]$/u.test(piece);
  }

  function gapTokens(gap) {
    const tokens = [];
    for (let start = 0; start < Math.max(gap, 1); start += MAX_GAP) {
      const size = Math.min(gap - start, MAX_GAP);
      tokens.push(size === 0 ? "||NoSpace||" : size === 1 ? "||Space||" : `||${size}Spaces||`);
    }
    return tokens;
  }

  let segmenter = null; // made when it is first used, because that takes a tenth of a second

  // A text divided into what a reader sees as characters; null if the browser cannot do that.
  function segments(text) {
    if (typeof Intl === "undefined" || !Intl.Segmenter) return null;
    segmenter ||= new Intl.Segmenter();
    return segmenter.segment(text);
  }

  // Letters with their combining marks, emoji with their modifiers.
  function clusters(text) {
    const parts = segments(text);
    return parts ? Array.from(parts, (part) => part.segment) : text.match(/\P{M}\p{M}*|\p{M}+/gu) || [];
  }

  function firstCluster(text) {
    const parts = segments(text);
    return parts ? parts.containing(0).segment : clusters(text)[0];
  }

  function knownForm(text, isKnown) {
    if (isKnown(text)) return text;
    return ["NFC", "NFD"].map((form) => text.normalize(form)).find(isKnown) ?? text;
  }

  // The ids of a text, and the tokens that the vocabulary does not have, with the closest known ones.
  // mode "refuse" and "skip" leave unknown tokens out; "replace" takes the closest, or else <unk>.
  charrnn.encode = function (vocabulary, text, mode) {
    const ids = [], unknown = [], closestOf = new Map();
    vocabulary.tokensOf(text).forEach((token, position) => {
      const id = vocabulary.ids.get(token);
      if (id !== undefined) return ids.push(id);
      if (!closestOf.has(token)) closestOf.set(token, charrnn.closest(vocabulary, token));
      const closest = closestOf.get(token);
      unknown.push({ text: token, position, closest: closest.map((one) => vocabulary.tokenText(one)).join(vocabulary.hasCharacters ? "" : " ") });
      if (mode !== "replace") return;
      if (closest.length) ids.push(...closest);
      else if (vocabulary.unknown !== null) ids.push(vocabulary.unknown);
    });
    return { ids, unknown };
  };

  const LATIN = new Map(Object.entries({
    "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u2032": "'", "\u00b4": "'", "\u201c": '"', "\u201d": '"',
    "\u201e": '"', "\u201f": '"', "\u2033": '"', "\u00ab": "<<", "\u00bb": ">>", "\u2039": "<", "\u203a": ">",
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "--", "\u2015": "-", "\u2212": "-",
    "\u00d7": "x", "\u00f7": "/", "\u2044": "/", "\u00a1": "!", "\u00bf": "?", "\u2022": "*", "\u00b7": ".",
    "\u00df": "ss", "\u1e9e": "SS", "\u00e6": "ae", "\u00c6": "AE", "\u0153": "oe", "\u0152": "OE", "\u00f8": "o", "\u00d8": "O",
    "\u0142": "l", "\u0141": "L", "\u0111": "d", "\u0110": "D", "\u00f0": "d", "\u00d0": "D", "\u00fe": "th", "\u00de": "TH",
    "\u0131": "i", "\u0127": "h", "\u0126": "H", "\u0138": "k", "\u014b": "ng", "\u014a": "NG",
    "\u20ac": "EUR", "\u00a3": "GBP", "\u00a9": "(C)", "\u00ae": "(R)",
  }));
  spell("абвгдезийклмнопрстуфхцчшщъыьэюяё", "a b v g d e z i i k l m n o p r s t u f kh ts ch sh shch ' y ' e iu ia e");
  spell("αβγδεζηθικλμνξοπρσςτυφχψω", "a b g d e z i th i k l m n x o p r s s t y f ch ps o");
  LATIN.set("ж", "zh").set("Ж", "Zh");

  function spell(letters, spellings) {
    spellings.split(" ").forEach((spelling, k) => {
      LATIN.set(letters[k], spelling);
      LATIN.set(letters[k].toUpperCase(), spelling[0].toUpperCase() + spelling.slice(1));
    });
  }

  // The text in ASCII, as far as this table goes; empty if it has another character.
  function inAscii(text) {
    let plain = "";
    for (const character of text.normalize("NFKD").replace(/\p{Mn}/gu, "")) {
      const spelling = character < "\x80" ? character : LATIN.get(character);
      if (spelling === undefined) return "";
      plain += spelling;
    }
    return plain;
  }

  // The ids of the known tokens that can replace an unknown one; none if nothing is similar.
  charrnn.closest = function (vocabulary, text) {
    const plain = vocabulary.level === "byte" ? "" : inAscii(text);
    if (!plain) return [];
    vocabulary.idOfPlain ||= knownByPlain(vocabulary);
    const capital = plain[0].toUpperCase() + plain.slice(1).toLowerCase();
    for (const spelling of [plain, plain.toLowerCase(), capital, plain.toUpperCase()]) {
      const ids = vocabulary.split(spelling).map((token) => vocabulary.ids.get(token));
      if (!ids.includes(undefined)) return ids;
      if (vocabulary.idOfPlain.has(spelling)) return [vocabulary.idOfPlain.get(spelling)];
    }
    if (vocabulary.level !== "word" || !/^\p{L}{4,}$/u.test(text)) return [];
    return similarWord(vocabulary, text);
  };

  function knownByPlain(vocabulary) {
    const ids = new Map();
    vocabulary.tokens.forEach((token, id) => {
      const text = vocabulary.marks.get(token) ?? token;
      const plain = /^[\x00-\x7f]*$/.test(text) ? "" : inAscii(text);
      if (plain && !ids.has(plain)) ids.set(plain, id);
    });
    return ids;
  }

  // The id of the word with the most similar spelling, if it is similar enough: Python's difflib.
  function similarWord(vocabulary, text) {
    let best = [], bestRatio = 0.75, bestWord = "";
    vocabulary.tokens.forEach((word, id) => {
      const length = word.length + text.length;
      if ((2 * Math.min(word.length, text.length)) / length < bestRatio) return;
      const ratio = (2 * matches(word, text)) / length;
      if (ratio > bestRatio || (ratio === bestRatio && word > bestWord)) [best, bestRatio, bestWord] = [[id], ratio, word];
    });
    return best;
  }

  // The characters of a and b that match: those of the longest common piece, and of what is left and right of it.
  function matches(a, b) {
    let size = 0, inA = 0, inB = 0;
    for (let i = 0; i < a.length; i++) {
      for (let j = 0; j < b.length; j++) {
        let k = 0;
        while (i + k < a.length && j + k < b.length && a[i + k] === b[j + k]) k++;
        if (k > size) [size, inA, inB] = [k, i, j];
      }
    }
    if (size === 0) return 0;
    return size + matches(a.slice(0, inA), b.slice(0, inB)) + matches(a.slice(inA + size), b.slice(inB + size));
  }

  charrnn.Vocabulary = Vocabulary;
})((globalThis.charrnn ||= {}));
