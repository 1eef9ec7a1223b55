// Cards of systems, failures, runs and downloads.

function terms(entries) {
  return el("dl", {}, ...entries.filter(([, text]) => text).flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]));
}

// Many citations name the year themselves.
function sourceOf({ citation, year }) {
  return citation.includes(String(year)) ? citation : `${citation} (${year})`;
}

function cardOf(system) {
  const { card, settings } = system;
  const given = Object.entries(settings).filter(([, value]) => value !== "").map(([name, value]) => `${name}=${value}`);
  const facts = terms([
    ["source", card ? sourceOf(card) : "no card: this installation does not have the system"],
    ["input", card?.input],
    ["settings", given.join(", ")],
    ["parameters", system.costs.n_parameters.text],
    ["MACs per clip", system.costs.macs.text],
    ["training (s)", system.costs.train_s.text],
    ["ms per clip on one core (front end + prediction)", system.costs.clip_ms.value === null ? "" : system.costs.clip_ms.text],
    ["device label", DEVICE_USE[system.needs_device]],
  ]);
  const title = card ? `${system.name}: ${card.title}` : system.name;
  const guesses = card?.guesses.length
    ? [el("p", {}, "What the sources leave open, and how it was resolved:"), el("ul", {}, ...card.guesses.map((text) => el("li", {}, text)))]
    : [];
  return el("details", { class: "card" }, el("summary", {}, title), facts, ...guesses);
}

function failureOf({ status, error, traceback, runs }) {
  const counted = status === "incomplete" ? runs[0] : `${runs.length} ${runs.length === 1 ? "run" : "runs"}`;
  return el("details", { class: "card" },
    el("summary", {}, `${status}, ${counted}: ${shortened(error.split("\n")[0])}`),
    el("ul", {}, ...runs.map((text) => el("li", {}, text))),
    el("pre", { tabindex: 0, "aria-label": "Traceback" }, traceback || error));
}

// Built when it is asked for: there may be a thousand rows.
function drawRuns() {
  const table = byId("run-table");
  if (table.childElementCount) return;
  const kinds = ["", "", "number", "", "number", "number", "number", "number", ""];
  const rows = data.runs.rows.map((row) => el("tr", {}, ...row.map((text, i) => el("td", { class: kinds[i] }, text))));
  table.append(tableHead(data.runs.columns, kinds), el("tbody", {}, ...rows));
}

const TYPES = { csv: "text/csv", md: "text/markdown", tex: "application/x-tex", bib: "application/x-bibtex" };

function fileItem([name, text]) {
  if (text === null && data.beside[name]) return el("li", {}, el("a", { href: data.beside[name] }, name));
  if (text === null) return el("li", {}, `${name}: too large for this page; it is in the folder of the report`);
  const blob = new Blob([text], { type: `${TYPES[name.split(".").pop()]};charset=utf-8` });
  const size = `${Math.max(1, Math.round(blob.size / 1024))} kB`;
  return el("li", {}, el("a", { href: URL.createObjectURL(blob), download: name }, name), ` (${size})`);
}

function startAbout() {
  if (reveal("systems", data.systems.length > 0)) byId("cards").append(...data.systems.map(cardOf));
  if (reveal("failures", data.failures.length > 0)) byId("failure-list").append(...data.failures.map(failureOf));
  if (reveal("runs", data.runs.n > 0)) {
    const cut = data.runs.rows.length < data.runs.n ? ` (${data.runs.rows.length} of them here, all in runs.csv)` : "";
    byId("run-count").textContent = `${data.runs.n} runs${cut}`;
    byId("run-list").addEventListener("toggle", drawRuns);
  }
  if (reveal("downloads", Object.keys(data.files).length > 0)) {
    byId("file-list").append(...Object.entries(data.files).map(fileItem));
  }
}
