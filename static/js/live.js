// The page's websocket. It says what is on screen (and its hashes), and applies the frames that bring that up to
// date. Whatever may have been missed, by sleep, a lost network or the page cache, is healed by looking anew.
import { updateChart } from "./chartloader.js";
import { typed } from "./forms.js";
import { applyList, applyValues, parse, rowsOf } from "./lists.js";
import { position, receiveLines } from "./logloader.js";
import { markSince } from "./since.js";
import { morph } from "./morph.js";
import { reload } from "./navigation.js";
import { note, say } from "./notes.js";
import { arrived } from "./scripts.js";
import { refresh, serverTime } from "./times.js";

const SILENCE_MS = 12_000; // the server beats every 5 s
const DOUBT_MS = 6_000; // back from sleep or a hidden tab after so long: do not trust an open socket
const RETRY_MS = 10_000;
const LONGEST_MS = 4_500; // between two attempts: a server that is back is found within 5 s
const READ_MS = 3_000; // what was told of the dashboard's silence can be read, although the next beat is there at once
const SHOW_LOSS_MS = 1_000; // a quick reconnect is nobody's business; a longer one is shown within 2 s
const SIGNED_OUT = 4401;
const GONE = 4410;
const NO_ACCOUNT = 4403; // in this cluster: the page says what to do
const TOO_MANY = 4429;
const RESTARTED = 1012; // this server ends, and told everybody at once
const SPREAD_MS = 2_000; // over which they come back, to it or to another one

let socket = null;
let view = 0;
let heard = 0; // when the server last said anything, ms
let lost = 0; // since when there is no connection
let tries = 0;
let timer = 0;
let paused = false;
let ended = ""; // why there will be no connection any more
let goodbye = ""; // why the server closes this socket, in its words
let kept = ""; // the server's own freshness badge while ours covers it
let watched = Date.now();
let still = (change) => change(); // until its script has come

const page = () => document.getElementById("page");
const address = () => page()?.dataset.ws ?? "";
const isOpen = () => socket?.readyState === WebSocket.OPEN;

function connect() {
  clearTimeout(timer);
  timer = 0;
  drop();
  if (!address() || ended) return;
  const url = new URL(address(), location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const mine = new WebSocket(url);
  socket = mine;
  mine.address = address();
  heard = Date.now();
  mine.onopen = () => look();
  mine.onmessage = (event) => mine === socket && receive(JSON.parse(event.data));
  mine.onclose = (event) => {
    if (mine !== socket) return;
    socket = null;
    lost ||= Date.now();
    if (event.code === GONE) end("This context was removed from the configuration. Choose another cluster.");
    else if (event.code === SIGNED_OUT) signedOut();
    else if (event.code === NO_ACCOUNT) noAccount();
    else if (event.code === TOO_MANY) end(goodbye || "The server ended this connection. Reload the page.");
    else later(event.code === RESTARTED ? SPREAD_MS : 0);
  };
}

function drop() {
  if (!socket) return;
  const old = socket;
  socket = null;
  old.onclose = old.onmessage = null;
  old.close();
}

// Half a second, doubling, each with jitter: a restarted server is not met by everybody at once.
function later(spread = 0) {
  clearTimeout(timer);
  const wait = Math.min(500 * 2 ** tries++, LONGEST_MS) * (0.5 + Math.random() / 2);
  timer = setTimeout(connect, wait + spread * Math.random());
}

// What is on screen, as the server's hashes: lists in their order, regions and charts by id.
function have() {
  const lists = {};
  for (const list of document.querySelectorAll("[data-list]"))
    lists[list.id] = rowsOf(list).map((row) => [row.id, row.dataset.h ?? ""]);
  const regions = {};
  const charts = {};
  for (const part of document.querySelectorAll("[id][data-h]")) {
    if (part.parentElement.hasAttribute("data-list")) continue;
    (part.matches("[data-chart], [data-values]") ? charts : regions)[part.id] = part.dataset.h;
  }
  return { lists, regions, charts, log: position() };
}

// The address, and which columns of a list the reader likes, if it does not say.
function shownPath() {
  const url = new URL(location.href);
  const { remembered } = document.getElementById("list")?.dataset ?? {};
  if (remembered) url.searchParams.set("remembered", remembered);
  return url.pathname + url.search;
}

// Called on connect and after every navigation.
export function look() {
  const badge = document.querySelector(".freshness");
  if (badge) badge.hidden = !page()?.hasAttribute("data-live");
  if (!address()) return drop();
  if (!isOpen() || socket.address !== address()) {
    if (!timer && (socket?.readyState !== WebSocket.CONNECTING || socket.address !== address())) connect();
    return;
  }
  view += 1;
  send({ t: "look", view, path: shownPath(), have: have() });
  if (paused) {
    send({ t: "pause", view });
    showPaused();
  }
}

const send = (message) => isOpen() && socket.send(JSON.stringify(message));

function receive(message) {
  heard = Date.now();
  // An open socket proves nothing yet: the first frame of this view brings what happened meanwhile. None comes, nor is
  // one missed, while the reader has paused.
  if (lost && (paused || (message.t === "frame" && message.view === view))) {
    if (Date.now() - lost > SHOW_LOSS_MS) say("Connected again.");
    lost = tries = 0;
    if (!paused) uncover();
  }
  if (!lost) document.querySelectorAll("[data-away]").forEach((told) => Date.now() - told.dataset.away > READ_MS && told.remove());
  if (message.at) serverTime(message.at);
  if (message.t === "beat" && !paused && !lost) {
    if (message.late > 2) cover("behind", "Behind", "changes wait to be shown", "wait");
    else if (document.getElementById("fresh")?.dataset.freshness === "behind") uncover();
  }
  if (message.t === "frame") {
    if (message.view === view && !paused) still(() => apply(message));
  } else if (message.t === "log") {
    if (message.view === view && !paused) receiveLines(message);
  } else if (message.t === "slow") {
    if (message.view === view && !paused && !lost) cover("behind", "Behind", message.why, "wait");
  } else if (message.t === "reload") {
    if (message.view === view) askAnew(message.why);
  } else if (message.t === "bye") {
    goodbye = message.why;
    if (goodbye === "signed-out") signedOut();
  }
}

function apply({ lists = {}, regions = {}, charts = {}, title, http }) {
  for (const [id, steps] of Object.entries(lists)) {
    const list = document.getElementById(id);
    if (list) announce(applyList(list, steps));
    if (id === "rows") markSince();
  }
  for (const [id, [hash, html]] of Object.entries(regions)) {
    const old = document.getElementById(id);
    if (!old) continue;
    const fresh = parse(html);
    fresh.dataset.h = hash;
    morph(old, fresh);
    const now = document.getElementById(id);
    refresh(now);
    if (html.includes(" hx-")) htmx.process(now);
  }
  for (const [id, [hash, data]] of Object.entries(charts)) {
    const values = document.querySelector(`#${CSS.escape(id)}[data-values]`);
    if (values) applyValues(values, hash, data);
    else updateChart(id, hash, data);
  }
  if (title) document.title = title;
  if (http) askAnew("A part of this page is too large to come live");
  document.dispatchEvent(new Event("page:moved"));
}

// Only what newly needs attention is read out.
const known = new WeakMap();
function announce(rows) {
  for (const row of rows) {
    const state = row.dataset.state;
    if (state === "bad" && known.get(row) !== "bad") say(`${row.dataset.name}: ${row.querySelector(".st")?.textContent ?? "critical"}`);
    known.set(row, state);
  }
}

// Of an object's page: what it showed and how many seconds ago, should the object be there no more. A page that could
// not be had meanwhile keeps it for the one that comes in the end.
let last = {};
function lastShown() {
  const { controller } = document.getElementById("detail-head")?.dataset ?? {};
  if (controller !== undefined) last = { path: location.pathname, controller, at: lost || Date.now() };
  return last.path === location.pathname ? { "Last-Shown": `${last.controller} ${Math.ceil((Date.now() - last.at) / 1000)}` } : {};
}

let asked = 0;
function askAnew(why) {
  if (typed()) return note({ title: why, text: "This page can no longer be kept up to date. What you typed is still here.", retry: () => location.reload() });
  if (Date.now() - asked < 5000) return note({ title: why, text: "The page was reloaded and still can't be kept up to date.", retry: () => reload(lastShown()) });
  asked = Date.now();
  reload(lastShown());
}

function signedOut() {
  if (ended) return;
  end("You are signed out.");
  const target = `/login/?next=${encodeURIComponent(location.pathname + location.search)}`;
  if (!typed()) location.assign(target);
  else note({ title: "You are signed out", text: "What you typed is still here. Sign in in another tab, then come back and go on.", link: { text: "Sign in", url: target } });
}

function noAccount() {
  end(goodbye);
  if (!typed()) location.reload(); // the answer says how to sign in to the cluster, or whom to ask
  else note({ title: "This cluster no longer knows you", text: `${goodbye} What you typed is still here. Sign in in another tab, then come back and go on.`, link: { text: "Sign in", url: location.href } });
}

function end(why) {
  ended = why;
  lost ||= Date.now();
  drop();
  cover("stopped", "Stopped", why, "bad");
}

// ---- The badge. The server says how fresh its view is; that it cannot be heard, only this side knows.

function cover(state, word, words, icon = "restart") {
  const badge = document.getElementById("fresh");
  if (!badge) return;
  kept ||= badge.outerHTML;
  badge.className = "fresh";
  badge.dataset.freshness = state;
  badge.toggleAttribute("data-paused", icon === "pause");
  badge.innerHTML = `<svg class="i" aria-hidden="true"><use href="#i-${icon}"/></svg><b></b><span class="long"></span>`;
  badge.querySelector("b").textContent = word;
  badge.querySelector(".long").textContent = words;
}

function uncover() {
  if (!kept) return;
  const badge = document.getElementById("fresh");
  badge?.replaceWith(parse(kept));
  kept = "";
  const now = document.getElementById("fresh");
  if (now) refresh(now);
}

const clock = (at) => new Date(at).toLocaleTimeString("en-GB");

function showPaused() {
  cover("stopped", "Paused", `at ${clock(heard)} by you`, "pause");
}

function pause(on) {
  paused = on;
  for (const button of document.querySelectorAll("[data-pause]")) {
    button.setAttribute("aria-pressed", on);
    button.querySelector("span").textContent = on ? "Resume updates" : "Pause updates";
  }
  if (on) {
    send({ t: "pause", view });
    showPaused();
  } else {
    uncover();
    look(); // what was passed over meanwhile comes with a new look
  }
}

// ---- Watching over the connection

// A page that could not be had, as the cluster or the database was away, is asked for again until it can.
let retried = Date.now();
async function retry(at) {
  if (document.hidden || at - retried < RETRY_MS) return;
  retried = at;
  const answer = await fetch(location.href, { headers: { "HX-Target": "main" } }).catch(() => null);
  if (answer?.status < 500) reload(lastShown());
}

function watch() {
  const at = Date.now();
  const slept = at - watched > DOUBT_MS;
  watched = at;
  if (document.querySelector("[data-retry]")) return retry(at);
  if (!address() || ended) return;
  if (slept || (isOpen() && at - heard > SILENCE_MS)) {
    lost ||= heard;
    connect();
  }
  if (lost && at - lost > SHOW_LOSS_MS && document.getElementById("fresh")?.dataset.freshness !== "reconnecting") {
    cover("reconnecting", "Reconnecting", `showing ${clock(heard)}`);
    say("Connection lost, reconnecting.");
  }
}

// Back on screen or on the network: do not wait for timers, which browsers slow down. Perhaps somebody has signed in
// again in another tab meanwhile.
function heal() {
  if (!address() || document.hidden) return;
  tries = 0;
  ended = "";
  if (!isOpen() || Date.now() - heard > DOUBT_MS) connect();
}

export function startLive() {
  connect();
  arrived(() => import("./still.js")).then((script) => ({ still } = script));
  setInterval(watch, 500);
  document.addEventListener("visibilitychange", heal);
  addEventListener("online", heal);
  addEventListener("offline", () => (lost ||= Date.now()));
  addEventListener("pageshow", (event) => event.persisted && heal());
  addEventListener("pagehide", drop); // an open socket would keep the page out of the back-forward cache
  document.addEventListener("page:shown", () => look());
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-pause]")) pause(!paused);
    if (event.target.closest("[data-reconnect]")) {
      tries = 0;
      ended = "";
      connect();
    }
  });
}
