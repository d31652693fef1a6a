// The form that edits a ConfigMap. It works without this: the server knows an untouched text by itself. Here untouched
// keys stay at home, lines are counted, keys added, and a change by somebody else is told.
import { parse } from "./lists.js";
import { say } from "./ui.js";

const $ = (selector, root = document) => root.querySelector(selector);
const numberOf = (editor) => $('[name="row"]', editor).value.split(" ")[0];

function parts(editor) {
  const number = numberOf(editor);
  const field = (letter) => $(`[name="${letter}${number}"]`, editor);
  return { number, name: field("n"), text: field("t"), file: field("f"), gone: field("d"), kept: field("u") };
}

const changed = (field) => Boolean(field) && field.value !== field.defaultValue;

// Only what was touched is sent: large ConfigMaps stay quick, and what was not sent cannot have been changed.
function onFormData(event) {
  for (const editor of event.target.querySelectorAll("[data-key]:not([data-sent])")) {
    const { number, name, text, file, gone, kept } = parts(editor);
    const touched = changed(name) || changed(text) || Boolean(file?.files.length) || Boolean(gone?.checked) || Boolean(kept);
    if (!touched && editor.hasAttribute("data-new")) event.formData.delete(`n${number}`);
    if (!changed(text)) event.formData.delete(`t${number}`);
    if (!touched) for (const letter of "nbf") event.formData.delete(letter + number);
  }
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
  document.addEventListener("input", ({ target }) => target.matches("[data-key] textarea") && countLines(target));
  document.addEventListener("change", ({ target }) => {
    if (target.matches('[data-key] input[type="file"]')) showFile(target);
    if (target.matches("[data-edit]")) document.getElementById(target.dataset.edit)?.focus();
  });
  document.addEventListener("click", ({ target }) => {
    if (target.closest("#add-key")) addKey();
    const goTo = target.closest("[data-goto]");
    if (goTo) goToLine(document.getElementById(goTo.dataset.goto), Number(goTo.dataset.line));
  });
  document.addEventListener("page:shown", start);
  start();
}
