// Scores of all systems with their intervals: of one measure, or of each device, source or city side by side.

function scorePanel(measure, axis) {
  const there = scored.filter(({ scores }) => scores[measure.name]);
  const rows = there.map((system) => {
    const score = system.scores[measure.name];
    const printed = (number) => (number === null ? null : inPrint(number, measure));
    return {
      name: system.name,
      value: printed(score.value),
      low: printed(score.low),
      high: printed(score.high),
      text: score.text,
      seeds: (system.seeds[measure.name] ?? []).map(([, value]) => inPrint(value, measure)),
      printed: score.published ? inPrint(score.published.value, measure) : undefined,
    };
  });
  const unit = unitOf(measure);
  const lower = measure.higher ? "" : ", lower is better";
  return dotPlot({ title: `${measure.name}${unit ? ` (${unit})` : ""}${lower}`, rows, axis, header: "score" });
}

function numbersOf(chosen) {
  return chosen.flatMap((measure) =>
    scored.flatMap(({ scores, seeds }) => {
      const score = scores[measure.name];
      if (!score) return [];
      const of = [score.value, score.low, score.high, score.published?.value, ...(seeds[measure.name] ?? []).map(([, v]) => v)];
      return of.filter((n) => n !== null && n !== undefined).map((n) => inPrint(n, measure));
    }),
  );
}

function drawScores() {
  const choice = byId("score-choice").value;
  const chosen = choice.startsWith("by ")
    ? data.measures.filter(({ part }) => `by ${part}` === choice)
    : [measures.get(choice)];
  // Panels side by side have one axis, so that they can be compared.
  const kinds = new Map();
  for (const measure of chosen) {
    const kind = `${measure.unit} ${measure.higher}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), measure]);
  }
  const axes = new Map([...kinds].map(([kind, alike]) => [kind, linearAxis(numbersOf(alike))]));
  const panels = chosen.map((measure) => scorePanel(measure, axes.get(`${measure.unit} ${measure.higher}`)));
  byId("score-panels").replaceChildren(...panels);
  const seeds = chosen.some(({ name }) => scored.some((system) => system.seeds[name]));
  const printed = chosen.some(({ name }) => scored.some(({ scores }) => scores[name]?.published));
  byId("score-note").textContent = [
    "Lines: 95 % intervals over recording locations.",
    seeds ? "Rings: single seeds." : "",
    printed ? "Diamonds: published values." : "",
  ].join(" ");
}

function startScores() {
  const there = data.measures.filter(({ name }) => scored.some(({ scores }) => scores[name]));
  if (!reveal("scores", there.length > 0)) return;
  const parts = [...new Set(there.map(({ part }) => part).filter(Boolean))];
  const options = [...parts.map((part) => `by ${part}`), ...there.map(({ name }) => name)];
  setOptions(byId("score-choice"), options.map((name) => [name, name]), there[0].name);
  byId("score-choice").addEventListener("input", drawScores);
  drawScores();
}
