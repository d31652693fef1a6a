// The lines of logs: shown as they come, held back while their reader looks elsewhere, and bounded. The server sends
// plain text and what to make of it; nothing of a line is ever read as HTML.
import { Finder } from "./logfind.js";
import { go } from "./navigation.js";
import { parse } from "./lists.js";
import { note, say } from "./notes.js";
import { absolute, inUtc } from "./times.js";

const LINES = 2000; // in the document, and held back
const BUDGET_MS = 10; // for lines between two showings of the page: what is drawn after them costs as much again
const MARKS = 100; // of those that stay when the lines around them have gone
const SLICE = [20, 400]; // lines that are put at once, at least and at most
const PART = 100; // of them that are laid out together
const NEAR = 40; // px from the end that count as the end
const COLOURS = 10;

const $ = (selector) => document.querySelector(selector);
const looks = { times: true, wrap: true, json: false, regex: false };
const icon = (name) => `<svg class="i" aria-hidden="true"><use href="#i-${name}"/></svg>`;
const STATES = { opening: "busy", waiting: "wait", slot: "wait", ended: "done", none: "empty", forbidden: "lock", unreachable: "plug" };

let log = null; // of the page on screen
let asked = ""; // the address that its form has led to already: Enter in a field is a change and a submission

class Log {
  constructor(box) {
    this.box = box;
    this.list = box.firstElementChild;
    this.sources = new Map(); // id → {key, pod, container, label, colour}
    this.numbers = new Map(); // pod/container → number and so colour: kept when a server numbers them anew
    this.had = new Map(); // key → [pod, the last line's time, lines of that time]
    this.held = []; // what has come and is not shown yet: it waits for its turn, or while nothing is to move
    this.heldLines = this.heldGone = 0;
    this.slice = 100; // lines that this machine puts in BUDGET_MS
    this.turn = 0; // of the next slice
    this.size = 0; // rows in the list
    this.older = 0; // lines that gave way to newer ones, or were never shown, above the first one here
    this.paused = false;
    this.away = false; // the reader has scrolled back
    this.finder = new Finder(this.list, box.dataset.matcher, showFound);
    this.top = 0; // where it was scrolled to last
    box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    // Lines and the box may change their height (wrapped, as JSON, another width): the end stays in view.
    this.sizes = new ResizeObserver(() => this.away || this.toEnd());
    this.sizes.observe(box);
    this.sizes.observe(this.list);
  }

  get still() {
    return this.paused || this.away;
  }

  // ---- Whose lines

  know(sources) {
    const fresh = sources.filter(({ key }) => !this.had.has(key));
    for (const source of fresh) this.had.set(source.key, [source.pod, "", 0]);
    const present = new Set(sources.map(({ key }) => key));
    for (const key of this.had.keys()) if (!present.has(key)) this.had.delete(key); // it has ended, and the server has said so
    for (const source of sources) {
      const name = `${source.pod}/${source.container}`;
      if (!this.numbers.has(name)) this.numbers.set(name, this.numbers.size);
      const number = this.numbers.get(name);
      const before = this.sources.get(source.id);
      this.sources.set(source.id, { ...source, number, colour: number % COLOURS });
      if (before && before.label !== source.label) this.rename(number, source.label);
    }
    this.several = sources.length > 1 || this.several;
    this.box.classList.toggle("several", Boolean(this.several));
    legend(sources.map(({ id }) => this.sources.get(id)));
  }

  rename(number, label) {
    for (const name of this.list.querySelectorAll(`[data-s="${number}"] > .src`)) name.textContent = label;
  }

  // ---- What comes

  take(items) {
    for (const item of items) this.count(item);
    this.hold(items);
    this.release();
  }

  count(item) {
    if (!Array.isArray(item) || !item[1]) return;
    const source = this.sources.get(item[0]);
    const had = source && this.had.get(source.key);
    if (!had) return;
    had[2] = had[1] === item[1] ? had[2] + 1 : 1;
    had[1] = item[1];
  }

  hold(items) {
    for (const item of items) {
      // Held as they will be shown: another connection numbers its sources anew.
      this.held.push(Array.isArray(item) ? [this.sources.get(item[0]) ?? {}, item] : [null, item]);
      if (Array.isArray(item)) this.heldLines += 1;
    }
    const marks = [];
    while (this.heldLines > LINES) {
      const first = this.held.shift();
      const [source, item] = first;
      if (source) this.heldLines -= 1;
      else if (!item.n) marks.push(first);
      this.heldGone += source ? 1 : item.n; // what the server left out is counted on
    }
    this.held.unshift(...marks.slice(-MARKS));
  }

  // A slice of what is held at once, the others each in a turn of its own: none of them may hold the page up.
  release() {
    more(this.still ? this : null);
    if (document.hidden) cancelAnimationFrame(this.turn); // its turn would come with the next look at the page
    else if (this.turn) return;
    this.showSlice();
  }

  showSlice() {
    this.turn = 0;
    if (this.still || this.box !== log?.box) return;
    const began = performance.now();
    const held = this.held.splice(0, document.hidden ? this.held.length : this.slice);
    const rows = held.map(([source, item]) => (source ? this.line(source, item) : mark(item)));
    if (this.heldGone) rows.unshift(mark({ k: "drop", n: this.heldGone }));
    this.heldLines -= held.filter(([source]) => source).length;
    this.heldGone = 0;
    this.put(rows);
    if (held.length === this.slice) this.learn(performance.now() - began);
    if (this.held.length) this.turn = requestAnimationFrame(() => this.showSlice());
  }

  // Half as fast again at most, so that one slow turn of a busy machine is not taken for its speed, nor one quick one.
  learn(took) {
    const pace = Math.min(1.5, Math.max(0.5, BUDGET_MS / Math.max(took, 1)));
    this.slice = Math.round(Math.min(SLICE[1], Math.max(SLICE[0], this.slice * pace)));
  }

  put(rows) {
    for (const row of rows) this.end().append(row);
    this.size += rows.length;
    for (; this.size > LINES; this.size -= 1) this.dropFirst();
    if (this.older) this.tellOlder();
    this.finder.added(rows);
    if (!this.away) this.toEnd();
  }

  // The lines are in parts, each with its own layout: what moves by the height of a line is 20 parts, not 2,000 lines.
  end() {
    const last = this.list.lastElementChild;
    if (last?.childElementCount < PART) return last;
    return this.list.appendChild(document.createElement("ol"));
  }

  dropFirst() {
    const part = this.list.firstElementChild;
    const row = part.firstElementChild;
    this.older += row.words ? 1 : (row.lines ?? 0); // a mark's own lines are counted on
    row.remove();
    if (!part.childElementCount) part.remove();
  }

  // The head of the list says what it no longer holds.
  tellOlder() {
    let head = this.box.querySelector(".older");
    if (!head) {
      head = parse('<p class="older"></p>');
      this.box.prepend(head);
    }
    head.textContent = `… ${this.older.toLocaleString("en")} older lines were dropped for newer ones; a download has what the cluster keeps`;
  }

  line(source, [, at, text, spans, cut]) {
    const row = document.createElement("li");
    row.dataset.s = source.number;
    if (at) {
      const time = document.createElement("time");
      time.dateTime = at;
      time.dataset.abs = "log";
      time.title = at;
      absolute(time);
      row.append(time);
    }
    const name = document.createElement("b");
    name.className = `src c${source.colour ?? 0}`;
    name.textContent = source.label ?? "";
    name.title = `${source.pod} ${source.container}`;
    const words = document.createElement("span");
    words.className = "words";
    row.append(name, words);
    row.words = { text, spans };
    write(words, row.words);
    if (cut) {
      const button = parse('<button class="btn whole" type="button" data-log-whole>The line is longer: show all of it</button>');
      Object.assign(row.words, { pod: source.pod, container: source.container, at });
      row.append(button);
    }
    return row;
  }

  close() {
    cancelAnimationFrame(this.turn);
    this.sizes.disconnect();
    this.finder.close();
  }

  // ---- Moving

  // Only a reader scrolls back; what grows below moves nothing.
  scrolled() {
    const { scrollTop, clientHeight, scrollHeight } = this.box;
    const back = scrollTop < this.top;
    this.top = scrollTop;
    const near = scrollTop + clientHeight >= scrollHeight - NEAR;
    const away = this.away ? !near : back && !near;
    if (away === this.away) return;
    this.away = away;
    this.release();
  }

  toEnd() {
    this.box.scrollTop = this.box.scrollHeight;
  }

  pause(on) {
    this.paused = on;
    this.release();
  }

  goOn() {
    if (this.paused) setPaused(false);
    this.away = false;
    this.release();
    this.toEnd();
  }
}

function mark({ k, t, n }) {
  const row = document.createElement("li");
  row.className = `mark-line ${k}`;
  row.lines = n;
  row.textContent = k === "drop" ? `… ${n.toLocaleString("en")} ${n === 1 ? "line" : "lines"} not shown: they came faster than they can be read` : t;
  return row;
}

// A line's text with its colours, or, where it is one and that is asked for, as indented JSON.
function write(element, { text, spans }) {
  const pretty = looks.json && json(text);
  if (pretty) return (element.textContent = pretty);
  if (!spans) return (element.textContent = text);
  element.textContent = "";
  let end = 0;
  for (const [from, to, classes] of spans) {
    element.append(text.slice(end, from));
    const part = document.createElement("span");
    part.className = classes.replace(/\S+/g, "s-$&");
    part.textContent = text.slice(from, to);
    element.append(part);
    end = to;
  }
  element.append(text.slice(end));
}

function json(text) {
  const from = text.indexOf("{");
  if (from < 0 || !text.trimEnd().endsWith("}")) return "";
  try {
    return text.slice(0, from) + JSON.stringify(JSON.parse(text.slice(from)), null, 2);
  } catch {
    return "";
  }
}

// ---- Around the lines

function legend(sources) {
  const list = $("[data-log-legend]");
  if (!list) return;
  list.hidden = !sources.length;
  const items = sources.map(({ pod, container, label, colour, state, text, url }) => {
    const item = parse('<li><a class="chip"><span class="dot"></span><b></b></a></li>');
    const link = item.firstChild;
    link.href = url;
    link.title = `${pod} ${container}: show this one alone, or all again`;
    link.querySelector("b").textContent = label;
    link.querySelector("b").className = `src c${colour}`;
    link.querySelector(".dot").classList.add(`c${colour}`);
    if (STATES[state]) {
      const words = parse(`<span class="n">${icon(STATES[state])}<span></span></span>`);
      words.lastChild.textContent = state === "ended" ? (text && text !== "Completed" ? `ended: ${text}` : "ended") : text;
      link.append(words);
    }
    return item;
  });
  list.replaceChildren(...items);
}

function tell(text) {
  const line = $("[data-log-note]");
  if (!line) return;
  line.hidden = !text;
  line.querySelector("span").textContent = text;
}

function more(held) {
  const button = $("[data-log-more]");
  if (!button) return;
  button.hidden = !held;
  if (!held) return;
  // With those that the server left out: they came meanwhile too.
  const count = held.held.reduce((sum, [source, item]) => sum + (source ? 1 : item.n), held.heldGone);
  button.innerHTML = `${icon("down")}<span></span>`;
  button.lastChild.textContent = count ? `${count.toLocaleString("en")} new ${count === 1 ? "line" : "lines"}` : "To the end";
}

function showFound({ at, count, asked, wrong }) {
  const words = $("[data-log-found]");
  if (!words) return;
  words.textContent = asked ? (count ? `${at} of ${count}` : "none") : "";
  const line = $("#log-find-wrong");
  if (line.lastChild.textContent !== wrong) line.lastChild.textContent = wrong;
  line.hidden = !wrong;
  const field = $("[data-log-find]");
  if (wrong) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

const find = () => log?.finder.look($("[data-log-find]").value, looks.regex);

function setPaused(on) {
  const button = $("[data-log-pause]");
  button.setAttribute("aria-pressed", on);
  button.querySelector("use").setAttribute("href", on ? "#i-play" : "#i-pause");
  button.querySelector("span").textContent = on ? "Go on" : "Pause";
  log.pause(on);
}

async function showWhole(button) {
  const row = button.closest("li");
  const { pod, container, at } = row.words;
  const asked = new URLSearchParams({ pod, container, at });
  if (new URLSearchParams(location.search).get("previous")) asked.set("previous", "1");
  button.disabled = true;
  try {
    const answer = await fetch(`${log.box.dataset.line}?${asked}`, { headers: { Accept: "text/plain" } });
    if (!answer.ok) throw new Error(answer.status);
    row.words.text = await answer.text();
    row.words.spans = null;
    write(row.querySelector(".words"), row.words);
    button.remove();
    log.finder.changed();
  } catch {
    button.disabled = false;
    note({ title: "The whole line can't be loaded", text: "The log may no longer have it, or the cluster does not respond.", retry: () => showWhole(button) });
  }
}

function setLook(name, on) {
  if (name === "utc") {
    localStorage.setItem("zone", on ? "utc" : "local");
    document.dispatchEvent(new Event("ui:zone"));
    const field = $(`#settings [name="zone"][value="${on ? "utc" : "local"}"]`);
    if (field) field.checked = true;
    return;
  }
  looks[name] = on;
  localStorage.setItem(`log-${name}`, on ? "on" : "off");
  applyLooks();
  if (name === "regex") find();
  if (name === "json" && log) {
    for (const row of log.list.querySelectorAll("li")) if (row.words) write(row.querySelector(".words"), row.words);
    log.finder.changed();
  }
  if (log && !log.away) log.toEnd();
}

function applyLooks() {
  for (const field of document.querySelectorAll("[data-log-look]")) {
    const { logLook: name } = field.dataset;
    field.checked = name === "utc" ? inUtc() : looks[name];
  }
  const box = $("[data-log]");
  box?.classList.toggle("nowrap", !looks.wrap);
  box?.classList.toggle("no-times", !looks.times);
  const link = $("[data-log-download]");
  if (!link) return;
  const url = new URL(link.href);
  if (looks.times) url.searchParams.delete("timestamps");
  else url.searchParams.set("timestamps", "0");
  link.href = url.pathname + url.search;
}

// ---- For live.js

// Up to which line of which container this page has them; nothing where there is no log on it.
export function position() {
  mount(); // the page may be another one by now
  return log ? Object.fromEntries(log.had) : undefined;
}

export function receive({ sources, note: words, items = [] }) {
  mount();
  if (!log) return;
  if (sources) log.know(sources);
  if (words !== undefined) tell(words);
  if (items.length) log.take(items);
}

// The page has been shown, with a log or without.
export function mount() {
  const box = $("[data-log]");
  if (box === log?.box) return;
  log?.close();
  log = box ? new Log(box) : null;
  asked = "";
  if (!box) return;
  applyLooks();
  find();
}

function submit(form) {
  const url = new URL(form.action);
  for (const [name, value] of new FormData(form)) if (value) url.searchParams.append(name, value);
  const address = url.pathname + url.search;
  if (address !== asked) go(address);
  asked = address;
}

export function startLogs() {
  for (const name of Object.keys(looks)) {
    const kept = localStorage.getItem(`log-${name}`);
    if (kept) looks[name] = kept === "on";
  }
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-log-options]")) return;
    event.preventDefault();
    submit(event.target);
  });
  document.addEventListener("change", ({ target }) => {
    if (target.dataset.logLook) setLook(target.dataset.logLook, target.checked);
    else if (target.matches("[data-log-options] :is(select, [name=since], [name=previous])")) submit(target.form);
  });
  document.addEventListener("input", ({ target }) => target.matches("[data-log-find]") && find());
  document.addEventListener("keydown", (event) => {
    if (event.target.matches?.("[data-log-find]") && event.key === "Enter") {
      event.preventDefault();
      log?.finder.step(event.shiftKey ? -1 : 1);
    } else if (event.target === log?.box) {
      if (event.key === "End") log.goOn();
      if (event.key.toLowerCase() === "n" && !event.ctrlKey && !event.metaKey && !event.altKey) log.finder.step(event.shiftKey ? -1 : 1);
    }
  });
  document.addEventListener("ui:zone", applyLooks);
  document.addEventListener("click", ({ target }) => {
    if (!log) return;
    if (target.closest("[data-log-pause]")) {
      setPaused(!log.paused);
      say(log.paused ? "The log is paused." : "The log continues.");
    }
    if (target.closest("[data-log-more]")) log.goOn();
    const step = target.closest("[data-log-step]");
    if (step) log.finder.step(Number(step.dataset.logStep));
    const whole = target.closest("[data-log-whole]");
    if (whole) showWhole(whole);
  });
}
