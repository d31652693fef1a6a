// Ctrl-K: one field that leads to every place, object and action. Places are the links of the page; objects, and what
// can be done to them, are asked of the server.
//
// A mode is chosen by the first letter: ":" kinds (and a namespace after it), ">" actions, "/" filter, "?" help.
import { Finder } from "./finder.js";
import { go } from "./navigation.js";
import { first, fitting, kinds, namespaceNames, pageActions, places } from "./places.js";
import { pageObject, recent } from "./recent.js";

const PLACES = 5;
const FIRST = 5; // pages, and as many kinds
const WEAK = 3;
const STRONG = 2; // a place fits so well that no object is waited for
const OBJECTS = 12;
const PAGE = 8;
const SAY_MS = 400;
const RESTS = 3;
const ICONS = { ok: "ok", info: "busy", warn: "warn", bad: "bad", done: "done" };

let dialog, field, list, crumb, status, finder;
let found = []; // the options that are shown
let at = 0;
let moved = false; // the reader chose an option: answers that come later leave it chosen
let answer = null; // the server's last one, and what it was for
let inside = null; // the object whose actions are shown
let enter = null; // Enter was pressed before the answer came
let rests = 0; // how often the kinds that follow were asked for
let everywhere = false; // the chosen namespaces do not count

// ---- What is shown

const mode = () => (":>/?".includes(field.value[0] ?? " ") && !inside ? field.value[0] : "");
const typed = () => (mode() ? field.value.slice(1) : field.value).trim();

// The namespaces that the page shows.
function scoped() {
  const chosen = everywhere ? [] : new URLSearchParams(location.search).getAll("namespace");
  return new URLSearchParams(chosen.map((name) => ["namespace", name]));
}

function askUrl() {
  const url = new URL(dialog.dataset.search, location.origin);
  url.search = scoped();
  url.searchParams.set("format", "json");
  url.searchParams.set("q", typed());
  if (mode() === ">") url.searchParams.set("do", "1");
  else url.searchParams.set("limit", OBJECTS);
  return url;
}

const wantsObjects = () => Boolean(!inside && typed() && ["", ">"].includes(mode()));
const answers = () => (wantsObjects() && answer?.for === field.value ? answer : null);

function sections() {
  if (inside) return [{ title: titled(inside), items: inside.items ? fitting(inside.items, typed()) : [] }];
  if (mode() === ":") return [{ title: "Kinds", items: ofKinds() }];
  if (mode() === "/") return [{ title: "Filter", items: filters() }];
  if (mode() === "?") return [{ title: "Help", items: [{ text: "Keys and words", what: "help", run: () => document.querySelector('[data-open="help"]').click() }] }];
  const object = pageObject();
  const here = { title: object ? titled(object) : "On this page", items: pageActions() };
  if (mode() === ">") return [{ ...here, items: fitting(here.items, typed()) }, ...(typed() ? doings() : [])];
  if (!typed()) return [here, { title: "Recent", items: remembered() }, { title: "Go to", items: first(FIRST) }];
  return search(here);
}

// Objects of one name are told apart by their namespace.
const titled = ({ kind, name, namespace }) => `${kind} ${name}${namespace ? ` in ${namespace}` : ""}`;

// "can i", "who can delete pods in shop": questions that the page about access answers.
const CAN_I = /^(?:(?:what )?(?:can|may) i\b|(?:(?:kubectl|k|oc) )?auth can-i\b)/i;
const WHO_CAN = /^who (?:can|may)\b\s*(\S*)\s*(\S*)(?:\s+in\s+(\S*))?/i;

function questions() {
  const link = document.querySelector('#kinds [data-nav="access"]');
  if (!link) return [];
  const who = typed().match(WHO_CAN);
  if (who) {
    const [, verb, resource, within] = who;
    const params = new URLSearchParams(Object.entries({ verb, resource, in: within ?? "" }).filter(([, text]) => text));
    return [{ text: `Who can ${[verb || "…", resource, within && `in ${within}`].filter(Boolean).join(" ")}?`, what: "permissions", url: `${link.pathname}?${params}` }];
  }
  return CAN_I.test(typed()) ? [{ text: "What may I do here?", what: "permissions", url: link.pathname + link.search }] : [];
}

function search(here) {
  const forms = new Set((answers()?.creates ?? []).map(({ url }) => url.split("?")[0]));
  const all = fitting(places(), typed()).filter(({ link }) => !forms.has(link?.pathname));
  const strong = all.filter(({ score }) => score >= STRONG).slice(0, PLACES);
  const fair = all.filter(({ score }) => score >= 1 && score < STRONG).slice(0, PLACES - strong.length).map(later);
  const weak = all.filter(({ score }) => score < 1).slice(0, strong.length || fair.length ? 0 : WEAK);
  const actions = fitting(here.items, typed()).filter(({ score }) => score >= 1);
  const hits = objects();
  const asked = / /.test(typed()) || answers()?.like || !hits.length ? kindsAsked(all) : [];
  const before = hits.some(begins) ? [] : fair;
  return [
    { title: "Permissions", items: questions() },
    ...doings(),
    { title: "Go to", items: [...asked, ...strong, ...before] },
    { ...here, items: actions },
    { title: answers()?.like ? "Objects with a name like it" : "Objects", items: hits },
    { title: "More", items: [...(before.length ? [] : fair), ...weak, ...more()].map(later) },
  ];
}

// An object whose name begins so comes before a place that only has it in the middle.
const begins = ({ name }) => name.toLowerCase().startsWith(typed().toLowerCase());
// What the server finds may be better: Enter waits for it.
const later = (item) => ({ ...item, last: true });

// Lists that the server reads out of several words ("get po -n shop"), or of one that is misspelt; not those that are
// places anyway.
function kindsAsked(places) {
  const there = new Set(places.map(({ link }) => link?.pathname));
  return (answers()?.kinds ?? [])
    .filter(({ url }) => !there.has(url.split("?")[0]))
    .map(({ title, where, group, url }) => ({ text: where ? `${title} in ${where}` : title, what: group ? `kind · ${group}` : "kind", url }));
}

function objects() {
  return (answer?.results ?? []).map((each) => ({ ...each, object: each, stale: !answers() }));
}

function more() {
  const now = answers();
  const items = [];
  if (now && !now.trouble) {
    const rest = now.total > now.results.length;
    if (rest) items.push({ text: `All ${now.total} found for “${typed()}”`, what: "search page", url: now.url });
    if (!now.total && !done(now) && / /.test(typed())) items.push({ text: `Actions for “${typed()}”`, what: "> actions", type: `>${typed()}` });
  }
  if (!everywhere && scoped().size) items.push({ text: `Search all namespaces, not only ${scoped().getAll("namespace").join(", ")}`, what: "search", run: widen, stay: true });
  return items;
}

const done = ({ doing, creates }) => Boolean(doing?.length || creates?.length);

function widen() {
  everywhere = true;
  change();
}

// What is to be done, as for kubectl ("scale web"), and the forms of what is to be created.
function doings() {
  const hits = (mode() === ">" ? answer?.results : answer?.doing) ?? [];
  const items = hits.flatMap((each) => (each.actions ?? []).map((action) => ({ ...offered(action), object: each, of: each, stale: !answers() })));
  const made = (answer?.creates ?? []).map((each) => ({ ...offered(each), stale: !answers() }));
  return [{ title: "Actions", items: [...items, ...made] }];
}

const offered = ({ title, url, disabled_reason: refused, icon }) => ({ text: title, url, refused, what: icon ? "action" : "page" });

function remembered() {
  const here = pageObject()?.url;
  return recent()
    .filter(({ url }) => url !== here)
    .slice(0, 6)
    .map((each) => ({ ...each, object: each }));
}

// As k9s has it: ":po", or ":po shop" for the pods of a namespace.
function ofKinds() {
  const [word, space = ""] = typed().split(/\s+/);
  const some = fitting(kinds(), word ?? "");
  if (!space) return some;
  const names = namespaceNames().filter((name) => name.startsWith(space));
  return some
    .filter(({ link }) => "scoped" in link.dataset)
    .slice(0, WEAK)
    .flatMap(({ text, link }) => names.slice(0, PLACES).map((name) => ({ text: `${text} in ${name}`, what: "kind", url: `${link.pathname}?namespace=${encodeURIComponent(name)}` })));
}

function filters() {
  const words = typed();
  const filter = document.querySelector("#page #filter");
  const items = [];
  if (filter) {
    const url = new URL(location.href);
    if (words) url.searchParams.set("q", words);
    else url.searchParams.delete("q");
    url.searchParams.delete("page");
    items.push({ text: words ? `Filter this list by “${words}”` : "Show the whole list", what: document.querySelector("#page h1").textContent, url: url.pathname + url.search });
  }
  items.push({ text: words ? `Search everything for “${words}”` : "Search everything", what: "search page", url: searchPage(words) });
  return items;
}

function searchPage(words) {
  const params = scoped();
  if (words) params.set("q", words);
  return `${dialog.dataset.search}?${params}`;
}

// ---- Drawing. Every text goes in as text.

function element(tag, { class: name, text, ...attributes } = {}, children = []) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "i");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

const marked = (parts) => parts.map(([text, mark]) => element(mark ? "mark" : "span", { text }));

function state({ state: how, word, reason }) {
  if (!word) return [];
  return [element("span", { class: `st ${how}`, ...(reason ? { title: reason } : {}) }, [icon(ICONS[how] ?? "ok"), word])];
}

function option(item, place) {
  const { object } = item;
  const name = element("span", { class: "t" });
  if (item.of) name.append(element("b", { text: item.text }), " ", object.name);
  else if (object) name.append(...marked(object.parts ?? [[object.name, false]]));
  else name.append(item.text);
  if (object?.namespace) name.append(" ", element("span", { class: "room", text: object.namespace }));
  const line = [name];
  if (object && !item.of) line.push(...state(object));
  line.push(element("span", { class: "what", text: object ? object.kind : item.what }));
  const made = element("div", { role: "option", id: `place-${place}`, class: item.stale ? "stale" : "" }, line);
  if (item.refused) {
    made.setAttribute("aria-disabled", "true");
    made.append(element("span", { class: "because", text: item.refused }));
  }
  for (const why of (!item.of && object?.why) || []) made.append(element("span", { class: "because" }, [element("span", { class: "lead", text: why.label }), " ", ...marked(why.parts)]));
  return made;
}

// keep: what is chosen stays so, wherever it stands now.
function draw({ keep = moved } = {}) {
  const before = keep ? idOf(found[at]) : null;
  const shown = sections().filter(({ items }) => items.length);
  found = shown.flatMap(({ items }) => items);
  let place = 0;
  list.replaceChildren(
    ...shown.map(({ title, items }, number) => {
      const head = element("div", { class: "g", id: `group-${number}`, role: "presentation", text: title });
      return element("div", { role: "group", "aria-labelledby": head.id }, [head, ...items.map((item) => option(item, place++))]);
    }),
  );
  field.setAttribute("aria-expanded", found.length > 0);
  drawCrumb();
  drawTrouble();
  const kept = before ? found.findIndex((item) => idOf(item) === before) : -1;
  choose(Math.max(0, kept), { scroll: kept >= 0 });
  tellCount();
}

const idOf = (item) => item && (item.url ?? item.link?.href ?? item.text ?? item.name);

function drawCrumb() {
  crumb.hidden = !inside;
  if (inside) crumb.textContent = titled(inside);
  field.placeholder = inside ? "What to do with it" : dialog.dataset.placeholder;
}

function drawTrouble() {
  const trouble = inside ? inside.trouble : answers()?.trouble;
  const nothing = answers() && !trouble && !answers().results.length && !done(answers());
  const box = dialog.querySelector(".trouble");
  const notes = trouble ? [trouble] : nothing && answers().q ? [`No objects found for “${answers().q}”.`] : [];
  if (mode() === ">" && (!typed() || (nothing && !answers().q)) && !found.length) notes.push("Enter an action and an object, such as “restart web”.");
  if (answers()?.like) notes.push(`No objects found for “${answers().q}”; showing similar names.`);
  for (const { why, titles, rest } of answers()?.missed ?? []) notes.push(`${why}: ${titles.join(", ")}${rest.length ? ` and ${rest.length} more` : ""}.`);
  if (answers()?.freshness === "reconnecting") notes.push("The connection to the cluster is lost: objects are as they were before.");
  const elsewhere = answers()?.elsewhere;
  if (elsewhere) notes.unshift(elsewhere.words);
  box.replaceChildren(...notes.map((text) => element("p", { text })));
  if (answers()?.login) box.append(element("a", { class: "btn", href: answers().login, target: "_blank", text: "Sign in" }));
  if (elsewhere?.url) box.append(element("a", { class: "btn", href: elsewhere.url, text: `Go to ${elsewhere.name}` }));
  box.hidden = !notes.length;
  box.classList.toggle("bad", Boolean(trouble));
}

let saying = 0;
function tellCount() {
  clearTimeout(saying);
  if (finder.asking && wantsObjects()) return;
  saying = setTimeout(() => {
    const trouble = dialog.querySelector(".trouble:not([hidden])")?.textContent ?? "";
    const counted = found.length ? `${found.length} ${found.length === 1 ? "result" : "results"}. ` : "No results. ";
    status.textContent = counted + trouble;
  }, SAY_MS);
}

function choose(to, { scroll = true } = {}) {
  at = found.length ? (to + found.length) % found.length : 0;
  const options = [...list.querySelectorAll("[role=option]")];
  options.forEach((each, place) => each.setAttribute("aria-selected", place === at));
  if (!options[at]) return field.removeAttribute("aria-activedescendant");
  field.setAttribute("aria-activedescendant", options[at].id);
  if (scroll) (at ? options[at] : options[at].previousElementSibling ?? options[at]).scrollIntoView({ block: "nearest" });
  else list.scrollTop = 0;
}

// ---- What is typed

function change() {
  moved = false;
  rests = 0;
  enter = null;
  if (wantsObjects()) finder.ask(askUrl());
  else if (!inside) {
    finder.stop();
    answer = null;
  }
  if (answer && answer.do !== (mode() === ">")) answer = null;
  draw();
}

function told(came) {
  // Enter must not lead elsewhere because a better one came just before it.
  const keep = moved || Boolean(rests && found[at]?.object && !answer?.like);
  if (inside) {
    inside.trouble = came.trouble;
    inside.items = came.actions?.map(offered) ?? [];
  } else if (came.trouble && rests && answers()) {
    const why = came.trouble.replace(/\.$/, "");
    const missed = [...(answer.missed ?? []), { why, titles: ["not everything was looked at"], rest: [] }];
    answer = { ...answer, pending: [], missed }; // what was found stays
  } else {
    answer = { ...came, for: field.value, do: mode() === ">" };
    if (came.pending?.length) askForRest();
  }
  draw({ keep });
  if (enter) follow(found[at], enter);
}

// Kinds that had to be listed first follow: what is known already is shown, and Enter takes it.
function askForRest() {
  if (rests++ >= RESTS) return;
  const url = askUrl();
  url.searchParams.set("wait", "1");
  finder.ask(url, { wait: 0 });
}

function enterObject(item) {
  const object = item?.object;
  if (!object?.url || inside || item.of || !object.kind) return false;
  inside = { ...object, typed: field.value, items: null };
  field.value = "";
  moved = false;
  finder.ask(`${object.url}offers/?format=json`, { wait: 0 });
  draw();
  return true;
}

function leaveObject() {
  field.value = inside.typed;
  inside = null;
  change();
}

// ---- Going

function follow(item, { aside = false } = {}) {
  // What is asked for may be better than what is left when nothing else fits.
  if (finder.asking && !moved && (!item || item.stale || item.last)) {
    enter = { aside };
    return;
  }
  enter = null;
  if (!item) return;
  if (item.refused) {
    status.textContent = item.refused;
    return;
  }
  if (item.type) {
    field.value = item.type;
    return change();
  }
  if (item.stay) return item.run();
  const url = item.link?.href ?? item.url ?? item.object?.url;
  if (aside && url) return void window.open(url, "_blank", "noopener");
  dialog.close();
  if (item.run) item.run();
  else if (item.link?.isConnected) item.link.click();
  else go(url);
}

const step = (by) => {
  moved = true;
  choose(at + by);
};

const KEYS = {
  ArrowDown: () => step(1),
  ArrowUp: () => step(-1),
  PageDown: () => step(Math.min(PAGE, found.length - 1 - at)),
  PageUp: () => step(-Math.min(PAGE, at)),
  Home: () => step(-at),
  End: () => step(found.length - 1 - at),
};

function onKey(event) {
  if (event.isComposing) return;
  const bare = !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
  const end = field.selectionStart === field.value.length && field.selectionEnd === field.value.length;
  if (event.key === "Enter") follow(found[at], { aside: event.ctrlKey || event.metaKey });
  else if (bare && KEYS[event.key]) KEYS[event.key]();
  else if (bare && event.key === "ArrowRight" && end && enterObject(found[at])) return event.preventDefault();
  else if (bare && inside && !field.value && ["Backspace", "ArrowLeft"].includes(event.key)) leaveObject();
  else if (event.key === "Escape" && inside) leaveObject();
  else return;
  event.preventDefault();
}

function onClick(event) {
  const chosen = event.target.closest("[role=option]");
  if (!chosen) return;
  moved = true; // this one is meant, whatever comes meanwhile
  choose([...list.querySelectorAll("[role=option]")].indexOf(chosen));
  follow(found[at], { aside: event.ctrlKey || event.metaKey });
}

function shown() {
  inside = answer = null;
  everywhere = false;
  change();
}

export function startPalette() {
  dialog = document.getElementById("palette");
  field = dialog.querySelector("input");
  list = dialog.querySelector("[role=listbox]");
  crumb = dialog.querySelector(".crumb");
  status = dialog.querySelector("[role=status]");
  dialog.dataset.placeholder = field.placeholder;
  finder = new Finder({
    told,
    working(on) {
      dialog.classList.toggle("busy", on);
      list.setAttribute("aria-busy", on);
    },
  });
  dialog.addEventListener("shown", shown);
  dialog.addEventListener("close", () => finder.stop());
  dialog.addEventListener("cancel", (event) => inside && event.preventDefault());
  field.addEventListener("input", change);
  field.addEventListener("keydown", onKey);
  crumb.addEventListener("click", () => {
    leaveObject();
    field.focus();
  });
  list.addEventListener("click", onClick);
}
