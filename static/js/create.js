// A file that is chosen, or dropped on the text, is read into it here: nothing is sent before somebody asks for a preview.
import { note, say } from "./notes.js";

const MOST = 1024 * 1024; // as MAX_BYTES in manifesttext.py

const text = () => document.querySelector("[data-files] textarea");

// After what is there already: two files may belong together.
async function read(files) {
  const field = text();
  if (!field || !files.length) return;
  const all = [...files];
  const size = all.reduce((sum, file) => sum + file.size, field.value.length);
  if (size > MOST) return note({ title: "Too much for one request", text: "1 MiB of YAML can be sent at once. Nothing was added." });
  const parts = await Promise.all(all.map((file) => file.text()));
  const there = field.value.trim() && field.value !== field.defaultValue ? [field.value.replace(/\n*$/, "\n")] : [];
  field.value = [...there, ...parts.map((part) => part.replace(/\n*$/, "\n"))].join("---\n");
  field.dispatchEvent(new Event("input", { bubbles: true }));
  (field.editor ?? field).focus();
  say(`${all.map(({ name }) => name).join(", ")} was read.`);
}

const zone = (event) => event.target.closest?.("[data-files]");
const brings = (event) => event.dataTransfer?.types.includes("Files");

function over(event) {
  if (!zone(event) || !brings(event)) return;
  event.preventDefault();
  zone(event).dataset.files = "over";
}

function leave(event) {
  if (zone(event)) zone(event).dataset.files = "";
}

function drop(event) {
  leave(event);
  if (!zone(event) || !brings(event)) return;
  event.preventDefault();
  read(event.dataTransfer.files);
}

function show() {
  for (const each of document.querySelectorAll("[data-read]")) each.hidden = false;
}

export function startCreate() {
  show();
  document.addEventListener("page:shown", show);
  document.addEventListener("dragover", over);
  document.addEventListener("dragleave", leave);
  document.addEventListener("drop", drop);
  document.addEventListener("change", ({ target }) => {
    if (!target.matches("[data-read] input")) return;
    read(target.files).then(() => (target.value = ""));
  });
}
