// The settings of writing, as fields.
"use strict";
(function (charrnn) {
  const { element } = charrnn;

  const FIELDS = [
    { name: "temperature", label: "Temperature", value: 0.8, min: 0, max: 2, step: 0.05, hint: "Higher values take more risks.", slides: true },
    { name: "length", label: "Length", value: 500, min: 0, max: 1000000, step: 1, hint: "How many tokens to write; 0: until you pause." },
    { name: "topP", label: "Top-p", value: 0.9, min: 0.01, max: 1, step: 0.01, hint: "Choose among the likeliest tokens that together have this probability." },
    { name: "topN", label: "Top-n", value: 0, min: 0, max: 1000000, step: 1, hint: "Choose among the N likeliest tokens; 0: all." },
    { name: "minP", label: "Min-p", value: 0, min: 0, max: 0.99, step: 0.01, hint: "Skip tokens less likely than this fraction of the likeliest one." },
    { name: "repetitionPenalty", label: "Repetition penalty", value: 1, min: 0.01, max: 100, step: 0.01, hint: "Above 1: recent tokens become less likely." },
    { name: "repetitionWindow", label: "Repetition window", value: 64, min: 1, max: 1000000, step: 1, hint: "How many recent tokens the penalty looks at." },
  ];

  class Settings {
    constructor(changed) {
      this.values = Object.fromEntries(FIELDS.map((field) => [field.name, field.value]));
      this.inputs = {};
      this.changed = changed;
      const [first, ...others] = FIELDS.map((field) => this.field(field));
      this.main = first;
      this.more = element("div", { class: "fields" }, others);
    }

    static has(name) {
      return FIELDS.some((field) => field.name === name);
    }

    field(field) {
      const { name, label, min, max, step, hint } = field;
      const input = element("input", {
        type: field.slides ? "range" : "number", id: `setting-${name}`, min, max, step, value: String(field.value),
        "aria-describedby": `hint-${name}`, on: { input: () => this.take(field, input.value, true) },
      });
      const shown = field.slides ? element("output", { for: input.id, text: String(field.value) }) : null;
      this.inputs[name] = { input, shown };
      return element("label", { class: "field", title: hint, for: input.id }, element("span", null, label, " ", shown), input,
        element("span", { class: "hint", id: `hint-${name}`, text: hint }));
    }

    // Takes a value if it is in range; else the field says that it is not.
    take(field, text, isTyped) {
      const { input, shown } = this.inputs[field.name], number = Number(text);
      const isRight = text.trim() !== "" && number >= field.min && number <= field.max && (field.step !== 1 || Number.isInteger(number));
      if (isTyped) input.setAttribute("aria-invalid", String(!isRight));
      if (!isRight) return;
      if (!isTyped) input.value = text;
      if (shown) shown.textContent = String(number);
      if (this.values[field.name] === number) return;
      if (isTyped) this.changed();
      this.values[field.name] = number;
    }

    // Takes the values of a link. What a link does not name has its default.
    open(values) {
      for (const field of FIELDS) this.take(field, values[field.name] ?? String(field.value), false);
    }
  }

  charrnn.Settings = Settings;
})((globalThis.charrnn ||= {}));
