// The form of a change beside the live object: "from" is what there is now, a preview that was made with another number
// is made anew before it can be applied, and of a deleted object nothing can be applied.
import { parse } from "./lists.js";
import { say } from "./notes.js";

const icon = '<svg class="i" aria-hidden="true"><use href="#i-warn"/></svg>';
const READ_MS = 1500; // a new preview can be applied only after a moment: a click meant for the one before does not do it

let asked = ""; // the number for which a preview was last asked for by itself
let told = 0; // when that preview came, ms
let applying = false;
let before = ""; // the number that the preview before it was made with

function tell(preview, title, text, again = false) {
  let box = preview.querySelector("[data-outdated]");
  if (!box) {
    box = parse(`<section class="callout warn" role="alert" data-outdated>${icon}<h2></h2><p></p></section>`);
    preview.querySelector(".p-say")?.prepend(box);
  }
  box.querySelector("h2").textContent = title;
  box.querySelector("p").textContent = text;
  if (again && !box.querySelector("button")) box.append(parse('<div class="btns"><button class="btn" name="step" value="preview">Preview again</button></div>'));
}

function block(preview, on) {
  for (const button of preview.querySelectorAll("[data-apply]")) button.disabled = on;
}

function sync() {
  const now = document.getElementById("object-now");
  const form = document.getElementById("change");
  const preview = document.getElementById("preview");
  if (!now || !form || !preview || applying) return;
  const { value: current, gone } = now.dataset;
  if (gone !== undefined) {
    block(preview, true);
    if (preview.querySelector("[data-apply]")) tell(preview, now.textContent.trim().replace(/\.$/, ""), "There is nothing left that this could be applied to.");
    return;
  }
  const from = form.querySelector("[data-from]");
  if (from && current && from.textContent !== current) from.textContent = current;
  const made = preview.dataset.madeFrom;
  if (made === undefined || !current || !preview.querySelector("[data-apply]")) return;
  if (made === current) {
    if (asked !== current) {
      preview.querySelector("[data-outdated]")?.remove();
      return block(preview, false);
    }
    if (!preview.querySelector("[data-outdated]")) {
      told = performance.now();
      setTimeout(sync, READ_MS + 50);
    }
    tell(preview, "It changed meanwhile", `It was ${before} and is ${current} now. This preview is new: read it before you apply it.`);
    return block(preview, performance.now() - told < READ_MS);
  }
  block(preview, true);
  tell(preview, "It changed meanwhile", `It is ${current} now, and was ${made} when this preview was made: preview again.`, true);
  if (asked === current || !form.checkValidity()) return;
  asked = current;
  before = made;
  form.requestSubmit(form.querySelector('.fields [value="preview"]'));
}

// The input at fault is marked, with what is wrong beside it. Gives that input, or null.
function markWrong(form, preview) {
  for (const old of form.querySelectorAll("[data-wrong]")) old.remove();
  for (const input of form.querySelectorAll('[aria-describedby~="wrong"]')) {
    input.removeAttribute("aria-invalid");
    input.setAttribute("aria-describedby", input.getAttribute("aria-describedby").replace(/ ?\bwrong$/, ""));
  }
  const wrong = preview.querySelector("[data-field]");
  const input = wrong && form.elements[wrong.dataset.field];
  const at = input instanceof HTMLElement ? input.closest(".editor-h, .field") : null;
  if (!at) return null;
  const text = parse(`<p class="error" id="wrong" data-wrong>${icon.replace("warn", "bad")}<span></span></p>`);
  text.querySelector("span").textContent = wrong.querySelector("p, li").textContent;
  if (at.matches(".field")) at.append(text);
  else at.after(text);
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", `${input.getAttribute("aria-describedby") ?? ""} wrong`.trim());
  return input;
}

// What a button brought may be below a long form: it comes into view, and is read out.
function showAnswer({ detail: { requestConfig } }) {
  const preview = document.getElementById("preview");
  if (!preview || requestConfig?.target?.id !== "preview") return;
  const marked = markWrong(document.getElementById("change"), preview);
  if (requestConfig.triggeringEvent?.type !== "submit") return;
  if (marked) return (marked.editor ?? marked).focus();
  const [callout, decide, card] = [".callout", ".decide", ".p-show .card"].map((each) => preview.querySelector(each));
  const oneColumn = decide && getComputedStyle(decide.parentElement).display === "contents";
  const first = callout ?? (oneColumn ? card : decide) ?? card;
  first?.scrollIntoView({ block: "nearest" });
  say(callout ? callout.querySelector("h2, h3").textContent : "The preview is ready.");
}

// A line of the text of which an error speaks is selected there.
function goToLine(event) {
  const link = event.target.closest("[data-line]");
  const text = link && document.querySelector(link.getAttribute("href"));
  if (!text) return;
  event.preventDefault();
  const lines = text.value.split("\n");
  const at = Math.min(Number(link.dataset.line), lines.length) - 1;
  const start = lines.slice(0, at).join("\n").length + (at ? 1 : 0);
  const end = start + lines[at].length;
  text.setSelectionRange(start, end);
  if (text.editor) return text.editor.select(start, end);
  text.focus();
  text.scrollTop = (at - 3) * parseFloat(getComputedStyle(text).lineHeight);
}

// An answer that came while this script was still on its way.
function answeredBefore() {
  const [form, preview] = ["change", "preview"].map((id) => document.getElementById(id));
  const marked = form && preview && markWrong(form, preview);
  // Not away from where somebody has gone on typing.
  if (marked && !document.activeElement?.matches("input, textarea, select, [contenteditable]")) (marked.editor ?? marked).focus();
}

// While an apply is under way nothing else is asked for: a second click, or a preview for what the apply itself changed,
// would take its request back.
function apply({ target, detail: { requestConfig } }, on) {
  if (target.id !== "change" || requestConfig.parameters.step !== "apply") return;
  applying = on;
  block(target, on);
  if (!on) sync();
}

export function startChanges() {
  sync();
  answeredBefore();
  document.addEventListener("htmx:afterSettle", showAnswer);
  document.addEventListener("htmx:beforeSend", (event) => apply(event, true));
  document.addEventListener("htmx:afterRequest", (event) => apply(event, false));
  document.addEventListener("click", goToLine);
  document.addEventListener("page:moved", sync);
  document.addEventListener("htmx:afterSettle", sync);
  document.addEventListener("page:shown", () => {
    asked = before = "";
    sync();
  });
  // What is typed afterwards is previewed with the number of now: the word of the change has been read.
  document.addEventListener("input", ({ target }) => target.closest("#change") && (asked = before = ""));
}
