/* A chart: a figure's numbers drawn by plotly.js, with a legend, close-ups, and a way through its points by keyboard. */

class Chart {
  constructor(element, figure) {
    this.element = element;
    this.figure = figure;
    this.plot = element.querySelector(".plot");
    this.choice = figure.choices[0] || "";
    this.at = null;
    this.drawn = false;
    this.hidden = new Set();
    this.plot.style.height = `${this.height()}px`;
    this.listen();
  }

  height() {
    const { panels, horizontal, ticks } = this.figure;
    const rows = horizontal ? this.positions().length : 0;
    if (horizontal) return Math.max(160, rows * (ticks.length ? 90 : rows > 20 ? 20 : 30) + 70);
    return panels.length > 1 ? 130 * panels.length + 70 : 380;
  }

  positions() {
    const { ticks, xs } = this.figure;
    return ticks.length ? ticks.map((tick) => tick[0]) : [...new Set(xs.flat())];
  }

  shown() {
    return this.figure.series.filter((series) => !series.choice || series.choice === this.choice);
  }

  hover(series, index) {
    const { horizontal, xTitle, panels, ticks, xs } = this.figure;
    const x = xs[series.x][index];
    const lines = [series.name];
    const place = ticks.find((tick) => tick[0] === x);
    if (place && !horizontal) lines.push(place[1]);
    else if (typeof x === "string") lines.push(this.figure.key === "epochs" ? `${xTitle} ${x}` : x);
    else if (!ticks.length) lines.push(`${xTitle}: ${tidy(x)}`);
    lines.push(`${panels[series.panel].title}: ${tidy(series.y[index])}`);
    if (series.low) lines.push(`95 % interval ${tidy(series.low[index])} to ${tidy(series.high[index])}`);
    if (series.hover) lines.push(series.hover[index]);
    return lines;
  }

  traces() {
    return this.shown().map((series) => this.trace(series));
  }

  /* What the legend calls a series, and how it looks there; nothing for one that needs no telling apart. */
  entry(series) {
    const { panels, stacked, ticks } = this.figure;
    const state = STATES[series.state];
    if (series.kind === "bar") return stacked ? { name: series.name, look: { fill: PATTERNS[series.phase] || "" } } : null;
    if (series.side === undefined) return state ? { name: state.words, look: state } : null;
    if (panels.length > 1) {
      const alone = this.shown().filter((other) => other.panel === series.panel).length < 2;
      return alone ? null : { name: series.name, look: { dash: DASHES[series.side % 6] } };
    }
    const look = { symbol: SYMBOLS[series.side % 6] };
    return { name: series.legend || series.name, look: ticks.length ? look : { ...look, dash: DASHES[series.side % 6] } };
  }

  legend() {
    const box = this.element.querySelector(".legend");
    const entries = new Map();
    for (const series of this.shown()) {
      const entry = this.entry(series);
      if (entry && !entries.has(entry.name)) entries.set(entry.name, swatch(colourOf(series), entry.look));
    }
    const focused = box.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    box.replaceChildren(...Array.from(entries, ([name, picture]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.name = name;
      button.innerHTML = picture;
      const words = document.createElement("span");
      words.textContent = name;
      button.append(words);
      button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
      button.addEventListener("click", () => {
        if (!this.hidden.delete(name)) this.hidden.add(name);
        this.redraw();
      });
      return button;
    }));
    if (focused !== null) each("button", box).find((button) => button.dataset.name === focused)?.focus();
  }

  trace(series) {
    const { horizontal, xs, panels, stacked } = this.figure;
    const [x, y] = [xs[series.x].map((one) => (typeof one === "string" ? plain(one) : one)), series.y];
    const ink = colourOf(series);
    const state = STATES[series.state];
    const entry = this.entry(series);
    const trace = {
      name: plain(series.name),
      x: horizontal ? y : x,
      y: horizontal ? x : y,
      yaxis: `y${series.panel ? series.panel + 1 : ""}`,
      text: series.y.map((_, index) => this.hover(series, index).map(plain).join("<br>")),
      hovertemplate: "%{text}<extra></extra>",
      visible: !(entry && this.hidden.has(entry.name)),
      cliponaxis: panels.length > 1,
    };
    if (series.kind === "bar") {
      const pattern = { shape: stacked ? PATTERNS[series.phase] || "" : "", size: 6, solidity: 0.25, fgcolor: colour("paper"), fillmode: "overlay" };
      return Object.assign(trace, {
        type: "bar",
        orientation: horizontal ? "h" : "v",
        textposition: "none",
        marker: { color: ink, line: { color: colour("paper"), width: 0.5 }, pattern },
      });
    }
    trace.type = "scatter";
    const own = SYMBOLS[(series.side || 0) % 6] + (state && series.state !== "hit" ? "-open" : "");
    const symbol = state && series.side === undefined ? state.symbol : own;
    const marker = { color: ink, symbol, line: { color: colour("paper"), width: 1 } };
    if (series.kind === "interval") {
      Object.assign(trace, { mode: "markers", marker: { ...marker, symbol: "diamond", size: 13 } });
      if (series.low) {
        trace[horizontal ? "error_x" : "error_y"] = {
          type: "data",
          symmetric: false,
          array: series.high.map((high, index) => high - series.y[index]),
          arrayminus: series.low.map((low, index) => series.y[index] - low),
          color: ink,
          thickness: 2.5,
          width: 8,
        };
      }
    } else if (series.kind === "points") {
      Object.assign(trace, { mode: "markers", marker: { ...marker, size: 11 } });
    } else {
      const few = x.length <= 60 && panels.length === 1;
      const dash = series.side !== undefined ? DASHES[series.side % 6] : state ? state.dash : "solid";
      Object.assign(trace, {
        mode: few || x.length === 1 ? "lines+markers" : "lines",
        line: { color: ink, width: 1.7, dash },
        marker: { ...marker, size: symbol === "circle" ? 5 : 7, line: { width: symbol.endsWith("-open") ? 1.5 : 0, color: ink } },
        opacity: this.figure.series.length > 24 && panels.length === 1 ? 0.7 : 1,
      });
    }
    return trace;
  }

  layout() {
    const { panels, horizontal, xTitle, ticks, stacked } = this.figure;
    const [ink, muted, line] = [colour("ink"), colour("muted"), colour("line")];
    const narrow = this.plot.clientWidth < 520;
    const axis = { gridcolor: line, linecolor: muted, zerolinecolor: line, tickcolor: muted, automargin: true, tickfont: { size: 12 } };
    const title = (text) => ({ text: plain(text), font: { size: 12.5 }, standoff: 8 });
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, family: getComputedStyle(document.body).fontFamily, size: 12.5 },
      margin: { l: narrow ? 44 : 56, r: 14, t: 30, b: 46 },
      height: this.height(),
      barmode: stacked ? "stack" : "group",
      bargap: 0.25,
      hovermode: "closest",
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      hoverlabel: { bgcolor: colour("panel"), bordercolor: muted, font: { color: ink, size: 12.5 }, align: "left" },
      showlegend: false,
      shapes: [],
      annotations: [],
    };
    const gap = panels.length > 1 ? 34 / (this.height() - 80) : 0;
    const size = (1 - gap * (panels.length - 1)) / panels.length;
    panels.forEach((panel, index) => {
      const name = index ? index + 1 : "";
      const top = 1 - index * (size + gap);
      const own = { ...axis, domain: [Math.max(0, top - size), top], nticks: panels.length > 1 ? 5 : 9 };
      if (panel.low !== null && panel.high !== null) own.range = [panel.low, panel.high];
      else if (panel.low === 0) own.rangemode = "tozero";
      layout[`yaxis${name}`] = own;
      layout.annotations.push(this.words(plain(horizontal ? "" : panel.title), {
        x: 0, xref: "paper", xanchor: "left", y: top, yref: "paper", yanchor: "bottom", yshift: 3, font: { size: 12.5, color: muted },
      }));
      for (const target of panel.targets) {
        layout.shapes.push({
          type: "line", xref: "paper", x0: 0, x1: 1, yref: `y${name}`, y0: target.value, y1: target.value,
          line: { color: ink, width: 1.2, dash: "longdash" },
        });
        layout.annotations.push(this.words(plain(target.label), {
          x: 0.005, xref: "paper", xanchor: "left", y: target.value, yref: `y${name}`, yanchor: "bottom", font: { size: 11.5, color: ink },
        }));
      }
    });
    const last = panels.length > 1 ? `y${panels.length}` : "y";
    layout.xaxis = { ...axis, title: title(xTitle), anchor: last, hoverformat: "" };
    const names = ticks.length ? { tickmode: "array", tickvals: ticks.map((tick) => tick[0]), ticktext: ticks.map((tick) => plain(short(tick[1], narrow ? 14 : 40))) } : {};
    if (horizontal) {
      const rows = this.positions();
      Object.assign(layout.xaxis, { title: title(panels[0].title) }, panels[0].low === 0 ? { rangemode: "tozero" } : {});
      Object.assign(layout.yaxis, ticks.length ? { ...names, range: [rows.length - 0.4, -0.6] } : { type: "category", autorange: "reversed", nticks: 60 });
      layout.margin.t = 10;
    } else if (ticks.length) {
      Object.assign(layout.xaxis, names, { tickangle: narrow ? -90 : -40 });
      layout.bargap = 0.05;
    } else if (this.shown().some((series) => series.kind === "bar")) {
      layout.xaxis.type = "category";
    } else {
      layout.xaxis.rangemode = "tozero";
    }
    this.mark(layout);
    return layout;
  }

  words(text, more) {
    return { text, showarrow: false, ...more };
  }

  mark(layout) {
    const marks = this.figure.marks.filter((mark) => !mark[2] || mark[2] === this.choice);
    const many = this.figure.panels.length > 1;
    for (const [x, label] of marks) {
      layout.shapes.push({
        type: "line", xref: "x", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, layer: many ? "below" : "above",
        line: { color: colour(many ? "muted" : "ink"), width: many ? 0.6 : 1.8, dash: many ? "dot" : "dash" },
      });
      if (!many) {
        layout.annotations.push(this.words(plain(label), { x, xref: "x", xanchor: "left", xshift: 4, y: 1, yref: "paper", yanchor: "top", font: { size: 12, color: colour("ink") } }));
      }
    }
    /* Epochs are close together in a long life; their names come when the reader is close, too. */
    this.marked = many ? marks.filter((mark) => mark[1]) : [];
  }

  draw() {
    if (this.drawn || !window.Plotly) return;
    this.drawn = true;
    const config = { responsive: true, displayModeBar: false, displaylogo: false, doubleClick: "reset+autosize" };
    Plotly.newPlot(this.plot, this.traces(), this.layout(), config);
    this.plot.on("plotly_relayout", (changed) => this.name(changed));
    this.legend();
    this.plot.dataset.drawn = "yes";
  }

  redraw() {
    if (!this.drawn) return;
    this.leave();
    Plotly.react(this.plot, this.traces(), this.layout());
    this.legend();
  }

  /* Names the marks that a zoomed view has room for. */
  name(changed) {
    if (!this.marked.length || changed.annotations) return;
    const [low, high] = this.plot._fullLayout.xaxis.range;
    const inside = this.marked.filter(([x]) => x >= low && x <= high);
    const room = this.plot.clientWidth / 26;
    const span = inside.length > 1 ? (inside[inside.length - 1][0] - inside[0][0]) / (high - low) : 1;
    const told = inside.length && (span * this.plot.clientWidth) / inside.length > 18 && inside.length <= room ? inside : [];
    const kept = this.layout().annotations;
    const names = told.map(([x, label]) => this.words(plain(label), { x, xref: "x", y: 0, yref: "paper", yanchor: "bottom", xanchor: "right", xshift: -1, bgcolor: colour("paper"), borderpad: 0, font: { size: 10.5, color: colour("muted") } }));
    Plotly.relayout(this.plot, { annotations: [...kept, ...names] });
  }

  reset() {
    this.leave();
    if (this.drawn) this.redraw();
    this.press("close-up", false);
  }

  closeUp() {
    const found = this.figure.closeUps.find((close) => !close.choice || close.choice === this.choice);
    this.draw();
    if (!found || !this.drawn) return;
    const range = { "xaxis.range": found.x };
    if (found.y[0] !== null) range["yaxis.range"] = found.y;
    Plotly.relayout(this.plot, range);
  }

  press(what, on) {
    const button = this.element.querySelector(`[data-do="${what}"]`);
    if (button) button.setAttribute("aria-pressed", String(on));
  }

  /* ---- by keyboard --------------------------------------------------------------------------------------------- */

  listen() {
    this.plot.addEventListener("keydown", (event) => this.key(event));
    this.plot.addEventListener("focus", () => this.draw());
    this.plot.addEventListener("blur", () => this.leave());
    for (const control of each("[data-do]", this.element)) {
      const does = control.dataset.do;
      if (does === "choose") control.addEventListener("change", () => { this.choice = control.value; this.press("close-up", false); this.redraw(); });
      if (does === "reset") control.addEventListener("click", () => this.reset());
      if (does === "close-up") control.addEventListener("click", () => { this.closeUp(); this.press("close-up", true); });
      if (does === "save") control.addEventListener("click", () => this.save());
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
    const shown = this.traces();
    if (!this.drawn || !shown.some((trace) => trace.visible)) return;
    const bounded = (value, most) => Math.max(0, Math.min(most, value));
    const seen = shown.map((trace, curve) => (trace.visible ? curve : -1)).filter((curve) => curve >= 0);
    const begun = this.at !== null && seen.includes(this.at[0]);
    const curve = begun ? seen[bounded(seen.indexOf(this.at[0]) + lines, seen.length - 1)] : seen[0];
    const [first, last] = this.inside(shown[curve]);
    const point = begun ? Math.max(first, Math.min(last, this.at[1] + points)) : first;
    this.at = [curve, point];
    const series = this.shown()[curve];
    Plotly.Fx.hover(this.plot, [{ curveNumber: curve, pointNumber: point }], series.panel ? `xy${series.panel + 1}` : "xy");
    announced.textContent = this.hover(series, point).join(", ");
  }

  /* The first and the last point of a line that a zoomed view shows; all of them where it shows none. */
  inside(trace) {
    const { type, range } = this.plot._fullLayout.xaxis;
    const all = [0, trace.y.length - 1];
    if (type !== "linear" || this.figure.horizontal) return all;
    const seen = trace.x.map((x, index) => (x >= range[0] && x <= range[1] ? index : -1)).filter((index) => index >= 0);
    return seen.length ? [seen[0], seen[seen.length - 1]] : all;
  }

  leave() {
    this.at = null;
    if (this.drawn) Plotly.Fx.unhover(this.plot);
  }

  save() {
    if (!this.drawn) return;
    const size = { width: Math.max(900, this.plot.clientWidth), height: this.height() };
    const paper = { paper_bgcolor: colour("paper") };
    Plotly.downloadImage({ data: this.traces(), layout: { ...this.layout(), ...paper } }, { format: "png", scale: 2, filename: this.figure.key, ...size });
  }
}
