// What the page says to its reader beside its content: words read out, and a note about what failed.
import { parse } from "./lists.js";

const icon = (name) => `<svg class="i" aria-hidden="true"><use href="#i-${name}"/></svg>`;

let sayings = [];
let saying = 0;
// Read out politely, several at once and no more often than every 5 s.
export function say(text) {
  const region = document.getElementById("say");
  sayings.push(text);
  saying ||= setTimeout(() => {
    region.textContent = [...new Set(sayings)].slice(-5).join(". ");
    sayings = [];
    saying = 0;
  }, region.textContent ? 5000 : 200);
}

// A note in the page about something that failed, with its way out. One at a time. "away": only because the dashboard
// could not be reached, which is over soon after it is (see live.js).
export function note({ title, text, icon: sign = "warn", retry, again = "Try again", link, away = false }) {
  const box = document.querySelector("#page .notes") ?? document.getElementById("main");
  const shown = parse(`<div class="callout ${sign}" data-note role="alert">${icon(sign)}<h2></h2><p></p><div class="btns"></div></div>`);
  shown.querySelector("h2").textContent = title;
  shown.querySelector("p").textContent = text;
  const buttons = shown.querySelector(".btns");
  const button = (words, act) => {
    const made = parse('<button class="btn" type="button"></button>');
    made.textContent = words;
    made.addEventListener("click", () => {
      shown.remove();
      act();
    });
    buttons.append(made);
  };
  if (retry) button(again, retry);
  if (link) {
    const made = parse('<a class="btn" target="_blank"></a>');
    made.textContent = link.text;
    made.href = link.url;
    buttons.append(made);
  }
  button("Dismiss", () => {});
  if (away) shown.dataset.away = Date.now();
  document.querySelectorAll("[data-note]").forEach((old) => old.remove());
  box.prepend(shown);
}
