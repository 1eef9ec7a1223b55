// Plots whose positions are percentages, so that they follow the width of the page while their type keeps its size.

function inPrint(value, measure) {
  return measure.unit === "percent" ? 100 * value : value;
}

function unitOf(measure) {
  return measure.unit === "percent" ? "%" : measure.unit === "ratio" ? "" : measure.unit;
}

function niceStep(span, most) {
  const rough = span / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough);
}

// A linear axis around some numbers: position in percent and ticks.
function linearAxis(numbers, { most = 5, zero = false } = {}) {
  const known = numbers.filter((number) => number !== null && Number.isFinite(number));
  if (zero) known.push(0);
  let low = known.length ? Math.min(...known) : 0;
  let high = known.length ? Math.max(...known) : 1;
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const step = niceStep(high - low, most);
  low = step * Math.floor(low / step);
  high = step * Math.ceil(high / step);
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = [];
  for (let i = 0; i <= Math.round((high - low) / step); i += 1) {
    const at = low + i * step;
    ticks.push({ at, text: at.toFixed(decimals).replace(/^-(?=0*\.?0*$)/, "").replace("-", "−") });
  }
  return { ticks, place: (number) => (100 * (number - low)) / (high - low) };
}

function quantity(number) {
  for (const [factor, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (number >= factor) return `${Number((number / factor).toPrecision(3))} ${unit}`;
  }
  return `${Number(number.toPrecision(3))}`;
}

// Logarithmic, with a tick at powers of ten, or at more numbers where that gives too few.
function logAxis(numbers) {
  let low = Math.log10(Math.min(...numbers));
  let high = Math.log10(Math.max(...numbers));
  const margin = Math.max(0.08 * (high - low), 0.1);
  low -= margin;
  high += margin;
  let ticks = [];
  for (const factors of [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7], [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 5, 6, 7, 8, 9]]) {
    ticks = [];
    for (let power = Math.floor(low); power <= high; power += 1) ticks.push(...factors.map((factor) => factor * 10 ** power));
    ticks = ticks.filter((at) => Math.log10(at) >= low && Math.log10(at) <= high);
    if (ticks.length >= 3) break;
  }
  return { ticks: ticks.map((at) => ({ at, text: quantity(at) })), place: (number) => (100 * (Math.log10(number) - low)) / (high - low) };
}

function percentOf(place) {
  return `${place.toFixed(3)}%`;
}

// One line of a dot plot: interval, value, seeds and published value; what it shows stands as text beside it.
function strip(axis, row, { grid = false, zero = false } = {}) {
  const line = (x1, x2, kind) =>
    svg("line", { x1: percentOf(x1), x2: percentOf(x2), y1: "50%", y2: "50%", class: kind });
  const upright = (x, kind) => svg("line", { x1: percentOf(x), x2: percentOf(x), y1: "-4", y2: "24", class: kind });
  const drawn = svg("svg", { class: "strip", "aria-hidden": "true", focusable: "false" });
  if (grid) drawn.append(...axis.ticks.map((tick) => upright(axis.place(tick.at), "grid")));
  if (zero) drawn.append(upright(axis.place(0), "zero"));
  if (row.low !== null && row.high !== null) drawn.append(line(axis.place(row.low), axis.place(row.high), "interval"));
  for (const seed of row.seeds ?? []) {
    drawn.append(svg("circle", { cx: percentOf(axis.place(seed)), cy: "50%", r: 3, class: "seed" }));
  }
  if (row.value !== null) {
    const kind = row.open ? "value open" : "value";
    drawn.append(svg("circle", { cx: percentOf(axis.place(row.value)), cy: "50%", r: 4, class: kind }));
  }
  if (row.printed !== undefined) {
    const mark = svg("svg", { x: percentOf(axis.place(row.printed)), y: "50%", overflow: "visible" });
    mark.append(svg("path", { d: "M0,-6L5,0L0,6L-5,0Z", class: "printed" }));
    drawn.append(mark);
  }
  return drawn;
}

function axisLabels(axis) {
  const labels = el("span", { class: "axis", "aria-hidden": "true" });
  for (const tick of axis.ticks) {
    const label = el("span", {}, tick.text);
    label.style.left = percentOf(axis.place(tick.at));
    labels.append(label);
  }
  return labels;
}

// A table with a plot in its second column. Rows: {name, value, low, high, text, seeds, printed, open, more}.
function dotPlot({ title, rows, axis, header, more = [], zero = false }) {
  const columns = ["name", "plot", "value", ...more.map(() => "p")].map((kind) => el("col", { class: kind }));
  const body = rows.map((row) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, row.name),
      el("td", {}, strip(axis, row, { grid: true, zero })),
      el("td", { class: "number" }, row.text),
      ...(row.more ?? []).map((text) => el("td", { class: "number" }, text)),
    ),
  );
  const head = tableHead(["system", "", header, ...more], ["", "", "number", ...more.map(() => "number")]);
  head.querySelectorAll("th")[1].replaceWith(el("td"));
  const empty = more.map(() => el("td"));
  return el(
    "table",
    { class: "dots" },
    el("caption", {}, title),
    el("colgroup", {}, ...columns),
    head,
    el("tbody", {}, ...body),
    el("tfoot", {}, el("tr", {}, el("td"), el("td", {}, axisLabels(axis)), el("td"), ...empty)),
  );
}
