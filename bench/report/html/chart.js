/* A chart: a Plotly figure in the colours of the theme, with a legend, a close-up and keyboard navigation. */

const root = document.documentElement;
const announced = document.getElementById("announced");
const each = (selector, within = document) => Array.from(within.querySelectorAll(selector));

/* plotly.js interprets some tags in a text; with these characters as entities, all of it is shown as text. */
const plain = (text) => text.replace(/[&<>]/g, (one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[one]);
const short = (text) => (text.length > 14 ? `${text.slice(0, 13)}…` : text);
const themed = (part) => JSON.parse(JSON.stringify(part), (key, value) => {
  if (typeof value !== "string" || key === "hovertemplate") return value;
  return (root.dataset.theme === "dark" && /color$/.test(key) && made.dark[value]) || plain(value);
});
/* The label of a point as plotly.js shows it, in one line. */
const words = (trace, point) => trace.hovertemplate.replace("<extra></extra>", "").split("<br>").join(", ")
  .replace(/%\{(\w+)[^}]*\}/g, (_, name) => (name === "fullData" ? trace.name : trace[name][point]));

/* Symbol of a trace in the legend: a bar with its pattern, or a line with its dashes and its mark. */
const BARS = { "/": "▨", "\\": "▧", ".": "▦", x: "▩", "-": "▤" };
const DASHES = { solid: "━", dash: "╍", dot: "┉", dashdot: "╍", longdash: "╍", longdashdot: "╍" };
const SYMBOLS = { circle: "●", square: "■", diamond: "◆", "triangle-up": "▲", cross: "✚", star: "★", x: "✖" };
const swatch = ({ type, mode, line, marker }) => {
  if (type === "bar") return BARS[marker.pattern.shape] || "■";
  const symbol = mode === "lines" ? "" : SYMBOLS[marker.symbol.replace("-open", "")];
  return mode === "markers" ? symbol : `${DASHES[line.dash]}${symbol}${DASHES[line.dash]}`;
};

class Chart {
  constructor(element, figure) {
    this.element = element;
    this.figure = figure;
    this.plot = element.querySelector(".plot");
    this.choice = element.querySelector("[data-do=choose]")?.value;
    this.at = null;
    this.drawn = false;
    this.hidden = new Set();
    this.plot.style.height = `${figure.layout.height}px`;
    this.listen();
  }

  /* The figure of the chosen run, as it was made. */
  shown() {
    const { data, layout } = this.figure;
    const chosen = (name) => !name || this.choice === undefined || name === this.choice;
    const lines = { shapes: layout.shapes.filter((one) => chosen(one.name)), annotations: layout.annotations.filter((one) => chosen(one.name)) };
    return { data: data.filter((trace) => chosen(trace.meta?.choice)), layout: { ...layout, ...lines } };
  }

  /* The figure as plotly.js draws it now. */
  current() {
    const { data, layout } = this.shown();
    const { ticktext } = layout.yaxis;
    const yaxis = ticktext && this.plot.clientWidth < 520 ? { ...layout.yaxis, ticktext: ticktext.map(short) } : layout.yaxis;
    const dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom";
    const traces = data.map((trace) => ({ ...trace, visible: !this.hidden.has(trace.legendgroup) }));
    return themed({ data: traces, layout: { ...layout, yaxis, dragmode } });
  }

  legend() {
    const box = this.element.querySelector(".legend");
    const focused = box.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    const traces = new Map();
    for (const trace of this.shown().data) {
      if (trace.legendgroup && !traces.has(trace.legendgroup)) traces.set(trace.legendgroup, trace);
    }
    box.replaceChildren(...Array.from(traces, ([name, trace]) => {
      const [button, picture, label] = ["button", "i", "span"].map((tag) => document.createElement(tag));
      Object.assign(button, { type: "button" }).dataset.name = name;
      picture.textContent = swatch(trace);
      picture.setAttribute("aria-hidden", "true");
      picture.style.color = themed(trace.marker).color;
      label.textContent = name;
      button.append(picture, label);
      button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
      button.addEventListener("click", () => {
        if (!this.hidden.delete(name)) this.hidden.add(name);
        this.redraw();
      });
      return button;
    }));
    if (focused !== null) each("button", box).find((button) => button.dataset.name === focused)?.focus();
  }

  draw() {
    if (this.drawn || !window.Plotly) return;
    this.drawn = true;
    const { data, layout } = this.current();
    Plotly.newPlot(this.plot, data, layout, { responsive: true, displayModeBar: false, doubleClick: "reset+autosize" });
    this.plot.on("plotly_relayout", (changed) => changed.annotations || this.label());
    this.legend();
    this.plot.dataset.drawn = "yes";
  }

  redraw() {
    if (!this.drawn) return;
    this.leave();
    const { data, layout } = this.current();
    Plotly.react(this.plot, data, layout);
    this.legend();
  }

  zone() {
    return this.figure.closeUps.find(({ choice }) => !choice || this.choice === undefined || choice === this.choice);
  }

  /* Shows labels that are too close together in the whole figure once it is zoomed as far as the close-up. */
  label() {
    const { annotations } = this.current().layout;
    const [zone, [low, high]] = [this.zone(), this.plot._fullLayout.xaxis.range];
    if (!zone || !annotations.some(({ visible }) => visible === false)) return;
    const close = high - low <= 1.05 * (zone.x[1] - zone.x[0]);
    Plotly.relayout(this.plot, { annotations: annotations.map((one) => ({ ...one, visible: close || one.visible })) });
  }

  reset() {
    this.redraw();
    this.press("close-up", false);
  }

  closeUp() {
    const zone = this.zone();
    this.draw();
    if (!zone || !this.drawn) return;
    Plotly.relayout(this.plot, { "xaxis.range": zone.x, ...(zone.y[0] === null ? {} : { "yaxis.range": zone.y }) });
    this.press("close-up", true);
  }

  press(what, on) {
    this.element.querySelector(`[data-do="${what}"]`)?.setAttribute("aria-pressed", String(on));
  }

  save() {
    if (!this.drawn) return;
    const { data, layout } = this.current();
    const size = { width: Math.max(900, this.plot.clientWidth), height: layout.height };
    const paper_bgcolor = getComputedStyle(document.body).backgroundColor;
    Plotly.downloadImage({ data, layout: { ...layout, paper_bgcolor } }, { format: "png", scale: 2, filename: this.figure.key, ...size });
  }

  /* ---- by keyboard --------------------------------------------------------------------------------------------- */

  listen() {
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.plot.addEventListener("focus", () => this.draw());
    this.plot.addEventListener("blur", () => this.leave());
    const choose = ({ value }) => { this.choice = value; this.reset(); };
    const actions = { choose, reset: () => this.reset(), "close-up": () => this.closeUp(), save: () => this.save() };
    for (const control of each("[data-do]", this.element)) {
      control.addEventListener(control.dataset.do === "choose" ? "change" : "click", () => actions[control.dataset.do](control));
    }
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0], Home: [0, -1e9], End: [0, 1e9] }[event.key];
    if (step) this.move(...step);
    else if (event.key === "0" || event.key === "Escape") this.reset();
    else return;
    event.preventDefault();
  }

  move(lines, points) {
    this.draw();
    const traces = this.shown().data;
    const seen = [...traces.keys()].filter((curve) => !this.hidden.has(traces[curve].legendgroup));
    if (!this.drawn || !seen.length) return;
    const bounded = (value, least, most) => Math.max(least, Math.min(most, value));
    const begun = this.at !== null && seen.includes(this.at[0]);
    const curve = begun ? seen[bounded(seen.indexOf(this.at[0]) + lines, 0, seen.length - 1)] : seen[0];
    const [first, last] = this.inside(traces[curve]);
    const point = begun ? bounded(this.at[1] + points, first, last) : first;
    this.at = [curve, point];
    Plotly.Fx.hover(this.plot, [{ curveNumber: curve, pointNumber: point }], `x${traces[curve].yaxis}`);
    announced.textContent = words(traces[curve], point);
  }

  /* The first and the last point of a line that a zoomed view shows; all of them where it shows none. */
  inside({ type, mode, x }) {
    const [low, high] = this.plot._fullLayout.xaxis.range;
    const shown = type === "scatter" && mode !== "markers" ? [...x.keys()].filter((index) => x[index] >= low && x[index] <= high) : [];
    return shown.length ? [shown[0], shown[shown.length - 1]] : [0, x.length - 1];
  }

  leave() {
    this.at = null;
    if (this.drawn) Plotly.Fx.unhover(this.plot);
  }
}
