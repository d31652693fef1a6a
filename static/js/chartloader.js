// Charts cost half a megabyte: the library and charts.js come only where a chart is.
import { arrived } from "./scripts.js";

let charts = null;
const load = () => (charts ??= arrived(() => import("./charts.js")));

function mountAll() {
  const found = document.querySelectorAll("[data-chart]");
  if (found.length) load().then(({ mount }) => found.forEach(mount));
}

export function updateChart(id, hash, data) {
  const element = document.getElementById(id);
  if (!element?.hasAttribute("data-chart")) return;
  element.dataset.h = hash;
  load().then(({ draw }) => draw(element, data));
}

// Before the page goes: its charts free what they hold.
export const dropCharts = () => charts?.then(({ drop }) => drop());

export function startCharts() {
  mountAll();
  document.addEventListener("page:shown", mountAll);
}
