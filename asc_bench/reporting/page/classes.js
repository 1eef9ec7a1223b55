// Classes by systems, shaded by score.

function drawClasses() {
  const view = data.classes[Number(byId("class-choice").value)];
  const names = data.systems.map(({ name }) => name).filter((name) => view.values[name]);
  const known = names.flatMap((name) => Object.values(view.values[name]).map(([value]) => value)).filter((v) => v !== null);
  const most = view.percent ? 1 : Math.max(...known, 1e-9);
  const cell = (name, label) => {
    const [value, text] = view.values[name][label] ?? [null, MISSING];
    const drawn = el("td", { class: value === null ? "number" : "number heat" }, text);
    if (value !== null) drawn.style.setProperty("--share", String(Math.min(value / most, 1)));
    return drawn;
  };
  const rows = view.labels.map((label) =>
    el("tr", {}, el("th", { scope: "row" }, label), ...names.map((name) => cell(name, label))),
  );
  byId("class-table").setAttribute("aria-label", view.title);
  byId("class-table").replaceChildren(
    tableHead(["class", ...names], ["", ...names.map(() => "label")]),
    el("tbody", {}, ...rows),
  );
}

function startClasses() {
  if (!reveal("classes", data.classes.length > 0)) return;
  setOptions(byId("class-choice"), data.classes.map(({ title }, i) => [String(i), title]));
  byId("class-choice").addEventListener("input", drawClasses);
  drawClasses();
}
