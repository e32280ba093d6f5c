/* How things look: colours out of the page's style, patterns and marks that tell without colour, and the legend's swatches. */

const root = document.documentElement;
const announced = document.getElementById("announced");
const tidy = (number) => (typeof number === "number" ? String(number) : number);
const each = (selector, within = document) => Array.from(within.querySelectorAll(selector));

/* plotly.js takes some tags in a text for its own; with these characters as entities all of it is text. */
const plain = (text) => String(text).replace(/[&<>]/g, (one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[one]);
const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

const PATTERNS = { device_init: "/", build: ".", wait: "/", checkpoint_k: "\\", final_eval: "x", preprocess: "-" };
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "star"];
const STATES = {
  hit: { words: "reached the target", dash: "solid", symbol: "circle" },
  miss: { words: "missed the target", dash: "dash", symbol: "x" },
  unfinished: { words: "did not finish", dash: "dot", symbol: "triangle-up-open" },
};

const colour = (name) => {
  const style = getComputedStyle(root);
  return (style.getPropertyValue(`--${name}`) || style.getPropertyValue("--other")).trim();
};
const colourOf = (series) => {
  if (series.side !== undefined) return colour(`side-${series.side % 6}`);
  return colour(series.state || series.phase || "hit");
};

/* A swatch of the legend: the line with its dashes and its mark, or the bar with its pattern. */
const SWATCHES = {
  circle: '<circle cx="14" cy="7" r="3.5"/>', square: '<rect x="10.5" y="3.5" width="7" height="7"/>',
  diamond: '<path d="M14 2l5 5-5 5-5-5z"/>', "triangle-up": '<path d="M14 2.5l4.5 8h-9z"/>',
  x: '<path d="M10.5 3.5l7 7m0-7l-7 7" stroke-width="2.5"/>', cross: '<path d="M14 2.5v9m-4.5-4.5h9" stroke-width="2.5"/>',
  star: '<path d="M14 1.5l1.6 3.7 4 .4-3 2.7.9 3.9-3.5-2.1-3.5 2.1.9-3.9-3-2.7 4-.4z"/>', "triangle-up-open": '<path d="M14 2.5l4.5 8h-9z" fill="none" stroke-width="1.5"/>',
};
const LINES = { solid: "", dash: "6 3", dot: "1.5 2.5", dashdot: "6 2 1.5 2", longdash: "9 3", longdashdot: "9 2 1.5 2" };
const FILLS = {
  "/": '<path d="M1 12L9 2m-3 11l8-10m-3 11l8-10"/>', "\\": '<path d="M1 2l8 10m-3-11l8 10m-3-11l8 10"/>',
  ".": '<path d="M5 5h1.5m4 0h1.5m-4 4h1.5m4 0h1.5" stroke-width="1.6"/>', x: '<path d="M2 2l10 10m-6-11l10 10M12 2L2 12m14-10L6 12"/>', "-": '<path d="M2 5h16m-16 4h16"/>',
};
const swatch = (ink, { dash, symbol, fill }) => {
  const [paper, size] = [colour("paper"), 'width="28" height="14" viewBox="0 0 28 14" aria-hidden="true"'];
  if (fill !== undefined) {
    return `<svg ${size.replace('width="28"', 'width="20"').replace("0 0 28", "0 0 20")}><rect x="1" y="1" width="18" height="12" fill="${ink}"/><g stroke="${paper}" fill="none">${FILLS[fill] || ""}</g></svg>`;
  }
  const line = dash === undefined ? "" : `<line x1="1" y1="7" x2="27" y2="7" stroke-width="2" stroke-dasharray="${LINES[dash]}"/>`;
  return `<svg ${size}><g stroke="${ink}" fill="${ink}">${line}${SWATCHES[symbol] || ""}</g></svg>`;
};
