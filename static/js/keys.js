// Keys: single ones, pairs such as g o, Ctrl-K, and Escape, which leaves what is innermost.
import { open, openPalette } from "./dialogs.js";
import { leaveMenu } from "./menus.js";
import { go, goUp } from "./navigation.js";
import { hideTip } from "./tips.js";

const areOff = () => localStorage.getItem("keys") === "off";

function press(selector) {
  const target = document.querySelector(selector);
  if (!target?.checkVisibility()) return false; // the actions of what was deleted
  target.click();
  return true;
}

function nextRow(by) {
  const rows = [...document.querySelectorAll("#page table.cards tbody th a[href]")];
  const at = rows.indexOf(document.activeElement.closest("tr")?.querySelector("th a[href]"));
  rows[Math.max(0, Math.min(rows.length - 1, at + by))]?.focus();
  return rows.length > 0;
}

// A part of the object whose row has the focus; its logs only where the table says that there are some.
function partOfRow(part, tables = "table") {
  const row = document.activeElement?.closest(`#page ${tables} tr[id^="row-"]`);
  const link = row?.querySelector("th a[href]");
  if (link) go(`${new URL(link.href).pathname}${part}/`);
  return Boolean(link);
}

const KEYS = {
  "/": () => {
    const field = document.querySelector("#filter [name=q], #log-find");
    field?.focus();
    field?.select();
    return Boolean(field);
  },
  ":": () => openPalette(":"),
  "?": () => open("help"),
  j: () => nextRow(1),
  k: () => nextRow(-1),
  y: () => partOfRow("yaml") || press("#tab-yaml"),
  l: () => partOfRow("logs", "table[data-logs]") || press("#tab-logs"),
  e: () => partOfRow("events") || press("#tab-events"),
  s: () => press("#act-scale"),
};

function escape(field) {
  if (hideTip() || leaveMenu()) return;
  if (document.querySelector("dialog[open], #kinds:popover-open")) return; // they close by themselves
  if (field) return field.blur();
  if (!areOff() && !goUp()) press(".crumbs li:nth-last-child(2) a");
}

let before = ""; // the first key of a pair such as g o
function onKey(event) {
  if (event.defaultPrevented) return; // an editor has used it
  const field = event.target.closest("input:not(.row-pick), textarea, select, [contenteditable]");
  if (event.key === "Escape") return escape(field);
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && !event.altKey && !event.shiftKey) {
    event.preventDefault();
    return openPalette();
  }
  if (field || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") || areOff()) return;
  if (before === "g" && event.key === "o") press('#kinds [data-nav="overview"]');
  else if (KEYS[event.key]?.()) event.preventDefault();
  before = event.key;
  setTimeout(() => (before = ""), 1000);
}

export function startKeys() {
  document.addEventListener("keydown", onKey);
}
