// The form that edits a ConfigMap. It works without this: the server knows an untouched text by itself. Here untouched
// keys stay at home, lines are counted, keys added, found and opened, and a change by somebody else is told.
import { parse } from "./lists.js";
import { load } from "./navigation.js";
import { say } from "./notes.js";

const FIND_MS = 250; // after the last letter

const $ = (selector, root = document) => root.querySelector(selector);
const numberOf = (editor) => $('[name="row"]', editor).value.split(" ")[0];

function parts(editor) {
  const number = numberOf(editor);
  const field = (letter) => $(`[name="${letter}${number}"]`, editor);
  return { number, name: field("n"), text: field("t"), file: field("f"), gone: field("d"), kept: field("u") };
}

const changed = (field) => Boolean(field) && field.value !== field.defaultValue;

function touched(editor) {
  const { name, text, file, gone, kept } = parts(editor);
  return editor.hasAttribute("data-sent") || changed(name) || changed(text) || Boolean(file?.files.length) || Boolean(gone?.checked) || Boolean(kept);
}

// Only what was touched is sent: large ConfigMaps stay quick, and what was not sent cannot have been changed.
function onFormData({ target, formData }) {
  const rows = new Set(formData.getAll("row"));
  for (const editor of target.querySelectorAll("[data-key]:not([data-sent])")) {
    const { number, text } = parts(editor);
    if (!changed(text)) formData.delete(`t${number}`);
    if (touched(editor)) continue;
    for (const letter of "nbf") formData.delete(letter + number);
    rows.delete($('[name="row"]', editor).value);
  }
  formData.delete("row");
  for (const row of rows) formData.append("row", row);
}

// ---- The keys of a large one: found, opened one at a time, marked in the list

const editorOf = (key) => [...document.querySelectorAll("#editors [data-key]")].find((editor) => $('[name="row"]', editor).value.split(" ").slice(3).join(" ") === key);

function markKeys() {
  for (const button of document.querySelectorAll("#keys [data-open]")) {
    const editor = editorOf(button.dataset.open);
    const mark = !editor ? "" : parts(editor).gone?.checked ? "removed" : touched(editor) ? "changed" : "open";
    if (mark) button.dataset.mark = mark;
    else delete button.dataset.mark;
  }
}

const ask = (query, how) => load("GET", `${$("#change").action}?${new URLSearchParams(query)}`, how);

async function openKey(key) {
  const here = editorOf(key);
  if (!here) await ask({ open: key }, { source: "#editors", target: "#editors", select: "[data-key]", swap: "afterbegin" });
  const editor = editorOf(key);
  if (!editor) return; // it was removed meanwhile, or nobody answered: a note says so
  const { name, text } = parts(editor);
  (text ?? name).focus();
  markKeys();
}

let finding = 0;
function find() {
  clearTimeout(finding);
  ask({ page: 1 }, { source: "#q", target: "#keys", select: "#keys", swap: "outerHTML" }); // with the field's own value
}

// Keys that were found, or another page of them, whose buttons work without this script.
function showKeys({ detail: { requestConfig } }) {
  if (requestConfig?.target?.id !== "keys") return;
  markKeys();
  say($(".keys-n").textContent.trim());
}

function findLater() {
  clearTimeout(finding);
  finding = setTimeout(find, FIND_MS);
}

// As line_count in views/configmap.py.
function countLines(text) {
  const lines = text.value.split("\n").length - (text.value.endsWith("\n") ? 1 : 0);
  $("[data-lines]", text.closest("[data-key]")).textContent = `${lines} line${lines === 1 ? "" : "s"}`;
}

function showFile(input) {
  const line = $("[data-file]", input.closest("[data-key]"));
  const [file] = input.files;
  line.hidden = !file;
  line.textContent = file ? `${file.name} (${file.size.toLocaleString("en")} bytes) takes the place of this value.` : "";
  const name = parts(input.closest("[data-key]")).name;
  if (file && !name.value) name.value = file.name;
}

function addKey() {
  const template = $("#editor-new");
  const number = `new${Date.now()}`;
  const made = parse(template.innerHTML.replaceAll("new-template", number));
  $("#editors").append(made);
  parts(made).name.focus();
}

function show(box, on) {
  if (on && box.hidden) say($("h2", box).textContent);
  box.hidden = !on;
}

function goToLine(area, line) {
  const before = area.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1);
  const end = area.value.indexOf("\n", before);
  area.focus();
  area.setSelectionRange(before, end < 0 ? area.value.length : end);
}

let watcher = null;
function start() {
  watcher?.disconnect();
  const now = $("#edit-now");
  const add = $("#add-key");
  if (!now || !add) return;
  add.hidden = false;
  // What was typed or chosen before this script had come.
  for (const text of document.querySelectorAll("[data-key] textarea")) if (changed(text)) countLines(text);
  for (const file of document.querySelectorAll('[data-key] input[type="file"]')) if (file.files.length) showFile(file);
  const part = $(".keys-find input");
  if (part && changed(part)) find();
  markKeys();
  const stale = $("#edit-stale");
  const gone = $("#edit-gone");
  const tell = () => {
    show(gone, "gone" in now.dataset);
    show(stale, now.dataset.version !== stale.dataset.version && gone.hidden);
  };
  watcher = new MutationObserver(tell);
  watcher.observe(now, { attributes: true });
  tell();
}

export function startEditor() {
  document.addEventListener("formdata", (event) => $("#editors", event.target) && onFormData(event));
  document.addEventListener("input", ({ target }) => {
    if (target.matches("[data-key] textarea")) countLines(target);
    if (target.matches(".keys-find input")) findLater();
    else if (target.closest("[data-key]")) markKeys();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches(".keys-find input")) return;
    event.preventDefault();
    find();
  });
  document.addEventListener("change", ({ target }) => {
    if (target.closest("[data-key]")) markKeys();
    if (target.matches('[data-key] input[type="file"]')) showFile(target);
    if (target.matches("[data-edit]")) document.getElementById(target.dataset.edit)?.focus();
  });
  document.addEventListener("click", (event) => {
    const { target } = event;
    const [opener, finder] = ["[data-open]", ".keys-find button"].map((each) => target.closest(each));
    if (opener || finder) event.preventDefault();
    if (opener) openKey(opener.dataset.open);
    if (finder) find();
    if (target.closest("#add-key")) addKey();
    const goTo = target.closest("[data-goto]");
    if (goTo) goToLine(document.getElementById(goTo.dataset.goto), Number(goTo.dataset.line));
  });
  document.addEventListener("htmx:afterSettle", showKeys);
  document.addEventListener("page:shown", start);
  start();
}
