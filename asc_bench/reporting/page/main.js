// Colours, contents, print; and everything else in its order.

const KEY = "asc-bench colours";

// A page from disk may be refused storage: the choice then lasts as long as the page.
function kept() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

function setTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // Not kept, see above.
  }
}

function startTheme() {
  const select = byId("theme");
  select.value = ["light", "dark"].includes(kept()) ? kept() : "";
  if (select.value) setTheme(select.value);
  select.addEventListener("input", () => setTheme(select.value));
}

function startContents() {
  const sections = [...document.querySelectorAll("main > section:not([hidden])")];
  byId("sections").append(
    ...sections.map((section) => el("li", {}, el("a", { href: `#${section.id}` }, section.querySelector("h2").textContent))),
  );
}

function startPrint() {
  let opened = [];
  addEventListener("beforeprint", () => {
    drawRuns();
    opened = [...document.querySelectorAll("details.card:not([open]), #run-list:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
}

startTheme();
startDifferences();
startTable();
startScores();
startCosts();
startClasses();
startConfusion();
startPublished();
startAbout();
startContents();
startPrint();
