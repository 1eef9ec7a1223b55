// Differences of every system to one of them, with their intervals.

const pairs = new Map();
for (const pair of data.pairs) {
  pairs.set(JSON.stringify([pair.measure, pair.a, pair.b]), pair);
}

// System minus reference; null where the two were not compared.
function differenceOf(measure, system, reference) {
  const ahead = pairs.get(JSON.stringify([measure, system, reference]));
  if (ahead) return { value: ahead.difference, low: ahead.low, high: ahead.high, text: ahead.text, p: ahead.p, pText: ahead.p_text };
  const behind = pairs.get(JSON.stringify([measure, reference, system]));
  if (!behind) return null;
  const minus = (number) => (number === null ? null : -number);
  return {
    value: -behind.difference, low: minus(behind.high), high: minus(behind.low), text: behind.reverse,
    p: behind.p, pText: behind.p_text,
  };
}

// Every system that was compared with all others that were compared at all.
function possibleReferences() {
  const compared = new Set(data.pairs.flatMap(({ a, b }) => [a, b]));
  const names = data.systems.map(({ name }) => name).filter((name) => compared.has(name));
  const measure = data.compared[0];
  return names.filter((name) => names.every((other) => other === name || differenceOf(measure, other, name)));
}

function drawDifferences(reference) {
  const measure = measures.get(byId("compared").value);
  const others = data.systems
    .map(({ name }) => ({ name, found: differenceOf(measure.name, name, reference) }))
    .filter(({ found }) => found);
  const printed = (number) => (number === null ? null : inPrint(number, measure));
  const rows = others.map(({ name, found }) => ({
    name, value: printed(found.value), low: printed(found.low), high: printed(found.high),
    text: found.text, more: [found.pText], open: !(found.p !== null && found.p <= 0.05),
  }));
  const axis = linearAxis(rows.flatMap(({ value, low, high }) => [value, low, high]), { zero: true });
  const unit = measure.unit === "percent" ? "points" : unitOf(measure);
  byId("difference-plot").replaceChildren(
    dotPlot({
      title: `${measure.name}: system minus ${reference}`, rows, axis, zero: true,
      header: unit ? `difference (${unit})` : "difference", more: ["p, Holm"],
    }),
  );
  byId("difference-note").textContent =
    `${measure.higher ? "Right of the line: better" : "Left of the line: better"} than the reference. Intervals of ` +
    "95 % and p-values are those of the paired bootstrap over locations, as in significance.csv; p is corrected for " +
    "all pairs that were tested. Filled: p ≤ 0.05; open: no significant difference.";
}

// Every test, built when it is asked for: twenty systems are 190 pairs.
function drawTests() {
  const table = byId("test-table");
  if (table.childElementCount) return;
  const { columns: titles, rows, notes } = data.tests;
  const named = titles.filter((title) => ["measure", "system A", "system B"].includes(title)).length;
  const kinds = titles.map((_, i) => (i < named ? "" : "number"));
  const body = rows.map((row) => el("tr", {}, ...row.map((text, i) => el("td", { class: kinds[i] }, text))));
  table.append(tableHead(titles, kinds), el("tbody", {}, ...body));
  byId("test-notes").append(...notes.map((note) => el("li", {}, note)));
}

function startTests() {
  const { rows, n } = data.tests;
  const cut = rows.length < n ? ` (${rows.length} of them here, all in significance.csv)` : "";
  byId("test-count").textContent = `Every test of ${n} ${n === 1 ? "pair" : "pairs"}${cut}`;
  byId("test-list").addEventListener("toggle", drawTests);
}

function startDifferences() {
  const names = possibleReferences();
  const there = reveal("differences", names.length > 0);
  const selects = [...document.querySelectorAll("select.reference")];
  // The table may go without a reference, the plot may not.
  const fallback = (select) => (select.closest("#results") ? "" : names[0]);
  for (const select of selects) {
    const none = fallback(select) === "" ? [["", "none"]] : [];
    setOptions(select, [...none, ...names.map((name) => [name, name])], fallback(select));
    select.closest("label").hidden = !there;
    select.addEventListener("input", () => setReference(select.value));
  }
  if (!there) return;
  const draw = () => {
    for (const select of selects) select.value = state.reference || fallback(select);
    drawDifferences(state.reference || names[0]);
  };
  setOptions(byId("compared"), data.compared.map((name) => [name, name]));
  hideIfSingle(byId("compared"));
  byId("compared").addEventListener("input", draw);
  state.listeners.push(draw);
  startTests();
  draw();
}
