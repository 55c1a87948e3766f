// The page: opens the model and shows its views as tabs.
"use strict";
(function (charrnn) {
  const { element } = charrnn;
  const ORDER = ["write", "score", "neurons"];
  charrnn.views ||= [];

  const at = (id) => document.getElementById(id);

  async function open() {
    try {
      const model = await charrnn.openEmbedded();
      describe(model);
      at("opening").remove();
      showViews(makeApp(model));
    } catch (error) {
      at("main").append(element("p", { class: "note", text: `The page cannot open its model. ${error.message}` }));
      throw error;
    }
  }

  // What a view gets.
  function makeApp(model) {
    return {
      model,
      element,
      announce,
      surprisalColor: charrnn.surprisalColor,
      tokenSpan: (id, bits) => charrnn.tokenSpan(model, id, bits),
    };
  }

  // Says something to screen readers.
  function announce(text) {
    at("live").textContent = "";
    setTimeout(() => (at("live").textContent = text), 50);
  }

  function describe(model) {
    const { name, config, level } = model.header;
    const unit = { char: "characters", byte: "bytes", word: "words", subword: "subwords" }[level];
    at("model-name").textContent = name;
    document.title = name;
    const layers = `${config.layers} ${config.layers === 1 ? "layer" : "layers"}`;
    at("model-about").textContent = `Writes ${unit}. ${config.cell.toUpperCase()}, ${layers} of ${config.hidden} units; ${charrnn.counted(model.V, "token")}.`;
  }

  function showViews(app) {
    const place = (view) => (ORDER.indexOf(view.id) + ORDER.length + 1) % (ORDER.length + 1);
    const tabs = [...charrnn.views].sort((a, b) => place(a) - place(b)).map((view) => makeTab(view, app));
    at("tabs").append(...tabs.map((tab) => tab.button));
    at("main").append(...tabs.map((tab) => tab.root));
    at("tabs").hidden = tabs.length < 2;
    tabs.forEach((tab, k) => {
      tab.button.addEventListener("click", () => choose(tabs, tab));
      tab.button.addEventListener("keydown", (event) => move(event, tabs, k));
    });
    choose(tabs, tabs[0]);
  }

  function makeTab(view, app) {
    const name = `view-${view.id}`;
    const root = element("section", { id: name, class: "view", role: "tabpanel", "aria-labelledby": `tab-${view.id}`, hidden: true });
    const button = element("button", { id: `tab-${view.id}`, type: "button", role: "tab", "aria-controls": name, text: view.title });
    return { view, app, root, button, mounted: null };
  }

  function choose(tabs, chosen) {
    for (const tab of tabs) {
      const selected = tab === chosen;
      tab.button.setAttribute("aria-selected", String(selected));
      tab.button.tabIndex = selected ? 0 : -1;
      if (!selected && !tab.root.hidden) tab.mounted?.hide?.();
      tab.root.hidden = !selected;
    }
    chosen.mounted ||= chosen.view.mount(chosen.root, chosen.app) || {};
    chosen.mounted.show?.();
  }

  function move(event, tabs, k) {
    const steps = { ArrowRight: k + 1, ArrowLeft: k - 1 + tabs.length, Home: 0, End: tabs.length - 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const tab = tabs[steps[event.key] % tabs.length];
    choose(tabs, tab);
    tab.button.focus();
  }

  if (typeof document !== "undefined" && document.getElementById("tabs")) open();
})((globalThis.charrnn ||= {}));
