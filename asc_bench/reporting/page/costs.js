// Scores against what a system costs, with the systems that no other one beats in both.

const COSTS = [["macs", "multiply-accumulate operations per clip"], ["n_parameters", "parameters"], ["train_s", "training time (s)"], ["clip_ms", "ms per clip on one core"]];

// No other system costs no more and scores no less, and one of the two better.
function onFront(point, points, higher) {
  const better = (a, b) => (higher ? a > b : a < b);
  return !points.some(
    (other) =>
      other.cost <= point.cost && !better(point.score, other.score) &&
      (other.cost < point.cost || better(other.score, point.score)),
  );
}

function pointsOf(cost, measure) {
  const known = scored.filter(({ costs, scores }) => costs[cost].value > 0 && scores[measure.name]);
  const points = known
    .map((system) => ({
      name: system.name,
      cost: system.costs[cost].value,
      costText: system.costs[cost].text,
      score: system.scores[measure.name].value,
      text: system.scores[measure.name].text,
      low: system.scores[measure.name].low,
      high: system.scores[measure.name].high,
      seeds: (system.seeds[measure.name] ?? []).map(([, value]) => value),
    }))
    .sort((a, b) => a.cost - b.cost);
  points.forEach((point, i) => {
    point.number = i + 1;
    point.front = onFront(point, points, measure.higher);
  });
  return points;
}

function scatter(points, measure, costTitle) {
  const x = logAxis(points.map(({ cost }) => cost));
  const up = (score) => inPrint(score, measure);
  const y = linearAxis(points.flatMap((p) => [p.score, p.low, p.high, ...p.seeds].filter((n) => n !== null).map(up)));
  const across = (cost) => percentOf(x.place(cost));
  const down = (score) => percentOf(100 - y.place(up(score)));
  const unit = unitOf(measure);
  const drawn = svg("svg", { class: "scatter", role: "img", "aria-label": `${measure.name} against ${costTitle}; the table beside it holds the numbers` });
  for (const { at, text } of x.ticks) {
    drawn.append(svg("line", { x1: across(at), x2: across(at), y1: 0, y2: "100%", class: "grid" }));
    drawn.append(svg("text", { x: across(at), y: "100%", dy: 16, "text-anchor": "middle" }, text));
  }
  for (const { at, text } of y.ticks) {
    const place = percentOf(100 - y.place(at));
    drawn.append(svg("line", { x1: 0, x2: "100%", y1: place, y2: place, class: "grid" }));
    drawn.append(svg("text", { x: 0, y: place, dx: -6, dy: 4, "text-anchor": "end" }, text));
  }
  drawn.append(svg("text", { x: "50%", y: "100%", dy: 34, "text-anchor": "middle" }, costTitle));
  drawn.append(svg("text", { x: 0, y: 0, dx: -40, dy: -10 }, `${measure.name}${unit ? ` (${unit})` : ""}`));
  const front = points.filter((point) => point.front);
  front.slice(1).forEach((point, i) => {
    const before = front[i];
    drawn.append(svg("line", { x1: across(before.cost), x2: across(point.cost), y1: down(before.score), y2: down(before.score), class: "front" }));
    drawn.append(svg("line", { x1: across(point.cost), x2: across(point.cost), y1: down(before.score), y2: down(point.score), class: "front" }));
  });
  for (const point of points) {
    const cx = across(point.cost);
    const mark = svg("g", {}, svg("title", {}, `${point.name}: ${point.text}, ${point.costText}`));
    if (point.low !== null && point.high !== null) {
      mark.append(svg("line", { x1: cx, x2: cx, y1: down(point.low), y2: down(point.high), class: "interval" }));
    }
    mark.append(...point.seeds.map((seed) => svg("circle", { cx, cy: down(seed), r: 3, class: "seed" })));
    mark.append(svg("circle", { cx, cy: down(point.score), r: 5, class: point.front ? "value on-front" : "value" }));
    // Neighbours have their numbers on two sides, so that these do not cover each other.
    const side = point.number % 2 ? { dx: 8, "text-anchor": "start" } : { dx: -8, "text-anchor": "end" };
    mark.append(svg("text", { x: cx, y: down(point.score), dy: -6, ...side }, String(point.number)));
    drawn.append(mark);
  }
  return el("div", { class: "scatter-box" }, drawn);
}

function costTable(points, measure, costTitle) {
  const body = points.map((point) =>
    el("tr", {},
      el("td", { class: "number" }, String(point.number)),
      el("th", { scope: "row" }, point.name),
      el("td", { class: "number" }, point.costText),
      el("td", { class: "number" }, point.text),
      el("td", {}, point.front ? "yes" : ""),
    ),
  );
  const titles = ["point", "system", costTitle, measure.name, "Pareto front"];
  const table = el("table", { "aria-label": `${measure.name} against ${costTitle}` },
    tableHead(titles, ["number", "", "number", "number", ""]), el("tbody", {}, ...body));
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores and costs" }, table);
}

function drawCosts() {
  const [cost, title] = COSTS.find(([key]) => key === byId("cost").value);
  const measure = measures.get(byId("cost-measure").value);
  const points = pointsOf(cost, measure);
  const content = points.length
    ? el("div", {}, scatter(points, measure, title), costTable(points, measure, title),
      el("p", { class: "notes" }, "Orange: no other system costs as little and scores as well (Pareto front)."))
    : el("p", {}, "No system has both.");
  byId("cost-plot").replaceChildren(content);
}

function startCosts() {
  const costs = COSTS.filter(([key]) => scored.some((system) => system.costs[key].value > 0));
  if (!reveal("costs", costs.length > 0)) return;
  setOptions(byId("cost"), costs);
  const there = data.measures.filter(({ name }) => scored.some(({ scores }) => scores[name]));
  setOptions(byId("cost-measure"), there.map(({ name }) => [name, name]));
  for (const id of ["cost", "cost-measure"]) byId(id).addEventListener("input", drawCosts);
  drawCosts();
}
