// Ctrl-K: one field that leads to every kind, namespace, cluster and part of this page, or finds pods by name.
// Its places are the links that are on the page anyway.
import { go } from "./navigation.js";

const SHOWN = 12;

function places() {
  const links = (selector, what) => [...document.querySelectorAll(selector)].map((link) => ({ text: (link.querySelector(".k, .cut") ?? link).textContent.trim().replace(/\s+/g, " "), names: link.dataset.names?.split(" ") ?? [], what: link.dataset.what ? `${what} · ${link.dataset.what}` : what, link }));
  const lists = location.pathname.split("/").length === 5 ? location.pathname : "";
  const namespaces = [...document.querySelectorAll('#namespaces [name="namespace"]')].map(({ value }) => {
    const form = document.querySelector("[data-namespaces]");
    return { text: value, what: "namespace", url: `${lists || form.getAttribute("action")}?namespace=${encodeURIComponent(value)}` };
  });
  return [...links("#kinds a", "kind"), ...links(".head .btns a, .tabs a", "on this page"), ...namespaces, ...links(".cluster li a", "cluster"), ...links(".person .pop > a, .cluster .pop > a", "page")];
}

// A kind by kubectl's words for it ("po", "deploy", "service") comes before whatever only looks like them.
const named = (names = [], query) => (names.includes(query) ? 4 : names.some((name) => name.startsWith(query)) ? 2.5 : 0);

// Every letter in order; a run at the start of a word counts most, as "dep" does for Deployments.
function score(text, query) {
  const words = text.toLowerCase();
  const at = words.indexOf(query);
  if (at >= 0) return at === 0 ? 3 : /\W/.test(words[at - 1]) ? 2 : 1;
  let from = 0;
  for (const letter of query) {
    from = words.indexOf(letter, from) + 1;
    if (!from) return 0;
  }
  return 0.5;
}

export function startPalette() {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const field = dialog.querySelector("input");
  const list = dialog.querySelector("[role=listbox]");
  let all = [];
  let found = [];
  let at = 0;

  function choose(to) {
    at = (to + found.length) % (found.length || 1);
    [...list.children].forEach((option, place) => option.setAttribute("aria-selected", place === at));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    if (list.children[at]) field.setAttribute("aria-activedescendant", list.children[at].id);
  }

  function filter() {
    const query = field.value.trim().toLowerCase();
    found = query ? all.map((place) => ({ ...place, score: Math.max(score(place.text, query), named(place.names, query)) })).filter((place) => place.score).sort((a, b) => b.score - a.score) : all;
    found = found.slice(0, SHOWN);
    const pods = document.querySelector('#kinds [data-nav="pods"]');
    if (query && pods) found.push({ text: `Find pods with “${field.value.trim()}”`, what: "search", url: `${pods.pathname}?q=${encodeURIComponent(field.value.trim())}` });
    list.replaceChildren(
      ...found.map(({ text, what }, place) => {
        const option = document.createElement("div");
        option.id = `place-${place}`;
        option.role = "option";
        option.textContent = text;
        const kind = document.createElement("span");
        kind.textContent = what;
        option.append(kind);
        return option;
      }),
    );
    choose(0);
  }

  function follow(place) {
    dialog.close();
    if (!place) return;
    if (place.link) place.link.click();
    else go(place.url);
  }

  dialog.addEventListener("shown", () => {
    all = places();
    field.value = "";
    filter();
  });
  field.addEventListener("input", filter);
  field.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) choose(at + by);
    else if (event.key === "Enter") follow(found[at]);
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) follow(found[[...list.children].indexOf(option)]);
  });
}
