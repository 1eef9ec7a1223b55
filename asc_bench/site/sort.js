// Tables whose rows can be sorted by any column and filtered by name; without a script they stand as they are.

// What has no value stands last, whichever way is sorted.
function sortRows(table, at, descending) {
  const sign = descending ? -1 : 1;
  const of = ({ cells }) => (at === 0 ? cells[0].textContent.trim() : cells[at].dataset.value);
  const rows = [...table.tBodies[0].rows].sort((a, b) => {
    const [x, y] = [of(a), of(b)];
    if (at === 0) return sign * x.localeCompare(y);
    if (x === "" || y === "") return (x === "") - (y === "");
    return sign * (Number(x) - Number(y));
  });
  table.tBodies[0].append(...rows);
}

function startSort(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, at) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "sort";
    button.setAttribute("aria-label", `sort by ${head.dataset.name ?? "system"}`);
    button.addEventListener("click", () => {
      const order = head.getAttribute("aria-sort");
      const descending = order ? order === "ascending" : head.dataset.higher === "yes";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortRows(table, at, descending);
    });
    head.append(" ", button);
  });
}

function startFilter(table) {
  const filter = document.getElementById("filter");
  const rows = [...table.tBodies[0].rows];
  const narrow = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) row.hidden = !words.every((word) => row.cells[0].textContent.toLowerCase().includes(word));
    document.getElementById("shown").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  };
  filter.addEventListener("input", narrow);
  narrow();
}

startTheme();
for (const table of document.querySelectorAll("table.sortable")) {
  startSort(table);
  startFilter(table);
}
