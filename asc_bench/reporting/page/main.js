// Contents, print; and everything else in its order.

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
startCurves();
startPublished();
startAbout();
startContents();
startPrint();
