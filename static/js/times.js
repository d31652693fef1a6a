// Relative times tick here instead of being rendered again; absolute ones are shown in the reader's zone.
// An element is looked at again only when its words can have changed: every second while it counts seconds, else
// every minute, hour or day. One timer, and none of it while the page is hidden.

let due = new WeakMap(); // element → when its words may change (ms)
let ahead = 0; // the server's clock minus ours, ms

const pair = (big, bigUnit, small, smallUnit) => big + bigUnit + (small ? small + smallUnit : "");

// k8s.io/apimachinery/pkg/util/duration.HumanDuration
export function humanDuration(seconds) {
  const s = Math.trunc(seconds);
  if (s < -1) return "<invalid>";
  if (s < 120) return `${Math.max(s, 0)}s`;
  const m = Math.trunc(s / 60);
  if (m < 10) return pair(m, "m", s % 60, "s");
  if (m < 180) return `${m}m`;
  const h = Math.trunc(m / 60);
  if (h < 8) return pair(h, "h", m % 60, "m");
  if (h < 48) return `${h}h`;
  const d = Math.trunc(h / 24);
  if (d < 8) return pair(d, "d", h % 24, "h");
  if (d < 730) return `${d}d`;
  const y = Math.trunc(d / 365);
  return y < 8 ? pair(y, "y", d % 365, "d") : `${y}y`;
}

// On a page of the past it is that moment, for good.
const shownAt = () => Date.parse(document.body.dataset.at ?? "");
export const now = () => shownAt() || Date.now() + ahead;
export const inUtc = () => localStorage.getItem("zone") === "utc";

// Frames carry the server's time. A small difference is the way here, not a wrong clock. What another time was told by
// is told anew: it may not be due for as long as the clocks are apart.
export function serverTime(seconds) {
  const difference = seconds * 1000 - Date.now();
  if (Math.abs(difference - ahead) <= 1500) return;
  ahead = Math.abs(difference) > 1500 ? difference : 0;
  due = new WeakMap();
  refresh();
}

function step(seconds) {
  return seconds < 600 ? 1 : seconds < 28800 ? 60 : seconds < 691200 ? 3600 : 86400;
}

function relative(time, at) {
  const since = Date.parse(time.dateTime);
  const seconds = (at - since) / 1000;
  const words = humanDuration(seconds) + (time.dataset.rel === "ago" ? " ago" : "");
  if (time.textContent !== words) time.textContent = words;
  const every = step(seconds);
  due.set(time, since + (Math.trunc(seconds / every) + 1) * every * 1000);
}

const formats = {
  time: { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" },
  date: { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" },
  log: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
};
const made = new Map();

function format(form) {
  const key = form + inUtc();
  if (!made.has(key)) made.set(key, new Intl.DateTimeFormat("en-GB", { ...(formats[form] ?? formats.time), timeZone: inUtc() ? "UTC" : undefined }));
  return made.get(key);
}

export function absolute(time) {
  time.textContent = time.dataset.abs === "log" ? clock(time.dateTime) : format(time.dataset.abs).format(new Date(time.dateTime));
  due.set(time, Infinity);
}

// Lines of logs come by the hundred in one second: its words are made once.
let second = { key: "", words: "" };
function clock(at) {
  const key = at.slice(0, 19) + inUtc();
  if (second.key !== key) second = { key, words: format("log").format(new Date(at)) };
  const [, fraction = ""] = /\.(\d{1,3})/.exec(at) ?? [];
  return `${second.words}.${fraction.padEnd(3, "0")}`;
}

// Brings every time below `root` up to date that is new or due.
export function refresh(root = document) {
  const at = now();
  const times = root.localName === "time" ? [root] : root.getElementsByTagName("time");
  for (const time of times) {
    if ((due.get(time) ?? 0) > at) continue;
    if (time.dataset.rel) relative(time, at);
    else if (time.dataset.abs) absolute(time);
  }
}

// A changed datetime on an element that stays (see morph.js) makes it due at once.
export const forget = (time) => due.delete(time);

// A page says when it was made, so that ages are right before the first frame, and where none comes.
const WRONG_MS = 60_000; // less may be its way here

export function startTimes() {
  const made = Date.parse(document.querySelector(".printed time")?.dateTime);
  if (Math.abs(made - Date.now()) > WRONG_MS) serverTime(made / 1000);
  refresh();
  setInterval(() => document.hidden || refresh(), 1000);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
  addEventListener("beforeprint", () => {
    for (const time of document.querySelectorAll(".printed time")) {
      time.dateTime = new Date(now()).toISOString();
      absolute(time);
    }
  });
  document.addEventListener("ui:zone", () => {
    for (const time of document.querySelectorAll("time[data-abs]")) absolute(time);
  });
}
