// The map's lines: each box says in data-to which boxes to its right it leads to; a line is drawn for each, inside its
// application. Pointing at a box, or moving to it by keyboard, lifts out all that it is connected to. Arrow keys lead
// along the lines and down the columns.
const SVG = "http://www.w3.org/2000/svg";
const drawn = new WeakMap(); // application → what its lines were drawn for
let map = null;
let sizes = null;
let asked = 0;

const boxesOf = (app) => [...app.querySelectorAll(".box")];
const keysOf = (box) => box.dataset.to.split(" ").filter(Boolean);
const columnOf = (box) => [...box.closest(".app").querySelectorAll(":scope > .col")].indexOf(box.parentElement);

function draw(app) {
  const svg = app.querySelector(".wires");
  const boxes = boxesOf(app);
  const frame = app.getBoundingClientRect();
  if (!svg || !frame.width) return;
  const places = new Map(boxes.map((box) => [box.dataset.k, box.getBoundingClientRect()]));
  const mark = JSON.stringify([frame.width, boxes.map((box) => [box.dataset.k, box.dataset.to, places.get(box.dataset.k).top - frame.top, places.get(box.dataset.k).height])]);
  if (drawn.get(app) === mark && svg.childElementCount) return;
  drawn.set(app, mark);
  const byKey = new Map(boxes.map((box) => [box.dataset.k, box]));
  svg.setAttribute("viewBox", `0 0 ${frame.width} ${frame.height}`);
  svg.replaceChildren(...boxes.flatMap((box) => keysOf(box).filter((key) => byKey.has(key)).map((key) => line(box, byKey.get(key), places, frame))));
}

function line(from, to, places, frame) {
  const [a, b] = [places.get(from.dataset.k), places.get(to.dataset.k)];
  const [x1, y1, x2, y2] = [a.right - frame.left, middle(a) - frame.top, b.left - frame.left, middle(b) - frame.top];
  const bend = Math.min((x2 - x1) / 2, 40);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`);
  path.dataset.ends = `${from.dataset.k} ${to.dataset.k}`;
  // A line over a whole column would run through its boxes: it shows only when its box is looked at.
  if (columnOf(to) - columnOf(from) > 1) path.classList.add("far");
  if (to.matches(".bad.missing")) path.classList.add("broken");
  return path;
}

const middle = (rect) => rect.top + Math.min(rect.height / 2, 22);

function drawAll() {
  asked = 0;
  map?.querySelectorAll(".app").forEach(draw);
  light(map?.querySelector(".box:focus-within") ?? map?.querySelector(".box:hover"));
}

const drawSoon = () => (asked ||= requestAnimationFrame(drawAll));

// ---- What is connected to a box: all before it and all after it, not what only shares one of these with it.

function connected(box) {
  const app = box.closest(".app");
  const boxes = boxesOf(app);
  const lit = new Set([box.dataset.k]);
  const forward = (key) => boxes.filter((one) => one.dataset.k === key).flatMap(keysOf);
  const back = (key) => boxes.filter((one) => keysOf(one).includes(key)).map((one) => one.dataset.k);
  for (const next of [forward, back]) {
    const queue = [box.dataset.k];
    const seen = new Set(queue);
    while (queue.length)
      for (const key of next(queue.pop())) {
        if (seen.has(key)) continue;
        seen.add(key);
        lit.add(key);
        queue.push(key);
      }
  }
  return lit;
}

function light(box) {
  if (!map) return;
  for (const one of map.querySelectorAll(".lit, .has-lit")) one.classList.remove("lit", "has-lit");
  if (!box) return;
  const app = box.closest(".app");
  const lit = connected(box);
  app.classList.add("has-lit");
  for (const one of boxesOf(app)) one.classList.toggle("lit", lit.has(one.dataset.k));
  for (const path of app.querySelectorAll("path")) path.classList.toggle("lit", path.dataset.ends.split(" ").every((key) => lit.has(key)));
}

// ---- Keys

function move(event) {
  const box = event.target.closest?.(".box");
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const down = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (!box || !(step || down) || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const next = step ? beside(box, step) : below(box, down);
  if (!next) return;
  event.preventDefault();
  next.querySelector("a")?.focus();
  next.scrollIntoView({ block: "nearest" });
}

const reachable = (box) => box.querySelector("a");

function beside(box, step) {
  const boxes = boxesOf(box.closest(".app")).filter(reachable);
  const linked = step > 0 ? boxes.filter((one) => keysOf(box).includes(one.dataset.k)) : boxes.filter((one) => keysOf(one).includes(box.dataset.k));
  const aside = boxes.filter((one) => Math.sign(columnOf(one) - columnOf(box)) === step);
  const from = linked.length ? linked : aside;
  const away = Math.min(...from.map((one) => Math.abs(columnOf(one) - columnOf(box))));
  const near = from.filter((one) => Math.abs(columnOf(one) - columnOf(box)) === away);
  const top = box.getBoundingClientRect().top;
  return near.sort((a, b) => Math.abs(a.getBoundingClientRect().top - top) - Math.abs(b.getBoundingClientRect().top - top))[0];
}

function below(box, down) {
  const column = columnOf(box);
  const boxes = [...map.querySelectorAll(".box")].filter((one) => reachable(one) && columnOf(one) === column);
  return boxes[boxes.indexOf(box) + down];
}

function show() {
  const now = document.querySelector("[data-map]");
  if (now !== map) {
    map = now;
    sizes?.disconnect();
    if (map) (sizes ??= new ResizeObserver(drawSoon)).observe(map);
  }
  if (map) drawSoon();
}

export function startMap() {
  show();
  document.addEventListener("page:shown", show);
  document.addEventListener("page:moved", () => map?.isConnected && drawSoon());
  document.addEventListener("pointerover", (event) => {
    if (map?.contains(event.target) && !map.querySelector(".box :focus-visible")) light(event.target.closest(".box"));
  });
  document.addEventListener("focusin", (event) => map?.isConnected && light(map.contains(event.target) ? event.target.closest(".box") : null));
  document.addEventListener("keydown", (event) => map?.contains(event.target) && move(event));
}
