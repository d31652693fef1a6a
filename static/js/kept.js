// Forms that somebody left with something typed in them: Back and Forward bring them as they were, with the files that were
// chosen and what stood beside. They are in the memory of this tab alone; what may hold a Secret is not kept.
import { typed } from "./forms.js";

const MOST = 10; // the one that was left first goes first
const SECRET = /\bkind["' ]*:["'\s]*Secret(List)?\b/;
const pages = new Map(); // by the entry of the history that showed them

const form = () => document.querySelector("#page form[data-keep]");
const maySeeSecret = (of) => of.matches("[data-secret]") || of.querySelector("[data-rotate]") || [...of.querySelectorAll("textarea")].some(({ value }) => SECRET.test(value));

// Whether the page can be left without losing anything.
export const keeps = () => !form() || !maySeeSecret(form());

let made = 0;
export const newEntry = () => `${performance.timeOrigin} ${(made += 1)}`;

// Takes the page that is shown away, and keeps it where something is typed; gives whether it does.
export function setAside(entry) {
  const [page, namespaces] = ["page", "namespaces"].map((id) => document.getElementById(id));
  if (!entry || !form() || !typed() || !keeps()) return false;
  pages.delete(entry);
  pages.set(entry, { page, title: document.title, namespaces: namespaces?.cloneNode(true) });
  if (pages.size > MOST) pages.delete(pages.keys().next().value);
  page.remove();
  return true;
}

export function takeBack(entry) {
  const kept = pages.get(entry);
  pages.delete(entry);
  return kept;
}
