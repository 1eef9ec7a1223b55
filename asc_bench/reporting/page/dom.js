// Elements are built from text alone: nothing foreign is ever read as markup.

const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const MISSING = "–";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

function reveal(id, there) {
  byId(id).hidden = !there;
  return there;
}

// Options are [value, text]; a value that is there already stays chosen.
function setOptions(select, options, chosen) {
  const wanted = chosen ?? select.value;
  select.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
  select.value = options.some(([value]) => value === wanted) ? wanted : (options[0] ?? [""])[0];
}

// A choice of one leaves nothing to choose: its label goes.
function hideIfSingle(select) {
  select.closest("label").hidden = select.options.length < 2;
}

function tableHead(titles, kinds = []) {
  const cells = titles.map((title, i) => el("th", { scope: "col", class: kinds[i] }, title));
  return el("thead", {}, el("tr", {}, ...cells));
}

const measures = new Map(data.measures.map((measure) => [measure.name, measure]));
const primary = data.measures[0];
const scored = data.systems.filter((system) => system.scored);

// What listens for another reference: the table and the plot of differences share one.
const state = { reference: "", listeners: [] };

function setReference(name) {
  state.reference = name;
  for (const listener of state.listeners) listener();
}
