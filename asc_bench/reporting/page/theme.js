// Colours that the reader chose, on every page of one place.

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
  const select = document.getElementById("theme");
  select.value = ["light", "dark"].includes(kept()) ? kept() : "";
  if (select.value) setTheme(select.value);
  select.addEventListener("input", () => setTheme(select.value));
}
