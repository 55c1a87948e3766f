// The box with a text: shows its tokens tinted, and takes what the user types. One line of the text is one block.
"use strict";
(function (charrnn) {
  const { element } = charrnn;
  const LONGEST_LINE = 4000; // tokens; a longer line continues in another block
  const TINTED = 20000; // characters at the end of the text that have a span for each token; earlier ones are plain
  const MOST_TYPED = 2000000; // characters

  class Editor {
    // `change(text, kind)` gets what the user typed; `undo()` is asked to undo.
    constructor(passage, label, { change, undo }) {
      this.passage = passage;
      this.change = change;
      this.root = element("div", {
        class: "text", contenteditable: "true", role: "textbox", "aria-multiline": "true", "aria-label": label,
        spellcheck: "false", autocapitalize: "off", autocomplete: "off", translate: "no",
      });
      this.blocks = [];
      this.plain = 0; // blocks at the start without spans
      this.shown = 0; // tokens that are shown
      this.root.addEventListener("beforeinput", (event) => this.beforeInput(event, undo));
      this.root.addEventListener("input", (event) => event.isComposing || this.takeOver());
      this.root.addEventListener("compositionend", () => this.takeOver());
      this.root.addEventListener("drop", (event) => event.preventDefault());
    }

    // Shows the text from a token on.
    render(from) {
      let keep = this.blocks.length;
      while (keep > 0 && (this.blocks[keep - 1].first + this.blocks[keep - 1].size > from || this.blocks[keep - 1].open)) keep--;
      for (const block of this.blocks.splice(keep)) block.node.remove();
      while (this.root.lastChild && this.root.lastChild !== this.blocks[keep - 1]?.node) this.root.lastChild.remove();
      this.plain = Math.min(this.plain, keep);
      const last = this.blocks[keep - 1];
      this.shown = last ? last.first + last.size : 0;
      const { pieces } = this.passage;
      let left = 0, firstTinted = pieces.length;
      while (firstTinted > 0 && left < TINTED) left += pieces[--firstTinted].length;
      this.grow(firstTinted);
    }

    // Shows the tokens that were added; those before `tinted` without spans.
    grow(tinted = 0) {
      const { pieces, bits } = this.passage;
      let node = null, nodes = [], plain = "";
      const flush = () => {
        if (plain) nodes.push(document.createTextNode(plain));
        plain = "";
        if (node) node.append(...nodes);
        nodes = [];
      };
      for (; this.shown < pieces.length; this.shown++) {
        let block = this.blocks[this.blocks.length - 1];
        if (!block || !block.open) {
          flush();
          block = this.newBlock();
        }
        node = block.node;
        const piece = pieces[this.shown];
        if (this.shown < tinted) plain += piece;
        else nodes.push(...nodesOf(piece, bits[this.shown]));
        block.isPlain ||= this.shown < tinted;
        block.size++;
        block.characters += piece.length;
        if (piece.endsWith("\n") || block.size >= LONGEST_LINE) block.open = false;
      }
      flush();
      this.endLine();
      this.simplify();
    }

    newBlock() {
      const block = { node: element("div", { class: "line" }), first: this.shown, size: 0, characters: 0, open: true, isPlain: false };
      this.lastLine?.remove();
      this.blocks.push(block);
      this.root.append(block.node);
      return block;
    }

    // The empty last line, if the text ends with a line break; else null.
    get lastLine() {
      const last = this.root.lastElementChild;
      return last?.classList.contains("last-line") ? last : null;
    }

    endLine() {
      const last = this.blocks[this.blocks.length - 1], ended = !last || !last.open, shown = this.lastLine;
      if (ended && !shown) this.root.append(element("div", { class: "line last-line" }, element("br")));
      if (!ended) shown?.remove();
    }

    // Lines far back keep their text but not their spans.
    simplify() {
      let characters = 0, first = this.blocks.length;
      while (first > this.plain && characters < TINTED) characters += this.blocks[--first].characters;
      for (; this.plain < first; this.plain++) {
        const block = this.blocks[this.plain];
        block.node.textContent = block.node.textContent;
        block.isPlain = true;
      }
    }

    // Tints the tokens from `from` to `to`, which the model has read since they were shown.
    tint(from, to) {
      for (let index = from; index < Math.min(to, this.shown); index++) {
        const span = this.spanOf(index), bits = this.passage.bits[index];
        if (span && bits >= 0) span.className = `token surprise-${charrnn.surprisalColor(bits).level}`;
      }
    }

    // The index of the token of a span; -1 for other nodes.
    indexOf(node) {
      const span = node?.closest?.(".token");
      const block = span && this.blocks.find((one) => one.node === span.parentNode);
      return block && !block.isPlain ? block.first + Array.prototype.indexOf.call(block.node.children, span) : -1;
    }

    // The span of a token; null if it has none.
    spanOf(index) {
      let low = 0, high = this.blocks.length; // the block is the last one that begins at or before the token
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (this.blocks[middle].first <= index) low = middle;
        else high = middle;
      }
      const block = this.blocks[low];
      if (!block || index < block.first || index >= block.first + block.size) return null;
      return block.isPlain ? null : block.node.children[index - block.first];
    }

    offsetOf(container, offset) {
      const range = document.createRange();
      range.selectNodeContents(this.root);
      range.setEnd(container, offset);
      return range.toString().length;
    }

    // Where the cursor is, in characters; null if it is elsewhere.
    get cursor() {
      const selection = document.getSelection();
      if (!selection.rangeCount || !this.root.contains(selection.focusNode)) return null;
      return this.offsetOf(selection.focusNode, selection.focusOffset);
    }

    set cursor(offset) {
      const total = this.blocks.reduce((sum, block) => sum + block.characters, 0);
      const { lastLine } = this;
      if (offset >= total && lastLine) return document.getSelection().collapse(lastLine, 0);
      const texts = document.createTreeWalker(this.root, NodeFilter.SHOW_TEXT);
      let node = texts.nextNode(), left = offset;
      for (; node; node = texts.nextNode()) {
        if (left < node.length || (left === node.length && offset === total)) break;
        left -= node.length;
      }
      if (node) document.getSelection().collapse(node, left);
      else document.getSelection().collapse(this.root, this.root.childNodes.length);
    }

    beforeInput(event, undo) {
      if (event.inputType === "insertCompositionText" || !event.cancelable) return;
      event.preventDefault();
      if (event.inputType === "historyUndo") return undo();
      if (/^(format|history)/.test(event.inputType)) return;
      let [start, end] = this.rangeOf(event);
      const isLine = event.inputType === "insertParagraph" || event.inputType === "insertLineBreak";
      const typed = isLine ? "\n" : event.data ?? event.dataTransfer?.getData("text/plain") ?? "";
      const inserted = typed.slice(0, MOST_TYPED).replace(/\r\n?/g, "\n");
      const text = this.passage.shown;
      if (start === end && !inserted && event.inputType.startsWith("delete")) {
        if (/Forward$/.test(event.inputType)) end += characterAfter(text, end);
        else start -= characterBefore(text, start);
      }
      this.apply(text.slice(0, start) + inserted + text.slice(end), start + inserted.length);
    }

    rangeOf(event) {
      const [range] = event.getTargetRanges(), selection = document.getSelection();
      if (range) {
        const ends = [this.offsetOf(range.startContainer, range.startOffset), this.offsetOf(range.endContainer, range.endOffset)];
        if (selection.isCollapsed || event.inputType.startsWith("delete")) return ends;
      }
      const ends = [this.offsetOf(selection.anchorNode, selection.anchorOffset), this.offsetOf(selection.focusNode, selection.focusOffset)];
      return ends.sort((a, b) => a - b);
    }

    // What an input method typed is already in the box.
    takeOver() {
      const text = this.root.textContent;
      if (text !== this.passage.shown) this.apply(text, this.cursor ?? text.length, 0);
    }

    apply(text, cursor, from = undefined) {
      const first = this.change(text);
      this.render(from ?? first);
      this.cursor = cursor;
    }
  }

  // The space before a word has no tint, because it would be visible at the end of a line.
  function nodesOf(piece, bits) {
    return /^ \S/.test(piece) ? [" ", charrnn.spanOfText(piece.slice(1), bits)] : [charrnn.spanOfText(piece, bits)];
  }

  function characterBefore(text, at) {
    return at === 0 ? 0 : /[\udc00-\udfff]/.test(text[at - 1]) && at > 1 ? 2 : 1;
  }

  function characterAfter(text, at) {
    return at >= text.length ? 0 : /[\ud800-\udbff]/.test(text[at]) ? 2 : 1;
  }

  charrnn.Editor = Editor;
})((globalThis.charrnn ||= {}));
