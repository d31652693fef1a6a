// What the palette finds without asking: the links that are on the page anyway, and how well a text fits.

const words = (link) => (link.querySelector(".k, .cut") ?? link).textContent.trim().replace(/\s+/g, " ");

function links(selector, what) {
  return [...document.querySelectorAll(selector)].map((link) => ({
    text: words(link),
    names: link.dataset.names?.split(" ") ?? [],
    what: link.dataset.what ? `${what} · ${link.dataset.what}` : what,
    link,
  }));
}

// The first places at the side are pages, not kinds.
const aside = (link) => link.closest("#kinds > ul:not([aria-labelledby])");
export const kinds = () => links("#kinds a", "kind").filter(({ link }) => !aside(link));
const pages = () => links("#kinds a", "page").filter(({ link }) => aside(link));

// Before anything is typed: some of both, so that the pages do not push the kinds out.
export const first = (count) => [...pages().slice(0, count), ...kinds().slice(0, count)];

export const namespaceNames = () => [...document.querySelectorAll('#namespaces [name="namespace"]')].map(({ value }) => value);

// A list stays this list, in the other namespace.
function namespaces() {
  const form = document.querySelector("[data-namespaces]");
  return namespaceNames().map((name) => ({ text: name, what: "namespace", url: `${form.getAttribute("action")}?namespace=${encodeURIComponent(name)}` }));
}

export const places = () => [...pages(), ...kinds(), ...namespaces(), ...links(".cluster li a", "cluster"), ...links(".person .pop > a, .cluster .pop > a", "page"), ...links("[data-forms] a", "form")];

// What can be done on this page: the object's actions, those too that are refused, with the reason; and its parts.
export function pageActions() {
  const actions = [...document.querySelectorAll("#page .head .btns > :is(a, [aria-disabled])")].map((each) => ({
    text: each.textContent.trim(),
    what: "action",
    link: each.href ? each : null,
    refused: each.href ? "" : each.dataset.tip,
  }));
  const tabs = links("#page .tabs a:not([aria-current])", "page");
  for (const tab of tabs) tab.text = tab.link.firstChild.textContent.trim();
  return [...actions, ...tabs];
}

// A kind by kubectl's words for it ("po", "deploy", "service") comes before whatever only looks like them.
const named = (names = [], query) => (names.includes(query) ? 4 : names.some((name) => name.startsWith(query)) ? 2.5 : 0);

// Every letter in order; a run at the start of a word counts most, as "dep" does for Deployments.
function score(text, query) {
  const lower = text.toLowerCase();
  const at = lower.indexOf(query);
  if (at >= 0) return at === 0 ? 3 : /\W/.test(lower[at - 1]) ? 2 : 1;
  let from = 0;
  for (const letter of query) {
    from = lower.indexOf(letter, from) + 1;
    if (!from) return 0;
  }
  return 0.5;
}

// Kinds from further down the menu are seldom meant, unless by their very name: "api" is an object before it is APIServices.
function rank({ text, names, link }, query) {
  const best = Math.max(score(text, query), named(names, query));
  return best < 4 && link?.dataset.what ? Math.min(1, best / 2) : best;
}

// Those that fit, best first, with their score; all of them for nothing typed.
export function fitting(items, typed) {
  const query = typed.toLowerCase();
  if (!query) return items;
  return items
    .map((item) => ({ ...item, score: rank(item, query) }))
    .filter((item) => item.score)
    .sort((a, b) => b.score - a.score);
}
