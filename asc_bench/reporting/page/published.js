// Our numbers beside published ones.

function startPublished() {
  const ours = data.systems.flatMap((system) =>
    data.measures
      .filter(({ name }) => system.scores[name]?.published)
      .map(({ name }) => {
        const found = system.scores[name].published;
        return [system.name, name, found.measured, found.text, found.difference, found.inside];
      }),
  );
  const others = data.references.flatMap(({ title, values }) =>
    Object.entries(values).map(([name, { text }]) => [`${title} (published)`, name, MISSING, text, MISSING, MISSING]),
  );
  if (!reveal("published", ours.length + others.length > 0)) return;
  const kinds = ["", "", "number", "number", "number", ""];
  const rows = [...ours, ...others].map(([name, ...cells]) =>
    el("tr", {}, el("th", { scope: "row" }, name), ...cells.map((text, i) => el("td", { class: kinds[i + 1] }, text))),
  );
  const titles = ["system", "measure", "measured", "published", "difference", "published inside the interval"];
  byId("published-table").append(tableHead(titles, kinds), el("tbody", {}, ...rows));
  byId("published-notes").append(
    el("li", {}, "Difference: measured minus published. The interval is that of the measured value alone."),
    ...data.references.map(({ title, source }) => el("li", {}, `${title}: ${source}`)),
  );
}
