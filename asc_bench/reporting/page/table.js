// The table of results: sorted, filtered, with the columns that are wanted and differences to a reference.

const tableState = { key: "", descending: false, hidden: new Set() };

// Cell: {text, sort, score (for a bar), kind}. What has no sort value stands last, whichever way is sorted.
function measureColumn(measure) {
  return {
    key: `measure ${measure.name}`,
    title: measure.name,
    kind: "number",
    off: measure.group !== "",
    descendingFirst: measure.higher,
    axis: linearAxis(
      scored.flatMap(({ scores }) => {
        const score = scores[measure.name];
        return score ? [score.value, score.low, score.high].filter((n) => n !== null).map((n) => inPrint(n, measure)) : [];
      }),
    ),
    cell(system) {
      const score = system.scores[measure.name];
      if (!score) return { text: MISSING, sort: null };
      const bar = score.low === null ? null : barOf(score, measure);
      return { text: score.text, sort: score.value, bar, best: bestOf.get(measure.name) === score.short };
    },
    foot: (row) => row.texts[measure.name] ?? MISSING,
  };
}

function barOf(score, measure) {
  const [value, low, high] = [score.value, score.low, score.high].map((number) => inPrint(number, measure));
  return { value, low, high };
}

// The best printed value of each measure, where two systems at least have one.
const bestOf = new Map(
  data.measures.flatMap((measure) => {
    const found = scored.map(({ scores }) => scores[measure.name]).filter((score) => score && score.value !== null);
    if (found.length < 2) return [];
    const best = found.reduce((a, b) => (a.value > b.value === measure.higher ? a : b));
    return [[measure.name, best.short]];
  }),
);

function textColumn(key, title, cell, more = {}) {
  return { key, title, kind: "number", cell, ...more };
}

function ofPrimary(key, title, more = {}) {
  return textColumn(
    key,
    title,
    (system) => {
      const score = system.scores[primary.name];
      if (!score) return { text: MISSING, sort: null };
      const sort = { sd_repeats: score.sd, n: score.n, n_locations: score.n_locations }[key];
      return { text: score.texts[key], sort };
    },
    more,
  );
}

function costColumn(key, title) {
  return textColumn(key, title, ({ costs }) => ({ text: costs[key].text, sort: costs[key].value }));
}

// What is missing of a system may be a page long; the section of failures has all of it.
function shortened(text) {
  return text.length <= LONGEST_STATUS ? text : `${text.slice(0, LONGEST_STATUS).trimEnd()} …`;
}

const LONGEST_STATUS = 100;
const DEVICE_USE = { no: "no", training: "in training", test: "at test time" };

function allColumns() {
  const published = (system) => system.scores[primary.name]?.published;
  const any = (condition) => data.systems.some(condition);
  const ungrouped = data.measures.filter((measure) => measure.group === "");
  const grouped = data.measures.filter((measure) => measure.group !== "");
  return [
    any((s) => s.letters) && {
      key: "letters", title: "group", kind: "letters",
      cell: (system) => ({ text: system.letters, sort: system.letters || null }),
    },
    ...ungrouped.map(measureColumn),
    textColumn("reference", `${primary.name} − reference`, (system) => {
      if (system.name === state.reference) return { text: "reference", sort: 0 };
      const found = differenceOf(primary.name, system.name, state.reference);
      return found ? { text: found.text, sort: found.value, bar: null } : { text: MISSING, sort: null };
    }),
    (any(published) || data.references.some((r) => r.values[primary.name])) &&
      textColumn("published", `${primary.name}, published`, (system) => {
        const found = published(system);
        return found ? { text: found.text, sort: found.value } : { text: MISSING, sort: null };
      }, { foot: (row) => row.published ?? MISSING }),
    any(published) && textColumn("difference", "measured − published", (system) => {
      const found = published(system);
      const score = system.scores[primary.name];
      return found ? { text: found.difference, sort: score.value - found.value } : { text: MISSING, sort: null };
    }),
    any((s) => s.n_repeats > 1) && ofPrimary("sd_repeats", "SD over seeds"),
    ofPrimary("n", "test clips", { off: true }),
    ofPrimary("n_locations", "locations", { off: true }),
    costColumn("n_parameters", "parameters"),
    costColumn("macs", "MACs"),
    costColumn("train_s", "training (s)"),
    any((s) => s.costs.clip_ms.value !== null) && costColumn("clip_ms", "ms per clip"),
    any((s) => s.needs_device && s.needs_device !== "no") &&
      textColumn("device", "device label", (system) => {
        const text = DEVICE_USE[system.needs_device] ?? MISSING;
        return { text, sort: text };
      }, { kind: "" }),
    ...grouped.map(measureColumn),
    any((s) => s.status) && {
      key: "status", title: "status", kind: "status",
      cell: (system) => ({ text: shortened(system.status) || "done", sort: system.status || null }),
    },
  ].filter(Boolean);
}

const columns = allColumns();
for (const column of columns) if (column.off) tableState.hidden.add(column.key);

function shownColumns() {
  return columns.filter(({ key }) => !tableState.hidden.has(key) && (key !== "reference" || state.reference));
}

function filtered() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const show = byId("show").value;
  const use = byId("device-use").value;
  return data.systems.filter((system) => {
    const text = `${system.name} ${system.status} ${system.card?.title ?? ""}`.toLowerCase();
    const wanted =
      show === "all" ||
      (show === "scored" && system.scored) ||
      (show === "unscored" && !system.scored) ||
      (show === "tied" && (system.tied || system === scored[0]));
    return wanted && (!use || system.needs_device === use) && words.every((word) => text.includes(word));
  });
}

function sorted(systems) {
  if (!tableState.key) return systems;
  const of =
    tableState.key === "system"
      ? (system) => system.name
      : ((column) => (system) => column.cell(system).sort)(columns.find(({ key }) => key === tableState.key));
  const sign = tableState.descending ? -1 : 1;
  return [...systems].sort((a, b) => {
    const [x, y] = [of(a), of(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
  });
}

function sortBy(key, descendingFirst) {
  tableState.descending = tableState.key === key ? !tableState.descending : Boolean(descendingFirst);
  tableState.key = key;
  drawTable();
  byId("table").querySelector(`[data-key="${CSS.escape(key)}"] button`).focus();
}

function headCell({ key, title, kind, descendingFirst }) {
  const order = tableState.key !== key ? null : tableState.descending ? "descending" : "ascending";
  const button = el("button", { type: "button" }, title);
  button.addEventListener("click", () => sortBy(key, descendingFirst));
  return el("th", { scope: "col", class: kind, "aria-sort": order, "data-key": key }, button);
}

function bodyCell(column, system) {
  const { text, bar, best } = column.cell(system);
  const cell = el("td", { class: column.kind + (best ? " best" : "") }, text);
  if (bar && byId("bars").checked) cell.append(strip(column.axis, bar));
  return cell;
}

function drawTable() {
  const systems = sorted(filtered());
  const shown = shownColumns();
  const head = el("tr", {}, headCell({ key: "system", title: "system", kind: "" }), ...shown.map(headCell));
  const body = systems.map((system) =>
    el(
      "tr",
      { class: system.name === state.reference ? "is-reference" : null },
      el("th", { scope: "row" }, system.page ? el("a", { href: system.page }, system.marked) : system.marked),
      ...shown.map((column) => bodyCell(column, system)),
    ),
  );
  const foot = [
    ...(data.source_only ? [data.source_only] : []),
    ...data.references.map((reference) => ({
      title: `${reference.title} (published)`, texts: {}, published: reference.values[primary.name]?.text,
    })),
  ].map((row) =>
    el("tr", {}, el("th", { scope: "row" }, row.title),
      ...shown.map((column) => el("td", { class: column.kind }, column.foot ? column.foot(row) : MISSING))),
  );
  byId("table").replaceChildren(el("thead", {}, head), el("tbody", {}, ...body));
  if (foot.length) byId("table").append(el("tfoot", {}, ...foot));
  byId("shown").textContent = `${systems.length} of ${data.systems.length} systems`;
}

function columnChoices() {
  return columns.map(({ key, title }) => {
    const box = el("input", { type: "checkbox" });
    box.checked = !tableState.hidden.has(key);
    box.addEventListener("change", () => {
      if (box.checked) tableState.hidden.delete(key);
      else tableState.hidden.add(key);
      drawTable();
    });
    return el("label", {}, box, ` ${title}`);
  });
}

function startTable() {
  const shows = [["all", "all systems"], ["scored", "with a score"]];
  if (data.systems.some(({ tied }) => tied)) shows.push(["tied", "not different from the best"]);
  if (scored.length < data.systems.length) shows.push(["unscored", "failed or incomplete"]);
  setOptions(byId("show"), shows);
  const uses = [...new Set(data.systems.map((system) => system.needs_device).filter(Boolean))];
  setOptions(byId("device-use"), [["", "any use"], ...(uses.length > 1 ? uses.map((u) => [u, DEVICE_USE[u]]) : [])]);
  hideIfSingle(byId("device-use"));
  byId("columns").querySelector("fieldset").append(...columnChoices());
  for (const id of ["filter", "show", "device-use", "bars"]) byId(id).addEventListener("input", drawTable);
  state.listeners.push(drawTable);
  if (data.systems.some(({ letters }) => letters)) {
    byId("result-notes").prepend(el("li", {},
      `Group: two systems that share a letter do not differ significantly in ${primary.name} (paired bootstrap over ` +
      "locations, Holm-adjusted p > 0.05 over all pairs)."));
  }
  drawTable();
}
