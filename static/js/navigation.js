// Moving about: a click replaces the middle of the page (or a list within it), Back and Forward bring back what was
// shown and where it was scrolled to, work shows a thin bar after 100 ms, and what fails says so and can be retried.
//
// One listener on the document instead of hx-boost, which binds every link by itself and remembers its address:
// rows come and go by the hundred here, and a frame may change where a link leads.
import { dropCharts } from "./chartloader.js";
import { typed } from "./forms.js";
import { keeps, newEntry, setAside, takeBack } from "./kept.js";
import { markKinds } from "./kinds.js";
import { closeMenus } from "./menus.js";
import { note } from "./notes.js";
import { refresh } from "./times.js";

const here = () => location.pathname + location.search;
let visit = null; // the visit under way: {url, into, history, scroll}
let shown = here();
let entry = ""; // of the history, which shows the page

// Where the object of this page was come to from, a list say, with its filters and how far it was scrolled. Whatever
// belongs to an object, its tabs and forms, has a trail of crumbs, and leaves that as it is; so does an error.
function upFromHere() {
  if (!document.querySelector("#page .crumbs, #page > .state > h1")) return { url: shown, scroll: history.state?.scroll };
  return history.state?.up;
}

// From an object's page; false where only its crumbs know a way.
export function goUp() {
  const { up } = history.state ?? {};
  if (!up || !document.querySelector("#page .head[data-url]")) return false;
  go(up.url, { scroll: up.scroll, row: document.querySelector("#page .head[data-url]").dataset.url });
  return true;
}

const scrollers = () => ({ main: document.getElementById("main"), box: document.querySelector("[data-list-box]"), page: document.scrollingElement });

function keepScroll() {
  const scroll = Object.fromEntries(Object.entries(scrollers()).map(([name, element]) => [name, element?.scrollTop ?? 0]));
  history.replaceState({ ...history.state, scroll }, "");
}

function scrollTo(scroll) {
  for (const [name, element] of Object.entries(scrollers())) if (element) element.scrollTop = scroll?.[name] ?? 0;
}

// Whoever leaves a form with a Secret typed in it is asked first: any other is kept for Back.
const TEXTS = "[data-keep] :is(textarea, .editor-h > input), [data-create] input";
const mayLeave = () => keeps() || !typed(TEXTS) || confirm("What you typed is not saved. Leave this page?");

// htmx's events tell of one that failed.
export const load = (verb, url, how) => htmx.ajax(verb, url, how)?.catch(() => {});

// "menu" is a menu that stays open; "row" the address of an object whose row gets the focus.
export function go(url, { into = "main", history = "push", scroll = null, menu = null, row = "", headers = {} } = {}) {
  if (into === "main" && history === "push" && !mayLeave()) return;
  visit = { url, into, history, scroll, row, headers };
  closeMenus(menu);
  load("GET", url, {
    source: "#main",
    target: `#${into}`,
    headers,
    select: into === "main" ? "#page" : `#${into}`,
    swap: into === "main" ? "innerHTML" : "outerHTML",
  });
}

export const reload = (headers) => go(here(), { headers, history: "none", scroll: Object.fromEntries(Object.entries(scrollers()).map(([name, element]) => [name, element?.scrollTop ?? 0])) });

// From one moment to another, or to the present, the frame goes too: nothing of one stands beside the other.
const sameMoment = (url) => (Date.parse(url.searchParams.get("at") ?? "") || 0) === (Date.parse(document.body.dataset.at ?? "") || 0);

function onClick(event) {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest("a[href]");
  if (!link || link.target || link.hasAttribute("download") || "full" in link.dataset) return;
  const url = new URL(link.href);
  if (url.origin !== location.origin || (url.hash && url.pathname + url.search === here())) return;
  event.preventDefault();
  if (!sameMoment(url)) return location.assign(url);
  const into = link.dataset.into && document.getElementById(link.dataset.into) ? link.dataset.into : "main";
  go(url.pathname + url.search, { into });
}

// ---- Answers

const holds = (xhr, id) => xhr.responseText.includes(`id="${id}"`);
const pathOf = (address) => new URL(address, location.href).pathname + new URL(address, location.href).search;

function beforeSwap(event) {
  const { xhr, target, requestConfig } = event.detail;
  const mine = requestConfig.elt.id === "main" ? visit : null;
  const wanted = target.id === "main" ? "page" : target.id;
  const failed = xhr.status >= 400;
  if (!holds(xhr, wanted)) {
    if (failed) return refuse(event);
    // Elsewhere than asked for: a form that led on to another page, or a page without the frame.
    if (!holds(xhr, "page")) return location.assign(xhr.responseURL);
    Object.assign(event.detail, { target: document.getElementById("main"), selectOverride: "#page", swapOverride: "innerHTML" });
    moved("push", pathOf(xhr.responseURL));
    return;
  }
  // An answer in place (what is wrong, a form with its mistakes) is shown whatever its status.
  event.detail.shouldSwap = true;
  event.detail.isError = false;
  if (mine) moved(mine.history, pathOf(xhr.responseURL || mine.url));
  else if (requestConfig.elt.id === "filter") moved("replace", event.detail.pathInfo.finalRequestPath);
  else if (xhr.getResponseHeader("HX-Push-Url")) moved("push", xhr.getResponseHeader("HX-Push-Url"));
  if (event.detail.target.id === "main") replaced(requestConfig);
  // htmx tells of each that goes: thousands.
  for (const list of event.detail.target.querySelectorAll("[data-list]")) list.replaceChildren();
}

// Another page comes. What an apply sent is done with; of a text that a click left, Back brings it.
function replaced({ verb, parameters }) {
  dropCharts();
  const texts = verb === "get" && typed(TEXTS);
  if (entry !== history.state?.entry && parameters?.step !== "apply" && setAside(entry)) left = texts;
  entry = history.state?.entry ?? entry;
}

let left = false;
function tellLeft() {
  if (left) note({ title: "What you typed is kept", text: "Go back to go on with it.", icon: "info", retry: () => history.back(), again: "Go back to it" });
  left = false;
}

// A form that was left with something typed in it is shown again as it was.
function showKept({ page, title, namespaces }, scroll) {
  htmx.trigger("#main", "htmx:abort");
  visit = null;
  closeMenus();
  dropCharts();
  setAside(entry);
  entry = history.state.entry;
  const main = document.getElementById("main");
  main.replaceChildren(page);
  page.querySelector("[data-note]")?.remove();
  document.title = title;
  if (namespaces) document.getElementById("namespaces")?.replaceWith(namespaces);
  refresh(main);
  markPlace();
  scrollTo(scroll);
  main.focus({ preventScroll: true });
  document.dispatchEvent(new Event("page:shown"));
}

function moved(how, url) {
  if (how === "push" && url !== shown) {
    keepScroll();
    history.pushState({ up: upFromHere(), entry: newEntry() }, "", url);
  } else if (how !== "none") history.replaceState(history.state, "", url);
  shown = here();
}

function refuse(event) {
  event.detail.shouldSwap = false;
  const { status } = event.detail.xhr;
  const words = status >= 500 ? "The dashboard could not answer" : status === 403 ? "The dashboard refused the request: load the page again" : "The dashboard did not understand the request";
  failedAt(event, `${words} (${status}).`);
}

// What a page that could not be shown in place says: an error inside the frame, or one without it.
function told(xhr) {
  const answer = new DOMParser().parseFromString(xhr?.responseText ?? "", "text/html");
  const head = answer.querySelector("#page .state h1, .bare .card h1");
  return { title: head?.textContent.trim(), text: head?.parentElement.querySelector("h1 + p")?.textContent.trim() || undefined };
}

function failedAt(event, text) {
  const { elt, verb, path, parameters } = event.detail.requestConfig;
  const { detail } = event;
  const { title, text: words } = told(detail.xhr);
  if (verb === "post" && parameters.step === "apply") {
    if (detail.xhr?.status >= 400 && detail.xhr.status < 500)
      return note({ title: title ?? "The change was refused", text: `${words ?? text} Nothing was written; what you typed is kept.` });
    return note({ title: "No answer", text: "The change may have been made or not. Look before you send it again; what you typed is kept.", link: { text: "Look at it", url: elt.closest("form")?.querySelector(".act a[href]")?.href ?? here() } });
  }
  const again = elt.id === "main" && visit ? { ...visit } : null;
  note({ away: !detail.xhr?.status, title: title ?? "This did not work", text: `${words ?? text} What is on screen is as it was before.`, retry: () => (again ? go(again.url, again) : load(verb, path, { source: elt, target: detail.target, select: detail.select, swap: detail.etc.swapOverride, values: parameters })) });
}

const rowOf = (url) => (url ? document.querySelector(`#rows th a[href="${CSS.escape(url)}"]`) : null);

let settled = null;
function afterSettle({ detail: { xhr, target } }) {
  if (xhr === settled) return; // told once for every element of an answer
  settled = xhr;
  const whole = target.id === "main";
  refresh(document.getElementById("main"));
  if (whole) {
    markPlace();
    scrollTo(visit?.scroll);
    (rowOf(visit?.row) ?? document.getElementById("main")).focus({ preventScroll: true });
    tellLeft();
  }
  if (whole || target.id === "list") {
    visit = null;
    document.dispatchEvent(new Event("page:shown"));
  }
}

// The frame stays; where we are, and for which namespaces, is told to its links.
function markPlace() {
  markKinds();
  const namespaces = new URLSearchParams(new URLSearchParams(location.search).getAll("namespace").map((name) => ["namespace", name])).toString();
  for (const link of document.querySelectorAll("#kinds a[data-nav]")) {
    if (link.dataset.scoped !== undefined) link.search = namespaces;
  }
  const kinds = document.getElementById("kinds");
  if (kinds?.matches(":popover-open")) kinds.hidePopover();
}

// ---- Requests

// The filter keeps what else the address asks for now, and leaves out what is empty.
function configRequest(event) {
  if (event.target.id !== "filter") return;
  const { parameters } = event.detail;
  const kept = new URLSearchParams(location.search);
  for (const name of ["namespace", "state", "sort", "columns", "focus", "view"]) {
    delete parameters[name];
    if (kept.has(name)) parameters[name] = kept.getAll(name);
  }
  for (const name of Object.keys(parameters)) if (!parameters[name]) delete parameters[name];
}

// A request that gave way to a newer one is no error, and what the page itself tells need not stand in the console.
const TOLD = new Set(["afterRequest", "sendAbort", "sendError", "timeout", "responseError"].map((name) => `htmx:${name}`));

const underWay = new Set();
let bar = 0;
function working(xhr, on) {
  if (on) underWay.add(xhr);
  else underWay.delete(xhr);
  clearTimeout(bar);
  const progress = document.getElementById("progress");
  if (underWay.size) bar = setTimeout(() => (progress.hidden = false), 100);
  else progress.hidden = true;
}

// Forms of a page that is older than the session.
function renew(token) {
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token }));
  for (const field of document.querySelectorAll('[name="csrfmiddlewaretoken"]')) field.value = token;
}

export function startNavigation() {
  history.scrollRestoration = "manual";
  htmx.logger = (_, name, detail) => TOLD.has(name) && delete detail.error;
  if (history.state?.scroll) scrollTo(history.state.scroll);
  document.addEventListener("click", onClick);
  if (!history.state?.entry) history.replaceState({ ...history.state, entry: newEntry() }, "");
  ({ entry } = history.state);
  addEventListener("popstate", (event) => {
    if (here() === shown) return; // only the fragment
    if (!mayLeave()) return history.pushState({ entry }, "", shown);
    shown = here();
    const kept = takeBack(event.state?.entry);
    if (kept) return showKept(kept, event.state.scroll);
    go(here(), { history: "none", scroll: event.state?.scroll });
  });
  document.addEventListener("scrollend", keepScroll, { capture: true, passive: true });
  addEventListener("pagehide", keepScroll);
  addEventListener("beforeunload", (event) => typed("[data-keep] textarea, [data-create] input") && event.preventDefault());
  const on = (name, listener) => document.addEventListener(`htmx:${name}`, listener);
  on("configRequest", configRequest);
  on("beforeSend", (event) => working(event.detail.xhr, true));
  on("afterRequest", (event) => working(event.detail.xhr, false));
  on("beforeOnLoad", (event) => {
    const token = event.detail.xhr.status === 403 && event.detail.xhr.getResponseHeader("X-CSRFToken");
    if (token) {
      event.preventDefault();
      renew(token);
      return note({ title: "You have signed in again", text: "Nothing was sent, and what you typed is still here: press the button again." });
    }
    // Signed out: the answer leads to the sign-in page, but not over what somebody has typed.
    if (event.detail.xhr.status !== 401 || !typed()) return;
    event.preventDefault();
    const login = event.detail.xhr.getResponseHeader("HX-Redirect");
    if (login) note({ title: "You are signed out", text: "What you typed is still here. Sign in in another tab, then come back and go on.", link: { text: "Sign in", url: login } });
    else note({ title: "This cluster no longer knows you", text: "What you typed is still here. Ask whoever runs this dashboard how to sign in to it." });
  });
  on("beforeSwap", beforeSwap);
  on("afterSettle", afterSettle);
  on("sendError", (event) => failedAt(event, "The dashboard does not answer."));
  on("timeout", (event) => failedAt(event, "The dashboard did not answer within 30 s."));
}
