// Charts by Plotly, in the colours of the style sheet. A chart moves on; it is never drawn from nothing twice. Data:
//   steps  {traces: [{name, x: [ISO…], y, role}], layout: {window (seconds shown), extend (the last value holds until now)}}
//   usage  {kind, unit "cpu"|"memory"|"count", t0 (Unix time), t: [seconds after it…], traces: [{name, y (null: a gap), role}], layout: {window, step}}
//   bars   {kind, unit, names, traces: [{name, x, role}]}
//   heat   {kind, names (rows), full (per cent from which one is marked), traces: [{name (column), y: per cent (null: not known), text: amounts}]}
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
    script.onerror = () => {
      library = null; // lost on the way: the next chart asks again
      script.remove();
      failed();
    };
    document.head.append(script);
  });
  return library;
}

const sizes = new ResizeObserver((entries) => plotly().then((Plotly) => entries.forEach(({ target }) => drawn.has(target) && Plotly.Plots.resize(target))));

export function mount(element) {
  const source = document.querySelector(`script[data-for="${CSS.escape(element.id)}"]`);
  if (!drawn.has(element) && source?.textContent.trim()) draw(element, JSON.parse(source.textContent));
}

// One after the other, each in a task of its own: several charts on a page must not hold it up together.
let queue = Promise.resolve();
const pause = () => new Promise((done) => setTimeout(done));

export function draw(element, data) {
  drawn.set(element, data);
  // One that cannot be drawn, as when its page goes meanwhile, holds up none of the others.
  queue = queue.then(() => (drawn.get(element) === data ? paint(element, data) : undefined)).catch(console.warn).then(pause);
  return queue;
}

async function paint(element, data) {
  let Plotly;
  try {
    Plotly = await plotly();
  } catch {
    element.textContent = "The chart could not be loaded; the table below has its numbers.";
    return;
  }
  if (!element.isConnected) return;
  const first = !element.data;
  const make = SHAPES[data.kind] ?? SHAPES.steps;
  const layout = make.layout(data, element);
  const bare = Boolean(data.kind) && !greatest(data.traces.map(({ x, y }) => y ?? x));
  element.classList.toggle("bare", bare); // little room for little to see
  await Plotly.react(element, make.traces(data, element), bare ? nothing(layout) : layout, CONFIG);
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

const faint = (color, part) => color.replace("rgb(", "rgba(").replace(")", `, ${part})`);

// Lines differ in dash as well as in colour: an area is what is, the others what it is held against.
const ROLES = {
  area: { color: "accent", width: 1.75, dash: "solid" },
  line: { color: "ink-3", width: 1.25, dash: "5px,3px" },
  dots: { color: "ink-2", width: 1.5, dash: "1px,3px" },
  edge: { color: "ink-3", width: 1, dash: "solid" },
  warn: { color: "warn-solid", width: 1.25, dash: "solid" },
  bad: { color: "bad-solid", width: 1.25, dash: "solid" },
};

function stroke(role) {
  const { color, ...line } = ROLES[role] ?? ROLES.line;
  return { ...line, color: token(color) };
}

// ---- Units

// As dashboard/kinds/units.py writes them: three digits where there is a fraction, never an exponent; 1023.9 MiB is a GiB.
const THREE = (number) => number.toLocaleString("en-US", { maximumFractionDigits: number < 9.995 ? 2 : number < 99.95 ? 1 : 0, useGrouping: false });
const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
function power(bytes) {
  let step = 0;
  for (; bytes >= 999.5 && step < BYTES.length - 1; step++) bytes /= 1024;
  return step;
}
export const UNITS = {
  cpu: { words: (cores) => (Math.round(cores * 1000) >= 1000 ? `${THREE(cores)} core${THREE(cores) === "1" ? "" : "s"}` : cores ? `${Math.ceil(cores * 1000)}m` : "0"), base: () => 1, tick: (cores, most) => (most < 1 ? (cores ? `${Math.round(cores * 1000)}m` : "0") : THREE(cores)) },
  memory: { words: (bytes) => `${THREE(bytes / 1024 ** power(bytes))} ${BYTES[power(bytes)]}`, base: (most) => 1024 ** power(most), tick: (bytes, most) => (bytes ? `${THREE(bytes / 1024 ** power(most))} ${BYTES[power(most)]}` : "0") },
  count: { words: (count) => `${count}`, base: () => 1, tick: (count) => `${count}` },
};

// Round steps of the unit that the axis is written in: 500 MiB, 1 GiB, not 536 870 912.
export function ticks(unit, most, count = 4) {
  const base = UNITS[unit].base(most);
  const rough = Math.max(most, 1e-6) / base / count;
  const scale = 10 ** Math.floor(Math.log10(rough));
  let step = [1, 2, 5, 10].find((each) => each * scale >= rough) * scale * base;
  if (unit === "count") step = Math.max(1, Math.round(step));
  const values = [];
  for (let value = 0; value <= most * 1.08; value += step) values.push(value);
  return { tickvals: values, ticktext: values.map((value) => UNITS[unit].tick(value, most)) };
}

// ---- Shapes

const greatest = (lists) => lists.reduce((most, list) => list.reduce((so, value) => Math.max(so, value ?? 0), most), 0);

const narrow = (element) => element.clientWidth < 320;

function frame(element) {
  return {
    autosize: true, margin: { l: 32, r: 8, t: 22, b: 22 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(element).fontFamily, size: 12, color: token("ink-3") }, dragmode: false, hovermode: "x unified",
    hoverlabel: { bgcolor: token("surface"), bordercolor: token("line"), font: { color: token("ink") } },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", itemclick: false, itemdoubleclick: false, ...(narrow(element) && { entrywidth: 62, font: { size: 11 } }) },
  };
}

// Axes without a line would have made-up numbers on them.
function nothing(layout) {
  const words = { text: "Nothing to draw yet", showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5 };
  return { ...layout, showlegend: false, xaxis: { ...layout.xaxis, visible: false }, yaxis: { ...layout.yaxis, visible: false }, annotations: [words] };
}

const axis = () => ({ fixedrange: true, gridcolor: token("line-soft"), zerolinecolor: token("line"), tickfont: { size: 11 } });
const times = (element, from, long) => ({ ...axis(), type: "date", showgrid: false, range: [wall(from), wall(now())], nticks: narrow(element) || long ? 4 : 6, tickangle: 0, tickformat: long ? "%d %b %H:%M" : "%H:%M", hoverformat: long ? "%d %b %H:%M" : "%H:%M:%S" });

function line({ name, role = "line" }, x, y, more) {
  const drawnLine = stroke(role);
  return { type: "scatter", mode: "lines", name, x, y, line: { ...drawnLine, ...more }, ...(role === "area" && { fill: "tozeroy", fillcolor: faint(drawnLine.color, 0.12) }) };
}

// Until the next sample is due, the last one holds.
function held(data) {
  const last = data.t.at(-1);
  const after = now() / 1000 - data.t0;
  if (last === undefined || after <= last || after - last > 3 * data.layout.step) return data;
  return { ...data, t: [...data.t, after], traces: data.traces.map((trace) => ({ ...trace, y: [...trace.y, trace.y.at(-1)] })) };
}

const SHAPES = {
  steps: {
    traces: (data) =>
      data.traces.map(({ name, x, y, role }) => {
        const more = data.layout.extend && x.length ? [[now()], [y.at(-1)]] : [[], []];
        return line({ name, role }, [...x, ...more[0]].map(wall), [...y, ...more[1]], { shape: "hv" });
      }),
    layout(data, element) {
      const starts = data.traces.flatMap(({ x }) => (x.length ? [Date.parse(x[0])] : []));
      const from = Math.max(now() - data.layout.window * 1000, Math.min(...starts, now() - 300_000));
      const highest = Math.max(1, greatest(data.traces.map(({ y }) => y)));
      return { ...frame(element), xaxis: times(element, from), yaxis: { ...axis(), range: [0, highest * 1.08], nticks: 5, ...(highest < 5 && { dtick: 1 }), tickformat: ",d", rangemode: "tozero" } };
    },
  },
  usage: {
    traces(data) {
      data = held(data);
      const x = data.t.map((after) => wall((data.t0 + after) * 1000));
      const { words } = UNITS[data.unit];
      const hold = data.unit === "count" ? { shape: "hv" } : {};
      return data.traces.map((trace) => ({ ...line(trace, x, trace.y, hold), connectgaps: false, text: trace.y.map((value) => (value === null ? "" : words(value))), hovertemplate: "%{text}" }));
    },
    layout(data, element) {
      const most = greatest(data.traces.map(({ y }) => y)) || 1;
      const start = data.t.length ? data.t0 * 1000 : now();
      const from = Math.max(now() - data.layout.window * 1000, Math.min(start, now() - 300_000));
      return { ...frame(element), margin: { l: 56, r: 8, t: 22, b: 22 }, xaxis: times(element, from, data.layout.window > 86_400), yaxis: { ...axis(), range: [0, most * 1.08], ...ticks(data.unit, most) } };
    },
  },
  bars: {
    traces(data) {
      const { words } = UNITS[data.unit];
      const common = ({ name, x }) => ({ name, y: data.names, x, text: x.map((value) => (value === null ? "" : words(value))), hovertemplate: "%{text}", textposition: "none" });
      return data.traces.map((trace) => {
        if (trace.role === "edge") return { ...common(trace), type: "scatter", mode: "markers", marker: { symbol: "line-ns-open", size: 15, line: { width: 2 }, color: token("ink") } };
        const area = trace.role === "area";
        return { ...common(trace), type: "bar", orientation: "h", width: area ? 0.32 : 0.7, marker: area ? { color: token("accent") } : { color: faint(token("control"), 0.25), line: { color: token("control"), width: 1 } } };
      });
    },
    layout(data, element) {
      const most = greatest(data.traces.map(({ x }) => x)) || 1;
      return { ...frame(element), barmode: "overlay", hovermode: "y unified", margin: { l: 8, r: 12, t: 22, b: 22 }, xaxis: { ...axis(), range: [0, most * 1.05], tickangle: 0, ...ticks(data.unit, most, narrow(element) ? 2 : 4) }, yaxis: { ...axis(), automargin: true, autorange: "reversed", showgrid: false } };
    },
  },
};

// ---- The heat map

// A darker cell is a fuller one, in one hue, so that the words in it can be read on each; beyond "full" another hue and a sign.
function scale(full) {
  const [ground, most] = [token("surface"), token("accent")].map(parts);
  const mixed = (share) => `rgb(${ground.map((part, at) => Math.round(part + (most[at] - part) * share))})`;
  return [[0, mixed(0.04)], [full / 100, mixed(0.45)], [full / 100, token("warn-bg")], [1, token("warn-bg")]];
}

const parts = (color) => color.match(/[\d.]+/g).slice(0, 3).map(Number);
const lines = (words) => words.replace(/ (?=in use|requested)/, "<br>");
const turned = (lists) => lists[0].map((_, at) => lists.map((list) => list[at]));
// Of a long name the beginning and the end, where names differ; of a host's, without its domain.
function brief(name, element) {
  const [host] = element.clientWidth < NARROW ? name.split(".") : [name];
  return element.clientWidth < NARROW && host.length > 14 ? `${host.slice(0, 6)}…${host.slice(-7)}` : host;
}
const ROOMY = 24; // rows; of more than these, each is a band without words
const NARROW = 560;

SHAPES.heat = {
  traces({ names, full, traces }, element) {
    const said = (percent) => (percent === null ? "" : `${percent >= full ? "⚠ " : ""}${percent} %`);
    const roomy = names.length <= ROOMY && element.clientWidth >= NARROW;
    return [{
      type: "heatmap", x: traces.map(({ name }) => lines(name)), y: names, z: turned(traces.map(({ y }) => y)), zmin: 0, zmax: 100,
      text: turned(traces.map(({ y }) => y.map(said))), ...(roomy && { texttemplate: "%{text}", textfont: { color: token("ink"), size: 12 } }),
      hovertext: names.map((name, row) => traces.map((column) => `${name}<br>${column.name}: ${said(column.y[row]) || "not known"} ${column.text[row] && `(${column.text[row]})`}`)), hovertemplate: "%{hovertext}<extra></extra>",
      colorscale: scale(full), showscale: false, xgap: 2, ygap: 2, hoverongaps: true,
    }];
  },
  layout({ names }, element) {
    const tall = names.length * (names.length <= ROOMY ? 26 : 12);
    const upright = element.clientWidth < NARROW;
    return {
      ...frame(element), height: tall + (upright ? 130 : 56), margin: { l: 8, r: 8, t: upright ? 122 : 48, b: 8 }, hovermode: "closest",
      xaxis: { ...axis(), side: "top", showgrid: false, tickangle: upright ? -90 : 0, ticks: "", zeroline: false },
      yaxis: { ...axis(), automargin: true, autorange: "reversed", showgrid: false, type: "category", tickmode: "array", tickvals: names, ticktext: names.map((name) => brief(name, element)), ticks: "", zeroline: false },
    };
  },
};

const again = () => drawn.forEach((data, element) => element.isConnected && draw(element, data));
// Time goes by on charts that have it for an axis.
const moveOn = () => drawn.forEach((data, element) => element.isConnected && !data.names && draw(element, data));
setInterval(() => document.hidden || moveOn(), EVERY_MS);
document.addEventListener("ui:theme", again);
document.addEventListener("ui:zone", again);
