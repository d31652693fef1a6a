// What changed since this reader last looked: rows that changed after their list was last left in this browser have a dot.
import { now, refresh } from "./times.js";

const KEY = "looked";
let path = ""; // of the list on screen
let looked = 0; // when it was last left, ms of the server's clock; 0: never
let arrived = 0; // when it was come to; what changes later is seen as it changes

function memory() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

function leave() {
  if (!path) return;
  const all = { ...memory(), [path]: now() };
  const kept = Object.entries(all).sort(([, a], [, b]) => b - a).slice(0, 200);
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(kept)));
  } catch {
    // A browser that keeps nothing marks nothing.
  }
}

export function markSince() {
  const line = document.getElementById("since");
  if (!line) return;
  let count = 0;
  for (const row of document.querySelectorAll("#rows > tr")) {
    const changed = Date.parse(row.dataset.since ?? "");
    const later = looked > 0 && changed > looked && changed < arrived;
    row.classList.toggle("since-look", later);
    if (later) count += 1;
  }
  line.hidden = count === 0;
  if (!count) return;
  const at = new Date(looked).toISOString();
  const link = document.createElement("a");
  link.href = `${line.dataset.since}&since=${encodeURIComponent(at)}`;
  link.textContent = "What changed";
  const when = document.createElement("time");
  when.dateTime = at;
  when.dataset.rel = "ago";
  line.replaceChildren(`${count} here changed since you last looked, `, when, ". ", link);
  refresh(line);
}

function arrive() {
  const list = document.getElementById("since");
  const next = list ? location.pathname : "";
  if (next !== path) {
    leave();
    path = next;
    looked = memory()[path] ?? 0;
    arrived = now();
  }
  markSince();
}

export function startSince() {
  document.addEventListener("htmx:afterSettle", arrive);
  addEventListener("pagehide", () => document.hidden || leave());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return leave();
    looked = memory()[path] ?? 0;
    arrived = now();
    markSince();
  });
  arrive();
}
