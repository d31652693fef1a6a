// Charts by Plotly, in the colours of the style sheet. Data is {traces: [{name, x: [ISO…], y, role}], layout: {window
// (seconds shown), extend (the last value holds until now), unit}}. A chart moves on; it is never drawn from nothing twice.
import { inUtc, now } from "./times.js";

const drawn = new Map(); // element → its data
const CONFIG = { displayModeBar: false, responsive: false };
const EVERY_MS = 5000;

let library = null;
function plotly() {
  library ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = document.body.dataset.plotly;
    script.onload = () => done(window.Plotly);
    script.onerror = failed;
    document.head.append(script);
  });
  return library;
}

const sizes = new ResizeObserver((entries) => plotly().then((Plotly) => entries.forEach(({ target }) => drawn.has(target) && Plotly.Plots.resize(target))));

export function mount(element) {
  const source = document.querySelector(`script[data-for="${CSS.escape(element.id)}"]`);
  if (!drawn.has(element) && source?.textContent.trim()) draw(element, JSON.parse(source.textContent));
}

export async function draw(element, data) {
  const first = !drawn.has(element);
  drawn.set(element, data);
  let Plotly;
  try {
    Plotly = await plotly();
  } catch {
    element.textContent = "The chart could not be loaded; the table below has its numbers.";
    return;
  }
  if (!element.isConnected) return;
  await Plotly.react(element, traces(data), layout(data, element), CONFIG);
  if (first) sizes.observe(element);
}

export function drop() {
  for (const element of drawn.keys()) {
    sizes.unobserve(element);
    window.Plotly?.purge(element);
  }
  drawn.clear();
}

// Plotly knows no time zones: it is given the reader's wall clock.
function wall(moment) {
  const at = new Date(moment);
  return new Date(at - (inUtc() ? 0 : at.getTimezoneOffset() * 60_000)).toISOString().slice(0, -1);
}

// The computed value of a token: light-dark() is only resolved on a real property.
const probe = document.createElement("i");
probe.hidden = true;
document.body.append(probe);
function token(name) {
  probe.style.color = `var(--${name})`;
  return getComputedStyle(probe).color;
}

const ROLES = { area: "accent", line: "ink-3", warn: "warn-solid", bad: "bad-solid" };

function traces(data) {
  return data.traces.map(({ name, x, y, role = "line" }) => {
    const more = data.layout.extend && x.length ? [[now()], [y.at(-1)]] : [[], []];
    const color = token(ROLES[role] ?? "ink-3");
    return {
      type: "scatter", mode: "lines", name, x: [...x, ...more[0]].map(wall), y: [...y, ...more[1]],
      line: { shape: "hv", color, width: role === "area" ? 1.75 : 1.25, dash: role === "line" ? "5px,3px" : "solid" },
      ...(role === "area" && { fill: "tozeroy", fillcolor: color.replace("rgb(", "rgba(").replace(")", ", 0.12)") }),
    };
  });
}

function layout(data, element) {
  const style = getComputedStyle(element);
  const starts = data.traces.flatMap(({ x }) => (x.length ? [Date.parse(x[0])] : []));
  const from = Math.max(now() - data.layout.window * 1000, Math.min(...starts, now() - 300_000));
  const highest = Math.max(1, ...data.traces.flatMap(({ y }) => y));
  const axis = { fixedrange: true, gridcolor: token("line-soft"), zerolinecolor: token("line"), tickfont: { size: 11 } };
  return {
    autosize: true, margin: { l: 32, r: 8, t: 22, b: 22 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: style.fontFamily, size: 12, color: token("ink-3") }, dragmode: false, hovermode: "x unified",
    hoverlabel: { bgcolor: token("surface"), bordercolor: token("line"), font: { color: token("ink") } },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", itemclick: false, itemdoubleclick: false },
    xaxis: { ...axis, type: "date", showgrid: false, range: [wall(from), wall(now())], nticks: 6, tickformat: "%H:%M", hoverformat: "%H:%M:%S" },
    yaxis: { ...axis, range: [0, highest * 1.08], nticks: 5, ...(highest < 5 && { dtick: 1 }), tickformat: ",d", rangemode: "tozero" },
  };
}

const again = () => drawn.forEach((data, element) => element.isConnected && draw(element, data));
setInterval(() => document.hidden || again(), EVERY_MS);
document.addEventListener("ui:theme", again);
document.addEventListener("ui:zone", again);
