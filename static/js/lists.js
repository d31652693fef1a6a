// Keyed lists: puts, moves and removes rows as a frame says and leaves every other row alone. What is under the
// pointer, or first on a scrolled screen, stays where it is; a changed row has a still mark for some seconds.
import { morph } from "./morph.js";
import { refresh } from "./times.js";

const MARKED_MS = 6000;
const GONE_MS = 10_000;
const marks = new Map(); // element → when its mark ends
const template = document.createElement("template");

export function parse(html) {
  template.innerHTML = html;
  return template.content.firstElementChild;
}

// Applies {rm: [key…], up: [[key, hash, html|null, after|null]…]}. Gives the rows that are new or changed.
export function applyList(list, { rm = [], up = [] }) {
  const box = list.closest("[data-list-box]");
  const stays = box && holdStill(list, box, new Set([...rm, ...up.filter(([key, , , after]) => moves(list, key, after)).map(([key]) => key)]));
  takeAway(list, box, rm);
  const touched = [];
  const quiet = list.closest(".log, [data-quiet]"); // what moves all the time is not news
  const added = [];
  for (const [key, hash, html, after] of up) {
    let row = find(list, key);
    if (!row) {
      if (html === null) continue; // the browser never had it: the next look heals that
      row = parse(html);
      row.dataset.h = hash;
      added.push(row);
      touched.push(row);
    } else if (html !== null) {
      const before = snapshot(row);
      if (morph(row, parse(html))) {
        if (!quiet) markCells(row, before);
        touched.push(row);
      }
      row.dataset.h = hash;
    }
    place(list, row, after);
    refresh(row);
  }
  if (!quiet) touched.forEach(mark);
  stays?.(added);
  return touched;
}

function find(list, key) {
  const row = document.getElementById(key);
  return row?.parentNode === list ? row : null;
}

function follows(list, after) {
  let next = after === null ? list.firstElementChild : find(list, after)?.nextElementSibling;
  while (next?.classList.contains("gone")) next = next.nextElementSibling;
  return next;
}

// Removes rows. Nothing moves under the pointer: a row at or above it stays as a grey one where scrolling cannot make
// up for it, until the pointer leaves the list or some seconds have passed.
function takeAway(list, box, keys) {
  const under = list.querySelector(":scope > :hover");
  let room = box && scrollerOf(box).scrollTop;
  for (const key of keys) {
    const row = find(list, key);
    if (!row) continue;
    const above = under && under.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_PRECEDING;
    const height = above || row === under ? row.offsetHeight : 0;
    if (row === under || (above && height > room)) leaveGone(list, row);
    else {
      if (above) room -= height;
      row.remove();
    }
  }
}

function leaveGone(list, row) {
  row.removeAttribute("id");
  row.classList.add("gone");
  row.setAttribute("aria-hidden", "true");
  for (const link of row.querySelectorAll("a")) link.removeAttribute("href");
  const end = () => {
    clearTimeout(later);
    list.removeEventListener("mouseleave", end);
    row.remove();
  };
  const later = setTimeout(end, GONE_MS);
  list.addEventListener("mouseleave", end);
}

function moves(list, key, after) {
  const row = find(list, key);
  return !row || follows(list, after) !== row;
}

function place(list, row, after) {
  const next = follows(list, after);
  if (next === row) return;
  if (next === undefined) list.append(row); // its neighbour is not here
  else list.insertBefore(row, next);
}

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

const scrollerOf = (box) => (box.scrollHeight > box.clientHeight + 1 && getComputedStyle(box).overflowY !== "visible" ? box : document.scrollingElement);

// Remembers where a row is that must not move, and gives the function that puts it back there afterwards.
function holdStill(list, box, leaving) {
  const scroller = scrollerOf(box);
  let row = list.querySelector(":scope > :hover");
  if (!row && scroller.scrollTop > 0) {
    const edge = box.querySelector("thead")?.getBoundingClientRect().bottom ?? box.getBoundingClientRect().top;
    row = [...list.children].find((child) => child.getBoundingClientRect().bottom > Math.max(edge, 0));
  }
  while (row && leaving.has(row.id)) row = row.nextElementSibling;
  if (!row) return null;
  const top = row.getBoundingClientRect().top;
  return (added) => {
    scroller.scrollTop += row.getBoundingClientRect().top - top;
    const above = added.filter((each) => row.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_PRECEDING).length;
    if (above && scroller.scrollTop > 0) tellAbove(box, scroller, above);
  };
}

function tellAbove(box, scroller, count) {
  let pill = box.querySelector(".new-above");
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
