// Values of Secrets in the browser: one is made here, pasted or read from a file for a rotation; one is shown for half a
// minute, or copied without being shown. None is kept: not in storage, not in a frame, not in the history.
import { parse } from "./lists.js";
import { say } from "./ui.js";

const $ = (selector, root = document) => root.querySelector(selector);
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const SIGNS = "!#$%&()*+,-./:;<=>?@[]^_{|}~"; // without quotes, backslash and blanks, which shells and URLs trip over
const MOST_BYTES = 1024 * 1024;
const PAUSE = 400; // after typing, before the preview

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

// ---- The form that rotates

let later = 0;
function preview(box) {
  clearTimeout(later);
  const field = $("[name=value]", box);
  // What was shown is of another value: its button must not stand there meanwhile.
  $("#preview [data-apply]")?.remove();
  if (!field.value || !$("[name=key]:checked", box)) return;
  later = setTimeout(() => field.isConnected && htmx.trigger(field, "ui:preview"), PAUSE);
}

function put(box, text, encoding, words) {
  $("[name=value]", box).value = text;
  $("[name=encoding]", box).value = encoding;
  $("#value-hint", box).textContent = words;
  $("[name=value]", box).readOnly = encoding === "base64";
  preview(box);
}

async function upload(box, file) {
  if (!file) return;
  if (file.size > MOST_BYTES) return put(box, "", "text", `${file.name} has more than 1 MiB: that does not fit into a Secret.`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const words = `${bytes.length} bytes of ${file.name}, sent exactly as they are. Generate or upload again to replace them.`;
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  put(box, btoa(binary), "base64", words);
}

function onRotateClick(box, target) {
  if (target.closest("[data-generate]")) {
    const alphabet = $("[data-plain]", box).checked ? LETTERS : LETTERS + SIGNS;
    const length = Number($("[data-length]", box).value);
    const bits = Math.floor(length * Math.log2(alphabet.length));
    put(box, generate(length, alphabet), "text", `${bits} random bits, made in this browser.`);
  }
  const unmask = target.closest("[data-unmask]");
  if (unmask) {
    const shown = !$("[name=value]", box).classList.toggle("masked");
    unmask.setAttribute("aria-pressed", String(shown));
    $("span", unmask).textContent = shown ? "Hide" : "Show";
  }
  if (target.closest("[data-upload]")) $("input[type=file]", box).click();
}

// ---- Showing and copying

let ticking = 0;
function hide() {
  clearInterval(ticking);
  for (const shown of document.querySelectorAll("[data-revealed]")) shown.remove();
}

async function ask(button, key, purpose) {
  const { "X-CSRFToken": token } = JSON.parse(document.body.getAttribute("hx-headers"));
  return fetch(button.closest("[data-reveal-url]").dataset.revealUrl, {
    method: "POST",
    headers: { "X-CSRFToken": token, "HX-Request": "true" },
    body: new URLSearchParams({ key, purpose }),
    cache: "no-store",
  });
}

async function show(html) {
  hide();
  const place = $("#revealed");
  if (!place) return; // the reader went on meanwhile
  place.append(parse(html));
  const shown = $("[data-revealed]", place);
  let left = Number(shown.dataset.seconds ?? 0);
  if (!left) return;
  $("pre", shown).focus();
  ticking = setInterval(() => {
    left -= 1;
    $("[data-left]", shown).textContent = left;
    if (left <= 0) hide();
  }, 1000);
}

async function reveal(button) {
  try {
    const answer = await ask(button, button.dataset.reveal, "show");
    await show(await answer.text());
  } catch {
    say("The value could not be read: the dashboard does not answer.");
  }
}

async function copy(button) {
  const use = $("use", button);
  try {
    const answer = await ask(button, button.dataset.copySecret, "copy");
    const text = await answer.text();
    if (!answer.ok) return show(text);
    await navigator.clipboard.writeText(text);
    say("Copied without showing it.");
    use.setAttribute("href", "#i-done");
  } catch {
    say("It could not be copied: this browser gives no access to its clipboard here.");
    use.setAttribute("href", "#i-bad");
  }
  setTimeout(() => use.setAttribute("href", "#i-copy"), 1500);
}

export function startSecrets() {
  document.addEventListener("click", ({ target }) => {
    const box = target.closest("[data-rotate]");
    if (box) onRotateClick(box, target);
    const revealer = target.closest("[data-reveal]");
    if (revealer) reveal(revealer);
    const copier = target.closest("[data-copy-secret]");
    if (copier) copy(copier);
    if (target.closest("[data-hide]")) hide();
  });
  document.addEventListener("input", ({ target }) => {
    const box = target.closest("[data-rotate]");
    if (box && target.matches("[name=value], [name=key]")) preview(box);
  });
  document.addEventListener("change", ({ target }) => {
    const box = target.closest("[data-rotate]");
    if (box && target.matches("input[type=file]")) {
      upload(box, target.files[0]);
      target.value = "";
    }
  });
  document.addEventListener("page:shown", hide);
  addEventListener("pagehide", hide);
}
