// How the trainings of one system went: a line for each run, their mean where steps coincide, and the numbers as a table.

const LOSSES = [["train_loss", "training"], ["validation_loss", "validation"]];
const ACCURACIES = [["validation_accuracy", "validation"]];

// A line in units of the axes, broken where a value is not a number; its width does not follow the size of the plot.
function curveLine([steps, values], { x, y, scale }, kind, title) {
  let path = "";
  let joined = false;
  steps.forEach((step, i) => {
    if (values[i] !== null) {
      path += `${joined ? "L" : "M"}${x.place(step).toFixed(2)} ${(100 - y.place(scale * values[i])).toFixed(2)}`;
    }
    joined = values[i] !== null;
  });
  // What has a single point is a dot: a line of no length with round ends.
  if (path && !path.includes("L")) path += "h0";
  const line = svg("path", { d: path, class: kind, "vector-effect": "non-scaling-stroke" });
  if (title) line.append(svg("title", {}, title));
  return line;
}

function curvePlot(part, quantities, { label, scale, title }) {
  const series = quantities.flatMap(([key]) => [...part.runs.map(({ points }) => points[key]), part.means[key]]);
  const y = linearAxis(series.flatMap(([, values]) => values).filter((v) => v !== null).map((v) => scale * v), { most: 5 });
  const x = linearAxis(part.runs.map(({ n_steps }) => n_steps), { most: 5, zero: true });
  const drawn = svg("svg", { class: "scatter curves", role: "img", "aria-label": `${title}: ${label} against steps; the table below holds the numbers` });
  for (const { at, text } of x.ticks) {
    const place = percentOf(x.place(at));
    drawn.append(svg("line", { x1: place, x2: place, y1: 0, y2: "100%", class: "grid" }));
    drawn.append(svg("text", { x: place, y: "100%", dy: 16, "text-anchor": "middle" }, at >= 1000 ? quantity(at) : text));
  }
  for (const { at, text } of y.ticks) {
    const place = percentOf(100 - y.place(at));
    drawn.append(svg("line", { x1: 0, x2: "100%", y1: place, y2: place, class: "grid" }));
    drawn.append(svg("text", { x: 0, y: place, dx: -6, dy: 4, "text-anchor": "end" }, text));
  }
  drawn.append(svg("text", { x: "50%", y: "100%", dy: 34, "text-anchor": "middle" }, "steps"));
  drawn.append(svg("text", { x: 0, y: 0, dx: -40, dy: -10 }, label));
  const lines = svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", width: "100%", height: "100%", overflow: "visible" });
  for (const [key, name] of quantities) {
    const many = part.runs.length > 1;
    for (const run of part.runs) {
      const kind = `curve ${name} ${many ? "thin" : "thick"}`;
      lines.append(curveLine(run.points[key], { x, y, scale }, kind, `${run.run}, ${name}`));
    }
    lines.append(curveLine(part.means[key], { x, y, scale }, `curve ${name} thick`, `mean, ${name}`));
  }
  drawn.append(lines);
  return el("div", { class: "scatter-box" }, drawn);
}

function curveTable(system, part) {
  const titles = ["run", "epochs", "steps", "training loss, last", "validation loss, last", "validation loss, lowest", "validation accuracy (%), last", "validation accuracy (%), highest"];
  const kinds = titles.map((_, i) => (i ? "number" : ""));
  const rows = part.runs.map(({ run, texts }) =>
    el("tr", {}, el("th", { scope: "row" }, run), ...texts.map((text) => el("td", { class: "number" }, text))));
  return el("table", { "aria-label": `Trainings of ${system}` }, tableHead(titles, kinds), el("tbody", {}, ...rows));
}

function curveKey(part, shown) {
  const entry = (name) => el("span", { class: "key" }, svg("svg", { width: 28, height: 10, "aria-hidden": "true" },
    svg("path", { d: "M0 5H28", class: `curve ${name} thick` })), ` ${name} `);
  const means = Object.values(part.means).some(([steps]) => steps.length);
  const several = part.runs.length > 1;
  return el("p", { class: "notes" },
    ...shown.map(entry),
    several ? (means ? "Thin: single runs; thick: their mean at the steps that all have." : "Each line is a run; no mean, as their steps differ.") : "");
}

function drawCurves() {
  const system = byId("curve-system").value;
  const found = data.curves.systems[system];
  setOptions(byId("curve-part"), found.parts.map(({ part }) => [part, part]));
  hideIfSingle(byId("curve-part"));
  const part = found.parts.find((each) => each.part === byId("curve-part").value);
  const title = found.parts.length > 1 ? `${system}, ${part.part}` : system;
  const there = (key) => part.runs.some(({ points }) => points[key][0].length > 0);
  const plots = [curvePlot(part, LOSSES, { label: "loss", scale: 1, title })];
  if (there("validation_accuracy")) {
    plots.push(curvePlot(part, ACCURACIES, { label: "accuracy (%)", scale: 100, title }));
  }
  const notes = [];
  if (!there("validation_accuracy")) notes.push("No accuracy on validation clips was noted in training.");
  if (found.n_shown < found.n_runs) notes.push(`The first ${found.n_shown} of ${found.n_runs} runs are shown; history.csv of a run holds its own.`);
  if (data.curves.without.length) notes.push(`Without a history: ${data.curves.without.join(", ")}.`);
  byId("curves-plot").replaceChildren(
    curveKey(part, there("validation_loss") ? ["training", "validation"] : ["training"]),
    el("div", { class: "panels" }, ...plots),
    ...notes.map((note) => el("p", { class: "notes" }, note)),
    el("details", {}, el("summary", {}, "Numbers"),
      el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Table of trainings" }, curveTable(title, part))),
  );
}

function startCurves() {
  const names = Object.keys(data.curves.systems);
  if (!reveal("curves", names.length > 0)) return;
  setOptions(byId("curve-system"), names.map((name) => [name, name]));
  hideIfSingle(byId("curve-system"));
  for (const id of ["curve-system", "curve-part"]) byId(id).addEventListener("input", drawCurves);
  drawCurves();
}
