// The bar of a page of the past: the slider and the field for a time lead to another moment. Each moment is a page of its own, loaded whole:
// nothing of the present may stay beside it.
import { humanDuration, inUtc, now } from "./times.js";

const WAIT_MS = 600; // after the last key: each press of an arrow is no page of its own

const bar = () => document.querySelector("[data-rewind]");

function goTo(moment) {
  const url = new URL(location.href);
  url.searchParams.set("at", new Date(Math.min(moment, Date.now() - 1000)).toISOString().replace(/\.\d+Z$/, "Z"));
  location.assign(url.pathname + url.search.replaceAll("%3A", ":"));
}

const at = (slider) => Date.parse(bar().dataset.since) + Number(slider.value) * 60_000;

const words = (moment) => new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: inUtc() ? "UTC" : undefined }).format(moment);

// What a datetime-local field holds: the reader's own time, whatever the zone.
function local(moment) {
  const shift = inUtc() ? 0 : new Date(moment).getTimezoneOffset() * 60_000;
  return new Date(moment - shift).toISOString().slice(0, 19);
}

function fromLocal(text) {
  return inUtc() ? Date.parse(`${text}Z`) : new Date(text).getTime();
}

function startSlider(slider) {
  let timer = 0;
  slider.disabled = false;
  slider.setAttribute("aria-valuetext", words(Date.parse(document.body.dataset.at)));
  slider.addEventListener("input", () => {
    slider.setAttribute("aria-valuetext", words(at(slider)));
    slider.title = words(at(slider));
  });
  slider.addEventListener("change", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      sessionStorage.setItem("rewind-focus", "1");
      goTo(at(slider));
    }, WAIT_MS);
  });
  if (sessionStorage.getItem("rewind-focus")) slider.focus({ preventScroll: true });
  sessionStorage.removeItem("rewind-focus");
}

function startField(field) {
  field.disabled = false;
  field.value = local(Date.parse(field.dataset.rewindAt));
  field.max = local(Date.now());
  const chosen = () => {
    const moment = fromLocal(field.value);
    const future = moment > Date.now();
    field.toggleAttribute("aria-invalid", future);
    document.getElementById("rw-said").textContent = future ? "That is in the future: choose a time up to now." : "";
    if (!future && !Number.isNaN(moment) && local(moment) !== local(Date.parse(field.dataset.rewindAt))) goTo(moment);
  };
  // A field of which a part is typed has a value after each letter: it counts when it is left, or with Enter.
  field.addEventListener("blur", chosen);
  field.addEventListener("keydown", (event) => event.key === "Enter" && chosen());
}

function showTimes() {
  for (const text of document.querySelectorAll("[data-tick]")) {
    const form = { hour: "2-digit", minute: "2-digit", timeZone: inUtc() ? "UTC" : undefined };
    text.textContent = new Intl.DateTimeFormat("en-GB", form).format(new Date(text.dataset.tick));
  }
  const ago = document.querySelector("[data-long-ago]");
  if (ago) ago.textContent = humanDuration((Date.now() - now()) / 1000);
}

function show() {
  if (!bar()) return;
  const slider = bar().querySelector(".scrub");
  if (slider.disabled) startSlider(slider);
  const field = bar().querySelector("[data-rewind-at]");
  if (field.disabled) startField(field);
  showTimes();
}

const KEYS = { "[": "#rw-previous", "]": "#rw-next" };

function onKey(event) {
  const typing = event.target.closest("input:not(.scrub), textarea, select");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || localStorage.getItem("keys") === "off") return;
  if (event.key in KEYS) document.querySelector(KEYS[event.key])?.click();
}

export function startRewind() {
  show();
  document.addEventListener("keydown", onKey);
  document.addEventListener("page:shown", show);
  document.addEventListener("ui:zone", show);
}
