// Choosing rows of a list, by mouse, by keys or all that match its filter, and what is then done to all of them. What is
// chosen is kept by the rows' ids, whichever of them are on screen; the boxes in the rows are this script's alone.
import { parse } from "./lists.js";
import { go } from "./navigation.js";
import { say } from "./notes.js";

const LONGEST = 12_000; // letters of an address; more objects are sent in a form
const BESIDE = ["page", "sort", "columns", "remembered"]; // of a list's address, what says nothing of which rows
const NARROWED = /(^|&)(q|labels|state|type|reason|object)=[^&]/;

let path = ""; // of the list that they are chosen in
let chosen = new Map(); // row id → "<namespace>/<name>"
let all = null; // the filter, where all that match it are chosen
let from = ""; // the row that was chosen last: a range begins there

const bar = () => document.getElementById("chosen");
const rowsShown = () => [...document.querySelectorAll("#rows > tr[id]")];
const has = (row) => all !== null || chosen.has(row.id);
// Where nothing matches, the pager says of how many.
const total = () => rowsShown().length && Number(document.querySelector("#list-head .pager b:last-of-type")?.textContent ?? 0);

function filter() {
  const params = new URLSearchParams(location.search);
  for (const name of BESIDE) params.delete(name);
  return params.toString();
}

// ---- What is shown

function box(cell, label) {
  let found = cell.querySelector(":scope > .row-pick");
  if (!found) {
    found = parse('<input type="checkbox" class="row-pick" autocomplete="off">');
    cell.prepend(found);
  }
  found.setAttribute("aria-label", label);
  return found;
}

function show() {
  if (!bar()) return;
  if (location.pathname !== path || (all !== null && all !== filter())) {
    if (location.pathname !== path) chosen = new Map();
    path = location.pathname;
    all = null;
  }
  const rows = rowsShown();
  for (const row of rows) {
    box(row.cells[0], `Select ${row.dataset.name}`).checked = has(row);
    row.toggleAttribute("data-chosen", has(row));
  }
  const head = document.querySelector("#list-cols th");
  if (head) {
    const here = rows.filter(has).length;
    const every = box(head, "Select all on this page");
    every.checked = rows.length > 0 && here === rows.length;
    every.indeterminate = here > 0 && here < rows.length;
    every.disabled = rows.length === 0;
  }
  tell();
}

function tell() {
  const count = all === null ? chosen.size : total();
  const most = Number(bar().dataset.most);
  bar().hidden = count === 0;
  const match = NARROWED.test(filter()) ? " that match" : "";
  const away = count - rowsShown().filter(has).length;
  bar().querySelector("[data-count]").textContent =
    all === null ? `${count} selected${away ? `, ${away} not shown` : ""}` : `All ${count}${match} selected`;
  const every = bar().querySelector("[data-every]");
  every.hidden = all !== null || total() <= count;
  every.textContent = `Select all ${total()}${match}`;
  const over = count > most;
  bar().querySelector("[data-over]").hidden = !over;
  for (const button of bar().querySelectorAll("[data-bulk]")) button.disabled = over;
}

// ---- What is chosen

function set(rows, on) {
  if (all !== null) {
    // No longer all: what is on screen stays chosen.
    chosen = new Map(rowsShown().map((row) => [row.id, nameOf(row)]));
    all = null;
  }
  for (const row of rows) {
    if (on) chosen.set(row.id, nameOf(row));
    else chosen.delete(row.id);
  }
  show();
  say(bar().querySelector("[data-count]").textContent);
}

const nameOf = ({ dataset }) => `${dataset.namespace || "-"}/${dataset.name}`;

// One row, or with Shift all from the last one to this.
function toggle(row, range) {
  const rows = rowsShown();
  const [a, b] = [rows.findIndex(({ id }) => id === from), rows.indexOf(row)];
  const on = !has(row);
  from = row.id;
  set(range && a >= 0 ? rows.slice(Math.min(a, b), Math.max(a, b) + 1) : [row], on);
}

function clear() {
  chosen = new Map();
  all = null;
  show();
  say("Nothing selected");
}

function onClick(event) {
  const { target } = event;
  if (!bar()) return;
  if (target.matches("#rows .row-pick")) {
    // Its row is told by what is chosen, and so is the box.
    if (event.shiftKey) getSelection().removeAllRanges();
    toggle(target.closest("tr"), event.shiftKey);
  } else if (target.matches("#list-cols .row-pick")) set(rowsShown(), target.checked);
  else if (target.closest("[data-every]")) {
    all = filter();
    show();
    say(bar().querySelector("[data-count]").textContent);
  } else if (target.closest("[data-none]")) clear();
  else if (target.closest("[data-bulk]")) send(target.closest("[data-bulk]").dataset.bulk);
}

// Space and x choose the row that has the focus; a box does by itself what Space is for.
function onKey(event) {
  const row = event.target.closest("#rows > tr[id]");
  if (!row || !bar() || event.ctrlKey || event.metaKey || event.altKey) return;
  const single = event.key.toLowerCase() === "x" && localStorage.getItem("keys") !== "off";
  if (!single && !(event.key === " " && event.target.matches("a"))) return;
  event.preventDefault();
  toggle(row, event.shiftKey);
}

// ---- What is done to them

function send(url) {
  const params = new URLSearchParams(all ?? [...chosen.values()].map((name) => ["object", name]));
  if (all !== null) params.set("all", "yes");
  const address = `${url}?${params}`;
  if (address.length < LONGEST) return go(address);
  const form = bar();
  form.querySelectorAll("[name=object]").forEach((field) => field.remove());
  for (const [name, value] of params) {
    const field = parse('<input type="hidden">');
    Object.assign(field, { name, value });
    form.append(field);
  }
  form.action = url;
  form.submit();
}

export function startChoose() {
  show();
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKey);
  document.addEventListener("page:shown", show);
  document.addEventListener("page:moved", show);
}
