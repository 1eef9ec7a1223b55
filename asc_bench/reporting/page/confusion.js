// The confusion matrix of one system, and the pairs of classes that it confuses most.

const FEW_CLASSES = 20;
const MOST_CONFUSED = 10;

function totalsOf({ labels, cells }) {
  const totals = labels.map(() => 0);
  for (const [i, , n] of cells) totals[i] += n;
  return totals;
}

function smallMatrix(matrix, title) {
  const { labels, cells } = matrix;
  const totals = totalsOf(matrix);
  const counts = new Map(cells.map(([i, j, n]) => [`${i} ${j}`, n]));
  const body = labels.map((label, i) =>
    el("tr", {}, el("th", { scope: "row" }, label), ...labels.map((other, j) => {
      const n = counts.get(`${i} ${j}`) ?? 0;
      const cell = el("td", { class: i === j ? "heat right" : "heat", title: `true ${label}, predicted ${other}: ${n} of ${totals[i]} clips` }, n ? String(n) : "");
      cell.style.setProperty("--share", String(totals[i] ? n / totals[i] : 0));
      return cell;
    })),
  );
  const head = tableHead(["true \\ predicted", ...labels], ["", ...labels.map(() => "label")]);
  const table = el("table", { class: "matrix", "aria-label": title }, head, el("tbody", {}, ...body));
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Confusion matrix" }, table);
}

// Of many classes a drawing, one unit to a class; the names are in the titles of the cells.
function largeMatrix(matrix, title) {
  const { labels, cells } = matrix;
  const totals = totalsOf(matrix);
  const size = labels.length;
  const drawn = svg("svg", { class: "large-matrix", viewBox: `0 0 ${size} ${size}`, width: Math.min(9 * size, 640), role: "img",
    "aria-label": `${title}: ${size} classes, rows true, columns predicted; the most frequent confusions are in the table` });
  drawn.append(svg("rect", { x: 0, y: 0, width: size, height: size, class: "frame", "stroke-width": 0.1 }));
  for (const [i, j, n] of cells) {
    const text = `true ${labels[i]}, predicted ${labels[j]}: ${n} of ${totals[i]} clips`;
    drawn.append(svg("rect", { x: j, y: i, width: 1, height: 1, "fill-opacity": 0.15 + 0.85 * (n / totals[i]) }, svg("title", {}, text)));
  }
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Confusion matrix" }, drawn,
    el("p", { class: "notes" }, "Rows true, columns predicted classes in the order of the protocol; point at a cell for its classes."));
}

function mostConfused(matrix) {
  const { labels, cells } = matrix;
  const totals = totalsOf(matrix);
  const wrong = cells.filter(([i, j]) => i !== j).sort((a, b) => b[2] - a[2]).slice(0, MOST_CONFUSED);
  if (!wrong.length) return el("p", {}, "No clip was classified wrong.");
  const rows = wrong.map(([i, j, n]) =>
    el("tr", {}, el("td", {}, labels[i]), el("td", {}, labels[j]), el("td", { class: "number" }, String(n)),
      el("td", { class: "number" }, String(totals[i]))),
  );
  return el("table", {}, el("caption", {}, "Most frequent confusions"),
    tableHead(["true", "predicted", "clips", "of"], ["", "", "number", "number"]), el("tbody", {}, ...rows));
}

function drawConfusion() {
  const system = byId("confusion-system").value;
  const matrices = data.confusions[system];
  setOptions(byId("confusion-device"), matrices.map(({ device }) => [device, device]));
  hideIfSingle(byId("confusion-device"));
  const matrix = matrices.find(({ device }) => device === byId("confusion-device").value);
  const title = `${system}, ${matrix.device}`;
  const drawn = matrix.labels.length <= FEW_CLASSES ? smallMatrix(matrix, title) : largeMatrix(matrix, title);
  const seeds = data.systems.find(({ name }) => name === system).n_repeats;
  const counted = seeds > 1 ? [el("p", { class: "notes" }, `Clips of all ${seeds} seeds are counted.`)] : [];
  byId("confusion").replaceChildren(el("div", { class: "beside" }, drawn, mostConfused(matrix)), ...counted);
}

function startConfusion() {
  const names = data.systems.map(({ name }) => name).filter((name) => data.confusions[name]);
  if (!reveal("confusions", names.length > 0)) return;
  setOptions(byId("confusion-system"), names.map((name) => [name, name]));
  for (const id of ["confusion-system", "confusion-device"]) byId(id).addEventListener("input", drawConfusion);
  drawConfusion();
}
