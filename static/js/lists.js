// Keyed lists: puts, moves and removes rows as a frame says and leaves every other row alone. What the reader points at,
// has focused, selected or touches stays where it is, as does the first row of a scrolled screen; a changed row has a
// still mark for some seconds.
import { morph } from "./morph.js";
import { refresh } from "./times.js";

const MARKED_MS = 6000;
const TOUCHED_MS = 3000;
const marks = new Map(); // element → when its mark ends
const waiting = new Map(); // list → its rows in their true order, while it holds still in another one
const template = document.createElement("template");

export function parse(html) {
  template.innerHTML = html;
  return template.content.firstElementChild;
}

const shownRows = (list) => [...list.children].filter(({ id }) => id);

// The rows of a list as the server knows them, in their order, whatever is on screen.
export const rowsOf = (list) => waiting.get(list) ?? shownRows(list);

// Applies {rm: [key…], up: [[key, hash, html|null, after|null]…]}. Gives the rows that are new or changed.
export function applyList(list, { rm = [], up = [] }) {
  const quiet = list.closest(".log, [data-quiet]"); // what moves all the time is not news
  const before = rowsOf(list);
  const rows = before.filter(({ id }) => !rm.includes(id));
  const byKey = new Map(rows.map((row) => [row.id, row]));
  const touched = [];
  const moved = new Set(rm.map((key) => before.find(({ id }) => id === key)));
  for (const [key, hash, html, after] of up) {
    let row = byKey.get(key);
    if (!row) {
      if (html === null) continue; // the browser never had it: the next look heals that
      row = parse(html);
      byKey.set(key, row);
      touched.push(row);
    } else if (html !== null) {
      const was = snapshot(row);
      if (morph(row, parse(html))) {
        if (!quiet) markCells(row, was);
        touched.push(row);
      }
    }
    if (html !== null) row.dataset.h = hash;
    if (place(rows, row, byKey.get(after), after)) moved.add(row);
    refresh(row);
  }
  if (!quiet) touched.forEach(mark);
  if (moved.size || waiting.has(list)) arrange(list, rows, moved);
  return touched;
}

// Whether the row had to be put elsewhere. After null it is the first; one whose neighbour is not here is the last.
function place(rows, row, neighbour, after) {
  const at = rows.indexOf(row);
  if (at >= 0 && (after === null ? at === 0 : neighbour && rows[at - 1] === neighbour)) return false;
  if (at >= 0) rows.splice(at, 1);
  const to = after === null ? 0 : neighbour ? rows.indexOf(neighbour) + 1 : rows.length;
  rows.splice(to, 0, row);
  return true;
}

// ---- Holding still

let touch = { until: 0 }; // what is under a finger, and for a while after it
addEventListener("touchstart", ({ target }) => (touch = { target, until: Infinity }), { passive: true });
for (const end of ["touchend", "touchcancel"])
  addEventListener(end, () => {
    touch.until = performance.now() + TOUCHED_MS;
    setTimeout(() => document.dispatchEvent(new Event("released")), TOUCHED_MS + 50);
  });

// What the reader is at within an element, if anything.
export function inHand(element) {
  const chosen = getSelection();
  return [
    [...element.querySelectorAll(":hover")].at(-1),
    document.activeElement,
    chosen.isCollapsed ? null : chosen.anchorNode.parentElement,
    touch.until > performance.now() ? touch.target : null,
  ].find((each) => each && each !== element && element.contains(each));
}

function rowInHand(list) {
  const at = inHand(list);
  return at && [...list.children].find((row) => row.contains(at));
}

const boxOf = (list) => list.closest("[data-list-box], .scroll-x, .card") ?? list.parentElement;

// Brings a list into an order. Scrolling makes up for what comes and goes above the row in hand; where it cannot, or
// that row itself would go elsewhere, the order waits until the reader has left.
function arrange(list, rows, moved) {
  const box = boxOf(list);
  const hand = rowInHand(list);
  if (hand && (waiting.has(list) || moved.has(hand) || !hand.id)) return wait(list, box, rows);
  const scroller = scrollerOf(box);
  const still = hand ?? firstShown(list, box, scroller, moved);
  const top = still?.getBoundingClientRect().top;
  const shown = [...list.children];
  const added = rows.filter((row) => !row.isConnected);
  put(list, rows, still, moved);
  settled(list);
  if (!still) return;
  scroller.scrollTop += still.getBoundingClientRect().top - top;
  if (hand && Math.abs(hand.getBoundingClientRect().top - top) > 1) {
    put(list, shown, hand);
    return wait(list, box, rows);
  }
  const above = added.filter((row) => still.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_PRECEDING).length;
  if (above && scroller.scrollTop > 0) tellAbove(box, scroller, above);
}

// Nothing that is where it belongs is touched, and the row that stands still least of all. The focus stays.
function put(list, rows, still, moved = []) {
  const focused = document.activeElement;
  const keep = new Set(rows);
  for (const row of moved) if (row !== still) row?.remove();
  for (const row of [...list.children]) if (!keep.has(row)) row.remove();
  const at = rows.indexOf(still);
  for (let index = at - 1, next = still; index >= 0; next = rows[index--])
    if (rows[index].nextElementSibling !== next || !rows[index].isConnected) list.insertBefore(rows[index], next);
  for (let index = at + 1, previous = rows[at]; index < rows.length; previous = rows[index++]) {
    const following = previous ? previous.nextElementSibling : list.firstElementChild;
    if (following !== rows[index]) list.insertBefore(rows[index], following);
  }
  if (focused !== document.activeElement && list.contains(focused)) focused.focus({ preventScroll: true });
}

// Meanwhile rows that have gone hold their place in grey, and new ones stand below; that the order waits is told.
function wait(list, box, rows) {
  waiting.set(list, rows);
  const known = new Set(rows);
  for (const row of shownRows(list)) if (!known.has(row)) leaveGone(row);
  for (const row of rows) if (!row.isConnected) list.append(row);
  if (box.querySelector(".waiting")) return;
  const pill = parse('<p class="new-above waiting" role="status"><button type="button">Order changed: update</button></p>');
  pill.firstChild.addEventListener("click", () => takeIn(list));
  box.prepend(pill);
}

function leaveGone(row) {
  row.removeAttribute("id");
  row.classList.add("gone");
  row.setAttribute("aria-hidden", "true");
  for (const link of row.querySelectorAll("a")) link.removeAttribute("href");
}

function settled(list) {
  waiting.delete(list);
  boxOf(list).querySelector(".waiting")?.remove();
}

function takeIn(list) {
  const rows = waiting.get(list);
  settled(list);
  put(list, rows, null);
  rows.forEach((row) => refresh(row));
}

// The reader has gone elsewhere: what waits is taken in.
let later = 0;
function release() {
  if (!waiting.size || later) return;
  later = setTimeout(() => {
    later = 0;
    for (const list of [...waiting.keys()]) {
      if (!list.isConnected) waiting.delete(list);
      else if (!rowInHand(list)) takeIn(list);
    }
  });
}
for (const sign of ["pointerover", "focusin", "focusout", "selectionchange", "released"]) document.addEventListener(sign, release, { passive: true });
document.documentElement.addEventListener("mouseleave", release);

// Measures of a list's rows, which come at once for all of them: {row id: [words of each measured cell]}. They are no
// news of a row, so nothing is marked.
export function applyValues(element, hash, values) {
  element.dataset.h = hash;
  for (const [id, texts] of Object.entries(values)) {
    const cells = document.getElementById(id)?.querySelectorAll("td[data-quiet]") ?? [];
    texts.forEach((text, at) => cells[at] && cells[at].textContent !== text && (cells[at].textContent = text));
  }
}

// A cell's words, with moments in place of the words that tick.
function words(cell) {
  let text = cell.textContent;
  for (const time of cell.getElementsByTagName("time")) text = text.replace(time.textContent, time.dateTime);
  return text;
}

const snapshot = (row) => (row.localName === "tr" ? [...row.cells].map(words) : []);

function markCells(row, before) {
  before.forEach((was, at) => {
    const cell = row.cells[at];
    if (cell?.localName === "td" && !("quiet" in cell.dataset) && words(cell) !== was) cell.classList.add("ch");
  });
}

let rest = 0;
function mark(row) {
  row.dataset.changed = "";
  marks.set(row, performance.now() + MARKED_MS);
  rest ||= setInterval(() => {
    const at = performance.now();
    for (const [marked, until] of marks) {
      if (until > at) continue;
      marks.delete(marked);
      delete marked.dataset.changed;
      for (const cell of marked.querySelectorAll(".ch")) cell.classList.remove("ch");
    }
    if (!marks.size) rest = clearInterval(rest) ?? 0;
  }, 500);
}

function scrollerOf(box) {
  for (let at = box; at && at !== document.body; at = at.parentElement)
    if (at.scrollHeight > at.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(at).overflowY)) return at;
  return document.scrollingElement;
}

// The first row that can be seen of a list that begins above what is on screen, and that does not go elsewhere itself.
function firstShown(list, box, scroller, moved) {
  const head = box.querySelector("thead")?.getBoundingClientRect().bottom ?? 0;
  const edge = Math.max(head, scroller === document.scrollingElement ? 0 : scroller.getBoundingClientRect().top);
  // Rows and head may share a border.
  if (list.getBoundingClientRect().top >= edge - 2) return undefined;
  return [...list.children].find((row) => !moved.has(row) && row.getBoundingClientRect().bottom > edge);
}

function tellAbove(box, scroller, count) {
  let pill = box.querySelector(".new-above:not(.waiting)");
  if (!pill) {
    pill = parse('<p class="new-above"><button type="button"></button></p>');
    const done = () => {
      pill.remove();
      (scroller === box ? box : document).removeEventListener("scroll", atTop);
    };
    const atTop = () => scroller.scrollTop < 4 && done();
    pill.firstChild.addEventListener("click", () => {
      scroller.scrollTop = 0;
      done();
    });
    (scroller === box ? box : document).addEventListener("scroll", atTop, { passive: true });
    box.prepend(pill);
  }
  pill.count = (pill.count ?? 0) + count;
  pill.firstChild.textContent = `${pill.count} new above`;
}
