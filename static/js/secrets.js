// Values of Secrets in the browser: one is made here, pasted or read from a file for a rotation; one is shown for half a
// minute, or copied without being shown. None is kept: not in storage, not in a frame, not in the history.
import { toClipboard } from "./clipboard.js";
import { parse } from "./lists.js";
import { load } from "./navigation.js";
import { note, say } from "./notes.js";

const $ = (selector, root = document) => root.querySelector(selector);
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const SIGNS = "!#$%&()*+,-./:;<=>?@[]^_{|}~"; // without quotes, backslash and blanks, which shells and URLs trip over
const MOST_BYTES = 1024 * 1024;
const PAUSE = 400; // after typing, before the preview
const FIND_MS = 250; // after the last letter of a key's name

// Equal chances for each sign: bytes that would favour the first ones are thrown away.
function generate(length, alphabet) {
  const limit = 256 - (256 % alphabet.length);
  let made = "";
  while (made.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
      if (byte < limit && made.length < length) made += alphabet[byte % alphabet.length];
    }
  }
  return made;
}

// ---- The forms that rotate and replace: "one" is an input with its buttons; the form that replaces has one a key

const field = (one) => $("[data-value]", one);
const given = (box) => [...box.querySelectorAll("[data-one]")].some((one) => field(one).value || $("[data-file]", one).value);
const chosen = (box) => !$("[name=key]", box) || $("[name=key]:checked", box);

let later = 0;
function preview(box) {
  clearTimeout(later);
  // What was shown is of another value: its button must not stand there meanwhile.
  $("#preview [data-apply]")?.remove();
  if (!given(box) || !chosen(box)) return;
  later = setTimeout(() => box.isConnected && htmx.trigger(box, "ui:preview"), PAUSE);
}

// One of both is sent as the value: the text, or a file's bytes. Those are in a field of their own: laid out as text, a
// megabyte in one line would hold the page up for minutes.
function put(one, text, file, words) {
  const [typed, kept, { one: name }] = [field(one), $("[data-file]", one), one.dataset];
  typed.value = text;
  kept.value = file;
  typed.name = file ? "" : name;
  kept.name = file ? name : "";
  typed.readOnly = Boolean(file);
  $("[data-encoding]", one).value = file ? "base64" : "text";
  $("[data-drop]", one).hidden = !file;
  hint(one, words);
  preview(one.closest("[data-rotate]"));
}

function hint(one, words, wrong = false) {
  const place = $("[data-hint]", one);
  place.textContent = words;
  place.classList.toggle("error", wrong);
}

// What cannot be used says so, and takes nothing away of what is there.
async function upload(one, file) {
  if (!file) return;
  if (file.size > MOST_BYTES) return hint(one, `${file.name} has more than 1 MiB: that does not fit into a Secret. Nothing was taken from it.`, true);
  if (!file.size) return hint(one, `${file.name} is empty: there is no value in it.`, true);
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    return hint(one, `${file.name} could not be read: choose it again.`, true);
  }
  const words = `${bytes.length} bytes of ${file.name}, sent exactly as they are.`;
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  put(one, "", btoa(binary), words);
}

function onRotateClick(box, target) {
  const one = target.closest("[data-one]");
  if (!one) return;
  if (target.closest("[data-generate]")) {
    const alphabet = $("[data-plain]", box).checked ? LETTERS : LETTERS + SIGNS;
    const length = Number($("[data-length]", box).value);
    const bits = Math.floor(length * Math.log2(alphabet.length));
    put(one, generate(length, alphabet), "", `A strong random value (${bits} bits), generated in this browser.`);
  }
  const unmask = target.closest("[data-unmask]");
  if (unmask) {
    const shown = !field(one).classList.toggle("masked");
    unmask.setAttribute("aria-pressed", String(shown));
    $("span", unmask).textContent = shown ? "Hide" : "Show";
  }
  if (target.closest("[data-drop]")) {
    put(one, "", "", "The file was removed: generate, paste or upload a value.");
    field(one).focus();
  }
  if (target.closest("[data-upload]")) $("input[type=file]", one).click();
}

// Of many keys a window is shown. What is asked for is only this: the form, with the value in it, stays here.
function findKeys(box, page = 1) {
  clearTimeout(finding);
  const key = $("[name=key]:checked", box)?.value ?? "";
  const query = new URLSearchParams({ q: $("[name=q]", box)?.value ?? "", page, key });
  const how = { target: "#pick-key", select: "#pick-key", swap: "outerHTML" };
  return load("GET", `${$("#change").action}?${query}`, how).then(() => say($("#pick-key .keys-n")?.textContent.trim() ?? ""));
}

let finding = 0;
function findKeysLater(box) {
  clearTimeout(finding);
  finding = setTimeout(findKeys, FIND_MS, box);
}

// ---- Showing and copying

let ticking = 0;
function hide() {
  clearInterval(ticking);
  for (const shown of document.querySelectorAll("[data-revealed]")) shown.remove();
}

// The answer's text, or null when there is none to show: then it is said why.
async function ask(button, key, purpose) {
  const { "X-CSRFToken": token } = JSON.parse(document.body.getAttribute("hx-headers"));
  let answer;
  let text;
  try {
    answer = await fetch(button.closest("[data-reveal-url]").dataset.revealUrl, {
      method: "POST",
      headers: { "X-CSRFToken": token, "HX-Request": "true" },
      body: new URLSearchParams({ key, purpose }),
      cache: "no-store",
    });
    text = await answer.text();
  } catch {
    return failed("The dashboard does not answer. Nothing was shown.");
  }
  if (answer.ok) return text;
  if (text.includes("data-revealed")) show(text);
  else if (answer.status === 401) note({ title: "You are signed out", text: "Sign in again, then ask once more.", link: { text: "Sign in", url: answer.headers.get("HX-Redirect") ?? "/login/" } });
  else failed(answer.status === 403 ? "The dashboard refused the request: load the page again." : `The dashboard could not answer (${answer.status}). Nothing was shown.`);
  return null;
}

function failed(text) {
  note({ title: "This did not work", text });
  return null;
}

function show(html) {
  hide();
  const place = $("#revealed");
  if (!place) return; // the reader went on meanwhile
  place.append(parse(html));
  const shown = $("[data-revealed]", place);
  const seconds = Number(shown.dataset.seconds ?? 0);
  if (!seconds) return;
  $("pre", shown).focus();
  // By the clock, not by ticks: those come late in a tab that nobody looks at.
  const until = Date.now() + seconds * 1000;
  ticking = setInterval(() => {
    const left = Math.ceil((until - Date.now()) / 1000);
    $("[data-left]", shown).textContent = Math.max(0, left);
    if (left <= 0) hide();
  }, 1000);
}

async function reveal(button) {
  const html = await ask(button, button.dataset.reveal, "show");
  if (html !== null) show(html);
}

async function copy(button) {
  const text = await ask(button, button.dataset.copySecret, "copy");
  if (text === null) return;
  const done = await toClipboard(text);
  if (done) say("Copied without showing it.");
  else note({ title: "It was not copied", text: "This browser gives the page no access to the clipboard. Reveal the value, select it and copy it by hand." });
  const use = $("use", button);
  use.setAttribute("href", done ? "#i-done" : "#i-bad");
  setTimeout(() => use.setAttribute("href", "#i-copy"), 1500);
}

// What was typed or chosen before this script had come.
function takeUp() {
  for (const one of document.querySelectorAll("[data-rotate] [data-one]")) {
    const input = $("input[type=file]", one);
    if (input.files.length) {
      upload(one, input.files[0]);
      input.value = "";
    } else if (!$("#preview [data-apply]")) preview(one.closest("[data-rotate]"));
  }
}

export function startSecrets() {
  document.addEventListener("click", (event) => {
    const { target } = event;
    const box = target.closest("[data-rotate]");
    const finder = box && target.closest("[data-find], [data-page]");
    if (finder) {
      event.preventDefault();
      findKeys(box, finder.dataset.page);
    } else if (box) onRotateClick(box, target);
    const revealer = target.closest("[data-reveal]");
    if (revealer) reveal(revealer);
    const copier = target.closest("[data-copy-secret]");
    if (copier) copy(copier);
    if (target.closest("[data-hide]")) hide();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("[data-rotate] [name=q]")) return;
    event.preventDefault();
    findKeys(event.target.closest("[data-rotate]"));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !$("[data-revealed]")?.contains(event.target)) return;
    event.stopPropagation(); // it hides the value, and does not leave the page as well
    hide();
  }, { capture: true });
  document.addEventListener("input", ({ target }) => {
    const box = target.closest("[data-rotate]");
    if (box && target.matches("[data-value], [name=key], [data-hook]")) preview(box);
    if (box && target.matches("[name=q]")) findKeysLater(box);
  });
  document.addEventListener("change", ({ target }) => {
    const one = target.closest("[data-rotate] [data-one]");
    if (one && target.matches("input[type=file]")) {
      upload(one, target.files[0]);
      target.value = "";
    }
  });
  document.addEventListener("page:shown", hide);
  addEventListener("pagehide", hide);
  takeUp();
}
