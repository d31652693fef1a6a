// What the frame does by itself: menus, dialogs, keys, explanations, copying, settings of this browser.
import { startColumns } from "./columns.js";
import { parse } from "./lists.js";
import { go } from "./navigation.js";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const icon = (name) => `<svg class="i" aria-hidden="true"><use href="#i-${name}"/></svg>`;

// ---- Words to the reader

let sayings = [];
let saying = 0;
// Read out politely, several at once and no more often than every 5 s.
export function say(text) {
  sayings.push(text);
  saying ||= setTimeout(() => {
    $("#say").textContent = [...new Set(sayings)].slice(-5).join(". ");
    sayings = [];
    saying = 0;
  }, $("#say").textContent ? 5000 : 200);
}

// A note in the page about something that failed, with its way out. One at a time.
export function note({ title, text, retry, link }) {
  const box = $("#page .notes") ?? $("#main");
  const shown = parse(`<div class="callout warn" data-note role="alert">${icon("warn")}<h2></h2><p></p><div class="btns"></div></div>`);
  $("h2", shown).textContent = title;
  $("p", shown).textContent = text;
  const button = (words, act) => {
    const made = parse('<button class="btn" type="button"></button>');
    made.textContent = words;
    made.addEventListener("click", () => {
      shown.remove();
      act();
    });
    $(".btns", shown).append(made);
  };
  if (retry) button("Try again", retry);
  if (link) {
    const made = parse('<a class="btn" target="_blank"></a>');
    made.textContent = link.text;
    made.href = link.url;
    $(".btns", shown).append(made);
  }
  button("Dismiss", () => {});
  $$("[data-note]").forEach((old) => old.remove());
  box.prepend(shown);
}

// Whether a form holds something that its reader typed and has not sent.
export function typed(fields = "[data-keep] :is(input, textarea, select)") {
  return $$(fields).some((field) => field.type !== "hidden" && field.value !== (field.defaultValue ?? field.value));
}

// What a POST needs that no form sends.
export const csrf = () => ({ ...JSON.parse(document.body.getAttribute("hx-headers")), "HX-Request": "true" });

// ---- Menus

export function closeMenus(except = null) {
  for (const menu of $$("details.pick[open]")) if (menu !== except) menu.open = false;
}

// ---- Explanations: one popover for all, by hover, focus or tap

let tipFor = null;
let tipLater = 0;
function showTip(owner) {
  const tip = $("#tip");
  tipFor = owner;
  tip.textContent = owner.dataset.tip;
  tip.showPopover();
  const at = owner.getBoundingClientRect();
  const box = tip.getBoundingClientRect();
  const below = at.bottom + 6 + box.height < innerHeight;
  tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.width - 8))}px`;
  tip.style.top = `${below ? at.bottom + 6 : at.top - box.height - 6}px`;
}
function hideTip() {
  clearTimeout(tipLater);
  tipFor = null;
  if ($("#tip")?.matches(":popover-open")) $("#tip").hidePopover();
}

function startTips() {
  document.addEventListener("mouseover", (event) => {
    const owner = event.target.closest("[data-tip]");
    if (owner === tipFor || event.target.closest("#tip")) return clearTimeout(tipLater);
    clearTimeout(tipLater);
    tipLater = owner ? setTimeout(showTip, 250, owner) : setTimeout(hideTip, 150);
  });
  document.addEventListener("focusin", (event) => {
    const owner = event.target.closest("[data-tip]");
    if (owner?.matches(":focus-visible")) showTip(owner);
    else if (tipFor) hideTip();
  });
  document.addEventListener("scroll", hideTip, { capture: true, passive: true });
}

// ---- Copying

// Whether it is there now.
export async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS there is no clipboard API.
    const area = document.createElement("textarea");
    area.value = text;
    area.classList.add("vh");
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function onCopy(button) {
  const from = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
  toClipboard(from ? $$("td:last-child", from).map((cell) => cell.textContent).join("\n") + "\n" : button.dataset.copy);
  say("Copied.");
  const use = $("use", button);
  use.setAttribute("href", "#i-done");
  setTimeout(() => use.setAttribute("href", "#i-copy"), 1500);
}

// ---- Settings of this browser

function startSettings() {
  const dialog = $("#settings");
  if (!dialog) return;
  const chosen = { theme: localStorage.getItem("theme") ?? "auto", zone: localStorage.getItem("zone") ?? "local" };
  for (const [name, value] of Object.entries(chosen)) {
    const field = $(`[name="${name}"][value="${value}"]`, dialog);
    if (field) field.checked = true;
  }
  $('[name="keys"]', dialog).checked = localStorage.getItem("keys") !== "off";
  const zone = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(new Date()).find(({ type }) => type === "timeZoneName");
  $("[data-zone-name]", dialog).textContent = zone ? ` (${zone.value})` : "";
  dialog.addEventListener("change", ({ target }) => {
    if (target.name === "keys") localStorage.setItem("keys", target.checked ? "on" : "off");
    else localStorage.setItem(target.name, target.value);
    if (target.name === "theme") {
      if (target.value === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = target.value;
      document.dispatchEvent(new Event("ui:theme"));
    }
    if (target.name === "zone") document.dispatchEvent(new Event("ui:zone"));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new Event("ui:theme")));
}

// ---- Keys

let before = ""; // the first key of a pair such as g o
function press(selector) {
  const target = $(selector);
  target?.click();
  return Boolean(target);
}

function nextRow(by) {
  const rows = $$("#page table.cards tbody th a[href]");
  const at = rows.indexOf(document.activeElement);
  rows[Math.max(0, Math.min(rows.length - 1, at + by))]?.focus();
  return rows.length > 0;
}

// From a list: the logs of the row that has the focus.
function logsOfRow() {
  const link = document.activeElement?.closest("#page table[data-logs] tbody th a[href]");
  if (link) go(`${new URL(link.href).pathname}logs/`);
  return Boolean(link);
}

const KEYS = {
  "/": () => {
    const field = $("#filter [name=q], #log-find");
    field?.focus();
    field?.select();
    return Boolean(field);
  },
  ":": () => openPalette(":"),
  "?": () => open("help"),
  j: () => nextRow(1),
  k: () => nextRow(-1),
  y: () => press("#tab-yaml"),
  l: () => press("#tab-logs") || logsOfRow(),
  e: () => press("#tab-events"),
  s: () => press("#act-scale"),
};

function onKey(event) {
  const field = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "Escape") return escape(event, field);
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k" && !event.altKey && !event.shiftKey) {
    event.preventDefault();
    return openPalette();
  }
  if (field || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]") || localStorage.getItem("keys") === "off") return;
  if (before === "g" && event.key === "o") press('#kinds [data-nav="overview"]');
  else if (KEYS[event.key]?.()) event.preventDefault();
  before = event.key;
  setTimeout(() => (before = ""), 1000);
}

function escape(event, field) {
  if (tipFor) return hideTip();
  const menu = $("details.pick[open]");
  if (menu) {
    menu.open = false;
    return $("summary", menu).focus();
  }
  if ($("dialog[open]") || $("#kinds:popover-open")) return; // they close by themselves
  if (field) return field.blur();
  if (localStorage.getItem("keys") !== "off") press(".crumbs li:nth-last-child(2) a");
}

function open(id) {
  closeMenus();
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return false;
  dialog.showModal();
  return true;
}

// The palette comes when the page rests, or is asked for; what is typed meanwhile stands in its field.
let palette = null;
const loadPalette = () =>
  (palette ??= import("./palette.js").then(
    ({ startPalette }) => startPalette(),
    () => (palette = null),
  ));

function openPalette(begin = "") {
  const dialog = $("#palette[data-search]");
  if (!dialog || !open("palette")) return false;
  const field = $("input", dialog);
  field.value = begin;
  // Enter may be quicker than the script: it is pressed again then.
  const early = (event) => event.key === "Enter" && (early.pressed = true);
  field.addEventListener("keydown", early);
  loadPalette().then(() => {
    field.removeEventListener("keydown", early);
    if (!dialog.open) return;
    dialog.dispatchEvent(new Event("shown"));
    if (early.pressed) field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", cancelable: true }));
  });
  return true;
}

// ---- Small things in forms

function onNamespaces(form, target) {
  const all = $("[data-all]", form);
  const each = $$('[name="namespace"]', form);
  if (target === all) each.forEach((box) => all.checked && (box.checked = false));
  all.checked = !each.some((box) => box.checked);
}

// A state that is about a field of the filter makes that field invalid, and describes it.
function markField() {
  const { field } = $("#list-state")?.dataset ?? {};
  for (const input of $$("#filter input:not([type=hidden])")) {
    if (input.name === field) {
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", "list-state");
    } else {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    }
  }
}

export function startUi() {
  document.addEventListener("click", (event) => {
    const { target } = event;
    closeMenus(target.closest("details.pick"));
    const opener = target.closest("[data-open]");
    if (opener && !(opener.href && (event.ctrlKey || event.metaKey || event.shiftKey))) {
      event.preventDefault(); // without scripts it may be a link
      if (opener.dataset.open === "palette") openPalette();
      else open(opener.dataset.open);
    }
    const copier = target.closest("[data-copy], [data-copy-from]");
    if (copier) onCopy(copier);
    const tip = target.closest("[data-tip]");
    if (tip) showTip(tip);
    const stepper = target.closest("[data-step]");
    if (stepper) {
      const field = $("input", stepper.parentElement);
      if (stepper.dataset.step > 0) field.stepUp();
      else field.stepDown();
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
    if (target instanceof HTMLDialogElement) target.close(); // the backdrop
  });
  document.addEventListener("change", ({ target }) => {
    const namespaces = target.closest("[data-namespaces]");
    if (namespaces) onNamespaces(namespaces, target);
  });
  // What is not narrowed by stays out of the address.
  document.addEventListener("formdata", ({ target, formData }) => {
    if (target.matches("[data-narrow]")) for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });
  // Other namespaces, the same filter: as it stands in the list's own fields, not as the page was loaded.
  document.addEventListener("formdata", ({ target, formData }) => {
    if (!target.matches("[data-namespaces]")) return;
    for (const { name, value } of document.querySelectorAll("#filter input[name]:not([type=hidden])")) if (value) formData.set(name, value);
  });
  document.addEventListener("keydown", onKey);
  document.addEventListener("page:shown", markField);
  document.addEventListener("page:moved", markField);
  startTips();
  startSettings();
  (window.requestIdleCallback ?? setTimeout)(loadPalette);
  startColumns();
}
