// The page's own part in the browser: marks on the picture, picks, hover, the slider, saving, and whether the server is there.
(() => {
  const NS = "http://www.w3.org/2000/svg";
  const state = { marks: [], tool: "look", lowest: 0.3, picture: "", shown: "", drawing: null, cursor: null, corner: null };
  const find = (query, from = document) => from.querySelector(query);
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const stage = () => find("#vl-stage[data-picture]");
  const side = (name) => Number(stage().dataset[name]);
  const round = (number) => Math.round(number * 10) / 10;
  const clamp = (value, most) => Math.min(Math.max(value, 0), most);
  const picked = () => state.marks.filter((mark) => mark.kind === "pick").map((mark) => mark.id);

  function shape(name, values) {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
    return made;
  }

  function drawn(mark) {
    const at = mark.at;
    if (mark.kind === "point") return [shape("circle", { cx: at[0] + 0.5, cy: at[1] + 0.5, class: "vl-dot" })];
    if (mark.kind === "box") {
      const [x0, y0, x1, y1] = at;
      return [shape("rect", { x: x0, y: y0, width: Math.max(x1 - x0, 0), height: Math.max(y1 - y0, 0) })];
    }
    if (mark.kind === "scribble") {
      const pairs = [];
      for (let i = 0; i < at.length; i += 2) pairs.push(`${at[i]},${at[i + 1]}`);
      return [shape("polyline", { points: pairs.join(" ") })];
    }
    return [];
  }

  function refresh() {
    const table = stage();
    if (!table) return;
    if (table.dataset.picture !== state.picture) {
      state.picture = table.dataset.picture;
      Object.assign(state, { marks: [], drawing: null, cursor: null, corner: null });
      find("#vl-draw > button.open")?.click();
      if (table.getBoundingClientRect().top < 0) table.scrollIntoView();
    }
    if (table.dataset.shown !== state.shown) {
      state.shown = table.dataset.shown;
      state.marks = state.marks.filter((mark) => mark.kind !== "pick");
    }
    const layer = find(".vl-marks", table);
    layer.replaceChildren(...[...state.marks, ...(state.drawing ? [state.drawing] : [])].flatMap(drawn));
    if (state.cursor) layer.append(shape("circle", { cx: state.cursor[0], cy: state.cursor[1], class: "vl-cursor" }));
    for (const button of all("[data-tool]", table)) button.setAttribute("aria-pressed", button.dataset.tool === state.tool);
    table.dataset.using = state.tool;
    const chosen = new Set(picked());
    for (const one of all("[data-score]", table)) {
      one.classList.toggle("vl-hidden", Number(one.dataset.score) < state.lowest);
      one.classList.toggle("vl-picked", chosen.has(Number(one.dataset.id)));
    }
    for (const one of all("[data-pick]", table)) one.setAttribute("aria-pressed", chosen.has(Number(one.dataset.pick)));
    const count = state.marks.length;
    const hint = find(`[data-tool=${state.tool}]`, table).title;
    find(".vl-count", table).textContent = count ? `${count} marked, for the next question.` : hint;
  }

  function takeBrush() {
    const brush = find("#vl-board button[aria-label=Brush]:not([data-taken])");
    if (!brush) return;
    brush.dataset.taken = "";
    brush.click();
  }

  function add(mark) {
    state.marks.push(mark);
    refresh();
  }

  function pick(id) {
    const there = state.marks.findIndex((mark) => mark.kind === "pick" && mark.id === id);
    if (there >= 0) state.marks.splice(there, 1);
    else state.marks.push({ kind: "pick", id });
    refresh();
  }

  function place(event) {
    const view = find(".vl-picture", stage());
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(view.getScreenCTM().inverse());
    return [round(clamp(at.x, side("width") - 0.1)), round(clamp(at.y, side("height") - 0.1))];
  }

  const spanned = ([x0, y0], [x1, y1]) => [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
  const pen = () => Math.max(2, Math.round(Math.max(side("width"), side("height")) / 80));

  function begin(event) {
    const view = event.target.closest?.(".vl-picture");
    if (!view || state.tool === "look" || event.button !== 0) return;
    event.preventDefault();
    view.setPointerCapture(event.pointerId);
    const at = place(event);
    if (state.tool === "point") return add({ kind: "point", at: at.map(Math.floor) });
    state.corner = at;
    state.drawing = state.tool === "box" ? { kind: "box", at: [...at, ...at] } : { kind: "scribble", at, width: pen() };
    refresh();
  }

  function move(event) {
    if (!state.drawing || !event.target.closest?.(".vl-picture")) return;
    const at = place(event);
    if (state.drawing.kind === "box") state.drawing.at = spanned(state.corner, at);
    else if (state.drawing.at.length < 4000) state.drawing.at = [...state.drawing.at, ...at];
    refresh();
  }

  function finish() {
    const mark = state.drawing;
    state.drawing = state.corner = null;
    if (!mark) return;
    const [x0, y0, x1, y1] = mark.at;
    if (mark.kind === "box" ? x1 - x0 > 1 && y1 - y0 > 1 : mark.at.length >= 4) state.marks.push(mark);
    refresh();
  }

  function steer(event) {
    const view = event.target.closest?.(".vl-picture");
    if (!view || state.tool === "look") return;
    const step = Math.max(1, Math.round(Math.max(side("width"), side("height")) / (event.shiftKey ? 160 : 40)));
    const ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    state.cursor ??= [Math.round(side("width") / 2), Math.round(side("height") / 2)];
    if (ways[event.key]) {
      const [x, y] = ways[event.key];
      state.cursor = [clamp(state.cursor[0] + x, side("width") - 1), clamp(state.cursor[1] + y, side("height") - 1)];
      if (state.drawing?.kind === "box") state.drawing.at = spanned(state.corner, state.cursor);
    } else if (event.key === "Enter" || event.key === " ") press();
    else if (event.key === "Escape") state.drawing = state.corner = null;
    else return;
    event.preventDefault();
    refresh();
  }

  function press() {
    const at = [...state.cursor];
    if (state.tool === "point") return add({ kind: "point", at });
    if (state.tool === "box") {
      if (state.drawing) return finish();
      state.corner = at;
      state.drawing = { kind: "box", at: [...at, ...at] };
    } else if (state.drawing) {
      state.drawing.at = [...state.drawing.at, ...at];
      if (state.drawing.at.length >= 8) finish();
    } else state.drawing = { kind: "scribble", at, width: pen() };
  }

  function typed(field) {
    const at = field.value.trim().split(/[\s,;]+/).map(Number);
    const good = at.every(Number.isFinite) && [2, 4].includes(at.length);
    field.setCustomValidity(good ? "" : "Write two numbers for a point, or four for a box.");
    if (!good) return field.reportValidity();
    field.value = "";
    add({ kind: at.length === 2 ? "point" : "box", at });
  }

  function click(event) {
    const tool = event.target.closest?.("[data-tool]");
    if (tool) {
      Object.assign(state, { tool: tool.dataset.tool, drawing: null, cursor: null, corner: null });
      return refresh();
    }
    if (event.target.closest?.("[data-clear]")) {
      Object.assign(state, { marks: [], drawing: null });
      return refresh();
    }
    const row = event.target.closest?.("[data-pick]") ?? (state.tool === "look" ? event.target.closest?.(".vl-thing") : null);
    if (row) pick(Number(row.dataset.pick ?? row.dataset.id));
  }

  function hover(event) {
    const over = event.target.closest?.(".vl-thing, .vl-row, .vl-name");
    const same = !over ? "" : over.dataset.span && over.matches(".vl-name") ? `[data-span="${over.dataset.span}"]`
      : `[data-id="${over.dataset.id}"]`;
    for (const one of all(".vl-over")) if (!same || !one.matches(same)) one.classList.remove("vl-over");
    if (same) for (const one of all(`.vl-thing${same}, .vl-row${same}`)) one.classList.add("vl-over");
  }

  function weigh(event) {
    const most = Number(find(".vl-about")?.dataset.most);
    const file = event.target.matches?.("input[type=file]") ? event.target.files[0] : null;
    if (!file || !(file.size > most)) return;
    event.stopImmediatePropagation();
    event.target.value = "";
    const note = Object.assign(document.createElement("p"), { className: "vl-note vl-wrong", role: "alert" });
    note.textContent = `This file is too large: it has ${Math.ceil(file.size / 1e6)} MB, and at most ${Math.floor(most / 1e6)} fit.`;
    find("#vl-told .vl-note").replaceWith(note);
  }

  const tell = (() => {
    let bar = null;
    return (words) => {
      bar ??= document.body.appendChild(Object.assign(document.createElement("p"), { id: "vl-gone", role: "alert" }));
      bar.hidden = !words;
      bar.textContent = words;
      return bar;
    };
  })();
  const GONE = "The server does not answer. What you see stays here; it goes on when the server is back.";
  const ANEW = "The server was started anew and has forgotten the picture and the conversation. ";
  let wasGone = false;

  async function isSame() {
    try {
      const { created } = await (await fetch("about", { cache: "no-store" })).json();
      return String(created) === find(".vl-about").dataset.created;
    } catch {
      return false;
    }
  }

  async function look() {
    let gone = false;
    try {
      await fetch("../health", { cache: "no-store" });
    } catch {
      gone = true;
    }
    if (wasGone && !gone && !(await isSame())) {
      const button = Object.assign(document.createElement("button"), { textContent: "Open the page anew" });
      button.addEventListener("click", () => location.reload());
      return tell(ANEW).append(button);
    }
    wasGone = gone;
    if (document.body) tell(gone ? GONE : "");
    setTimeout(look, gone ? 1000 : 3000);
  }

  window.visionllm = {
    said: () => JSON.stringify(state.marks),
    threshold: (lowest) => {
      state.lowest = Number(lowest);
      refresh();
    },
    save: (file) => {
      if (!file) return;
      const { name, url } = JSON.parse(file);
      const link = Object.assign(document.createElement("a"), { href: url, download: name });
      document.body.append(link);
      link.click();
      link.remove();
    },
  };
  window.addEventListener("change", weigh, true);
  document.addEventListener("pointerdown", begin);
  document.addEventListener("pointermove", move);
  document.addEventListener("pointerup", finish);
  document.addEventListener("pointercancel", finish);
  document.addEventListener("click", click);
  document.addEventListener("pointerover", hover);
  document.addEventListener("focusin", hover);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches?.(".vl-typed")) {
      event.preventDefault();
      return typed(event.target);
    }
    return steer(event);
  });
  // A new picture may come in new elements, or in old ones with new attributes; marks are drawn anew in both.
  const watched = { childList: true, subtree: true, attributes: true, attributeFilter: ["data-picture", "data-shown"] };
  let last = null;
  new MutationObserver((changes) => {
    takeBrush();
    const table = stage();
    if (table === last && changes.every((change) => change.type !== "attributes")) return;
    last = table;
    refresh();
  }).observe(document.documentElement, watched);
  setTimeout(look, 3000);
})();
