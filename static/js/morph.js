// Makes an element of the page like a newly rendered one by touching only what differs, so that focus, a selection
// of text, an open <details> and the place of everything else stay. Small, because the server renders the same
// template for the same element: children are matched by id where they have one, else by position.
import { forget } from "./times.js";

// What belongs to the reader or to this script, not to the server.
const OURS = new Set(["open", "data-changed", "data-chosen"]);

// The boxes by which rows are chosen (choose.js) are passed over.
const theirs = (node) => (node?.className === "row-pick" ? node.nextSibling : node);

// True when something a reader can see has changed.
export function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return false;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return true;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue === fresh.nodeValue) return false;
    old.nodeValue = fresh.nodeValue;
    return true;
  }
  let changed = attributes(old, fresh);
  if (old.localName === "time" && old.dataset.rel) {
    if (changed) forget(old); // times.js writes the words
    return changed;
  }
  if (old.localName === "td") old.classList.remove("ch");
  return children(old, fresh) || changed;
}

function attributes(old, fresh) {
  let changed = false;
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) === value || OURS.has(name)) continue;
    old.setAttribute(name, value);
    changed ||= name !== "data-h";
  }
  for (const { name } of [...old.attributes]) {
    if (fresh.hasAttribute(name) || OURS.has(name)) continue;
    old.removeAttribute(name);
    changed = true;
  }
  return changed;
}

function children(old, fresh) {
  let changed = false;
  let at = theirs(old.firstChild);
  const ids = new Set([...fresh.children].map(({ id }) => id));
  for (const next of [...fresh.childNodes]) {
    // What has gone goes first, so that what follows it need not move.
    while (at?.id && !ids.has(at.id)) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
      changed = true;
    }
    if (next.id && at?.id !== next.id) {
      const kept = [...old.children].find((child) => child.id === next.id);
      old.insertBefore(kept ?? next, at);
      changed = true;
      if (kept) morph(kept, next);
      continue;
    }
    if (!at) {
      old.append(next);
      changed = true;
      continue;
    }
    const following = at.nextSibling;
    if (morph(at, next)) changed = true;
    at = following;
  }
  while (at) {
    const following = at.nextSibling;
    at.remove();
    at = following;
    changed = true;
  }
  return changed;
}
