/* Sorting, filtering, light and dark, printing, and when charts are drawn. */

const made = JSON.parse(document.getElementById("figures").textContent);
const charts = [];

/* ---- tables ----------------------------------------------------------------------------------------------------- */

const valueOf = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.sort || cell.textContent;
  return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
};
const order = (one, other) => {
  if (typeof one === "number" && typeof other === "number") return one === other ? 0 : one - other;
  return String(one).localeCompare(String(other), "en", { numeric: true });
};

const sortable = (table) => {
  each("thead th", table).forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      each("thead th", table).forEach((other) => other.setAttribute("aria-sort", "none"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = Array.from(table.tBodies[0].rows).map((row) => [valueOf(row, column), row]);
      /* Unknown values are last in either order. */
      rows.sort(([one], [other]) => (one === "" || other === "" ? (one === "") - (other === "") : (down ? -1 : 1) * order(one, other)));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
};

const filtered = (box) => {
  const rows = each("tbody tr", box);
  const controls = Object.fromEntries(each("[data-do]", box).map((control) => [control.dataset.do, control]));
  const apply = () => {
    const words = controls.filter.value.trim().toLowerCase().split(/\s+/);
    let left = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const cells = Array.from(row.cells, (cell) => cell.textContent.toLowerCase());
      const fits =
        words.every((word) => (word === "" ? true : /^\d+$/.test(word) ? cells[0] === word || cells.slice(1).some((cell) => cell.startsWith(word)) : text.includes(word))) &&
        (!controls.status.value || row.dataset.status === controls.status.value) &&
        (!controls.verdict.value || row.dataset.verdict === controls.verdict.value);
      row.hidden = !fits;
      left += fits;
    }
    box.querySelector(".count").textContent = `${left} of ${rows.length} runs`;
  };
  controls.filter.addEventListener("input", apply);
  controls.status.addEventListener("change", apply);
  controls.verdict.addEventListener("change", apply);
  controls.columns.addEventListener("click", () => controls.columns.setAttribute("aria-pressed", String(box.classList.toggle("wide"))));
};

/* ---- light and dark ---------------------------------------------------------------------------------------------- */

const theme = document.getElementById("theme");
const wanted = matchMedia("(prefers-color-scheme: dark)");
const remembered = () => { try { return localStorage.getItem("theme"); } catch { return null; } };
const remember = (name) => { try { localStorage.setItem("theme", name); } catch { /* storage may be unavailable for local files */ } };
let chosen = remembered();
const show = (name) => {
  if (root.dataset.theme === name) return;
  root.dataset.theme = name;
  theme.setAttribute("aria-pressed", String(name === "dark"));
  charts.forEach((chart) => chart.redraw());
};
const follow = () => show(chosen || (wanted.matches ? "dark" : "light"));
theme.hidden = false;
theme.addEventListener("click", () => {
  chosen = root.dataset.theme === "dark" ? "light" : "dark";
  remember(chosen);
  follow();
});
wanted.addEventListener("change", follow);
follow();

/* ---- start --------------------------------------------------------------------------------------------------------- */

each("table.sortable").forEach(sortable);
each(".seeds").forEach(filtered);
for (const box of each(".fingerprint [data-do='differing']")) {
  const apply = () => box.closest(".fingerprint").classList.toggle("only-differing", box.checked);
  box.addEventListener("change", apply);
  apply();
}
for (const element of each(".chart")) {
  const figure = made.figures.find(({ key }) => key === element.dataset.figure);
  if (figure) charts.push(new Chart(element, figure));
}
/* The first chart is drawn at once, the others when they are near the screen or the browser is idle. */
const near = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) {
    if (isIntersecting) {
      near.unobserve(target);
      charts.find((chart) => chart.plot === target).draw();
    }
  }
}, { rootMargin: "300px" });
const idle = window.requestIdleCallback || ((work) => setTimeout(work, 50));
const rest = () => {
  const next = charts.find((chart) => !chart.drawn);
  if (!next) return;
  next.draw();
  idle(rest);
};
/* plotly.js is last in the file, so the page can be read, sorted and filtered while it loads. */
document.addEventListener("DOMContentLoaded", () => {
  if (charts.length) charts[0].draw();
  charts.slice(1).forEach((chart) => near.observe(chart.plot));
  idle(rest);
});

let before = null;
window.addEventListener("beforeprint", () => {
  before = root.dataset.theme;
  charts.forEach((chart) => chart.draw());
  show("light");
});
window.addEventListener("afterprint", () => show(before || "light"));
