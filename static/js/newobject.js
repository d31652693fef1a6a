// The form of a new object: rows that come and go, inputs that are marked as what is said of them, and no check of what is
// just being previewed.
import { say } from "./notes.js";

const form = () => document.querySelector("[data-create]");
const saidOf = (input) => document.getElementById(input.getAttribute("aria-describedby")?.split(" ")[0]);
let sent = ""; // what was last previewed or applied
let told = ""; // what was last read out

const typedIn = (of) => new URLSearchParams([...new FormData(of)].filter(([name]) => !["step", "token", "csrfmiddlewaretoken"].includes(name))).toString();

// A row is known by its place: what is said of it comes back for just that.
function number(list) {
  const name = list.closest("[data-rows]").dataset.rows;
  [...list.querySelectorAll("li:not(.row-head)")].forEach((row, at) => {
    row.querySelector(".said").id = `said-${name}-${at}`;
    for (const input of row.querySelectorAll("input, select, textarea")) {
      input.setAttribute("aria-describedby", `said-${name}-${at}`);
      input.id = `${name}-${at}-${input.name.split(".").pop()}`;
    }
  });
}

function addRow(button) {
  const rows = button.closest("[data-rows]");
  const list = rows.querySelector("ul");
  list.append(rows.querySelector("template").content.cloneNode(true));
  number(list);
  show();
  list.lastElementChild.querySelector("input, select, textarea").focus();
}

function removeRow(button) {
  const list = button.closest("ul");
  const row = button.closest("li");
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  const left = list.querySelector("li:not(.row-head)");
  if (!left) addRow(list.nextElementSibling ?? list);
  else {
    number(list);
    (next?.matches(".row-head") ? left : next).querySelector("input, select, textarea").focus();
  }
  htmx.trigger(form().querySelector(".fields"), "recheck");
}

function show() {
  for (const button of form()?.querySelectorAll("[data-add-row], [data-remove-row]") ?? []) button.hidden = false;
  mark();
}

// Inputs that are wrong say so; what is said of the one that has the focus is read out when it changes.
function mark() {
  const of = form();
  if (!of) return;
  for (const input of of.querySelectorAll('[aria-describedby^="said-"]')) {
    const bad = saidOf(input)?.dataset.state === "bad";
    if (bad) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
  const at = of.contains(document.activeElement) ? document.activeElement : null;
  const words = at && at.hasAttribute("aria-describedby") ? (saidOf(at)?.textContent.trim() ?? "") : "";
  if (words && words !== told) say(words);
  told = words;
}

function firstWrong() {
  const input = form()?.querySelector('[aria-invalid="true"]');
  if (!input) return;
  const folded = input.closest("details:not([open])");
  if (folded) folded.open = true;
  input.focus();
}

function settled({ detail: { requestConfig } }) {
  if (!form() || requestConfig?.target?.id !== "preview") return;
  mark();
  if (requestConfig.triggeringEvent?.type === "submit" && document.querySelector("#preview .callout.bad")) firstWrong();
}

// A check that was waited with until after a button was pressed would take the answer to that away.
function before(event) {
  const { elt, requestConfig } = event.detail;
  const of = form();
  if (!of || !of.contains(elt)) return;
  if (elt === of) {
    sent = typedIn(of);
    htmx.trigger(of.querySelector(".fields"), "htmx:abort");
  } else if (requestConfig.parameters.step === "check" && typedIn(of) === sent) event.preventDefault();
}

// What is as it was stays: a list of suggestions that is open would close.
function swapping(event) {
  const { target, fragment } = event.detail;
  const comes = fragment.firstElementChild ?? fragment;
  if (target.matches(".said, datalist") && target.innerHTML === comes.innerHTML && target.className === comes.className) event.detail.shouldSwap = false;
}

// What is said of the cluster is said again when that has changed, as long as nothing is previewed: that has a moment of its own.
let at = "";
function moved() {
  const now = document.getElementById("create-now")?.dataset.at ?? "";
  if (now === at || document.hidden) return;
  const first = !at;
  at = now;
  if (!first && !document.querySelector("#preview [data-apply], #preview .callout.bad[role]")) htmx.trigger(form().querySelector(".fields"), "recheck");
}

export function startNewObject() {
  show();
  moved();
  document.addEventListener("page:moved", moved);
  document.addEventListener("page:shown", () => {
    sent = told = at = "";
    show();
    moved();
  });
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-add-row], [data-remove-row]");
    if (!button) return;
    if (button.matches("[data-add-row]")) addRow(button);
    else removeRow(button);
  });
  document.addEventListener("htmx:beforeRequest", before);
  document.addEventListener("htmx:oobBeforeSwap", swapping);
  document.addEventListener("htmx:afterSettle", settled);
}
