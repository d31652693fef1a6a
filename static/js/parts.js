// What only some pages have: its script comes with the first page that has it, and starts then. Nothing is sent before one
// that keeps what an answer would take away.
import { note } from "./notes.js";

const PARTS = [
  { where: "#namespaces[open]", load: () => import("./namespaces.js"), start: "startNamespaces" },
  { where: "#settings[open]", load: () => import("./settings.js"), start: "startSettings" },
  { where: "#chosen", load: () => import("./choose.js"), start: "startChoose" },
  { where: "#columns", load: () => import("./columns.js"), start: "startColumns" },
  { where: "[data-copy], [data-copy-from]", load: () => import("./clipboard.js"), start: "startClipboard" },
  { where: "[data-map]", load: () => import("./map.js"), start: "startMap" },
  { where: "[data-rewind]", load: () => import("./rewind.js"), start: "startRewind" },
  { where: "[data-poll]", load: () => import("./poll.js"), start: "startPoll" },
  { where: "#change [data-files]", load: () => import("./create.js"), start: "startCreate" },
  { where: "textarea[data-editor]", load: () => import("./yamltext.js"), start: "startYamlText" },
  { where: "#change[data-create]", load: () => import("./newobject.js"), start: "startNewObject" },
  { where: "#change:has(#editors)", load: () => import("./editor.js"), start: "startEditor" },
  { where: "#change", load: () => import("./changes.js"), start: "startChanges" },
  { where: "[data-shell], [data-shell-open]", load: () => import("./shell.js"), start: "startShell" },
  { where: "[data-rotate], [data-reveal-url]", load: () => import("./secrets.js"), start: "startSecrets", keeps: true },
];

function bring(part) {
  part.coming ??= part.load().then(
    (module) => {
      module[part.start]();
      part.there = true;
    },
    () => (part.coming = null), // lost on the way: the next page or click asks again
  );
  return part.coming;
}

function look() {
  for (const part of PARTS) if (document.querySelector(part.where)) bring(part);
}

// What htmx sends needs no script besides: an answer that is there before the script is looked at when that comes.
const HTMX = "[hx-get], [hx-post]";
const sends = (button) => button.matches(HTMX) || (button.type === "submit" && button.form?.matches(HTMX));

const missing = (control) =>
  PARTS.find(({ where, there, keeps }) => !there && control.closest(where) && (keeps || !sends(control)));

// A click that was quicker than the script is done again once that is there. Without it a form is sent as forms are.
function again(event) {
  const button = event.target.closest("button");
  const part = button && button !== sent && missing(button);
  if (!part) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  bring(part).then(() => {
    if (!button.isConnected) return;
    if (!part.there && button.type !== "submit") return note({ title: "A part of this page did not arrive", text: "Check the connection, and try again." });
    if (!part.there) sent = button;
    button.click();
    sent = null;
  });
}

let sent = null; // a button whose click goes through

// The same for what was typed and chosen, once however often that was.
const waiting = new Map();
function typedAgain({ type, target }) {
  const part = target instanceof Element && missing(target);
  if (!part || waiting.get(target) === type) return;
  waiting.set(target, type);
  bring(part).then(() => {
    waiting.delete(target);
    if (part.there && target.isConnected) target.dispatchEvent(new Event(type, { bubbles: true }));
  });
}

export function startParts() {
  look();
  document.addEventListener("page:shown", look);
  document.addEventListener("toggle", look, { capture: true });
  document.addEventListener("ui:opened", look);
  document.addEventListener("click", again, { capture: true });
  for (const type of ["input", "change"]) document.addEventListener(type, typedAgain, { capture: true });
}
