// While a frame is taken in, what the reader points at, has focused, selected or touches stays where it is on screen,
// wherever on the page that is: rows that come into a card above it push nothing down. See lists.js for rows themselves.
import { inHand } from "./lists.js";

const held = new Map(); // what has a height of its own as long as the reader is there, in CSS pixels
// Not by style attributes: htmx copies those to what takes an element's place, which the policy forbids.
const sheet = new CSSStyleSheet();
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

const onScreen = ({ top, bottom }) => bottom > 0 && top < innerHeight;

export function still(change) {
  const page = document.getElementById("page");
  const hand = page && inHand(page);
  const before = hand?.getBoundingClientRect();
  if (!before || !onScreen(before)) return change();
  const main = document.getElementById("main");
  const scroller = getComputedStyle(main).overflowY === "auto" ? main : document.scrollingElement;
  const cards = [...page.querySelectorAll(".card")].map((card) => [card, card.offsetHeight]);
  change();
  if (!hand.isConnected) return;
  const moved = () => hand.getBoundingClientRect().top - before.top;
  if (moved() < 0) for (const [card, height] of cards) if (!card.contains(hand) && card.offsetHeight < height) hold(card, height);
  scroller.scrollTop += moved();
  if (moved() < 1) return;
  // Nothing to scroll by: as long as that, the page is as much higher than what shows it.
  const top = scroller === main ? main.getBoundingClientRect().top : 0;
  hold(page, scroller.clientHeight + top - page.getBoundingClientRect().top + moved());
  scroller.scrollTop += moved();
}

function hold(element, px) {
  held.set(element, px);
  [...held.keys()].forEach((each, at) => { each.dataset.held = at; });
  sheet.replaceSync([...held.values()].map((each, at) => `[data-held="${at}"] { min-height: ${each}px; }`).join(" "));
}

// The reader has gone elsewhere.
function release() {
  if (!held.size || inHand(document.getElementById("page"))) return;
  for (const { dataset } of held.keys()) delete dataset.held;
  held.clear();
  sheet.replaceSync("");
}
for (const sign of ["pointerover", "focusout", "selectionchange", "page:shown", "released"]) document.addEventListener(sign, () => setTimeout(release), { passive: true });
document.documentElement.addEventListener("mouseleave", release);
