// A part of a page that is asked for again every few seconds, as it is of many clusters and no socket is. What is touched is
// what differs, so focus and selection stay.
import { parse } from "./lists.js";
import { morph } from "./morph.js";

const EVERY_MS = 5000;

let running = false;

async function ask(region) {
  const said = region.querySelector("[data-poll-said]");
  try {
    const answer = await fetch(region.dataset.poll, { headers: { Accept: "text/html", "HX-Request": "true" } });
    if (answer.headers.get("HX-Redirect")) return location.assign(answer.headers.get("HX-Redirect"));
    if (!answer.ok) throw new Error(answer.status);
    const fresh = parse(await answer.text());
    if (region.isConnected && fresh?.id === region.id) morph(region, fresh);
  } catch {
    if (said && !said.dataset.old) said.dataset.old = said.textContent;
    if (said) said.textContent = `${said.dataset.old} The dashboard does not answer: this may be outdated.`;
  }
}

async function turn() {
  const region = document.querySelector("[data-poll]");
  if (region && !document.hidden) await ask(region);
  setTimeout(turn, EVERY_MS);
}

export function startPoll() {
  if (running) return;
  running = true;
  setTimeout(turn, EVERY_MS);
}
