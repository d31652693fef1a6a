// Which columns a list shows. The server keeps the choice for the reader and renders by it: the menu says what is
// wanted, and the list is asked for anew.
import { csrf } from "./forms.js";
import { go } from "./navigation.js";
import { note } from "./notes.js";

// A wide column that nobody chose is shown where there is room: its box says what is on screen.
function match(menu) {
  for (const box of menu.querySelectorAll("[data-wide-column]")) {
    const head = document.querySelector(`#list-cols [data-col="${CSS.escape(box.value)}"]`);
    if (head) box.checked = getComputedStyle(head).display !== "none";
  }
}

// One after the other, each as the boxes then stand: the last one kept is the last one chosen.
let turn = Promise.resolve();
const keep = (form, submitter) => (turn = turn.then(() => send(form, submitter)));

async function send(form, submitter) {
  const body = new FormData(form, submitter);
  const usual = body.has("usual");
  const added = body.get("label")?.trim();
  let answer = null;
  try {
    answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(body), headers: csrf() });
  } catch {
    // told below
  }
  if (!answer?.ok) return note({ title: "The columns could not be kept", text: answer?.status === 400 ? `"${added}" is not the key of a label: it looks like app or example.com/tier.` : "The dashboard did not answer. Try again.", retry: () => keep(form, submitter) });
  const url = new URL(location.href);
  url.searchParams.delete("columns"); // the reader's own choice from now on
  // Other boxes than these only where columns were added or all set back.
  reopen = Boolean(usual || added);
  go(url.pathname + url.search, { into: reopen ? "main" : "list", history: "replace", menu: form.closest("details") });
}

let reopen = false;
function show() {
  const menu = document.getElementById("columns");
  if (!reopen || !menu) return;
  reopen = false;
  menu.open = true;
  menu.querySelector("[name=label]").focus();
}

export function startColumns() {
  const early = document.querySelector("#columns[open]"); // a click that was quicker than this script
  if (early) match(early);
  document.addEventListener("toggle", ({ target }) => target.id === "columns" && target.open && match(target), true);
  document.addEventListener("page:shown", show);
  document.addEventListener("change", ({ target }) => target.matches("[data-columns] [name=column]") && keep(target.form));
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-columns]")) return;
    event.preventDefault();
    if (event.submitter?.getAttribute("aria-disabled") !== "true") keep(event.target, event.submitter);
  });
}
