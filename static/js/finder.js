// Asks the server for objects: a moment after the last letter, and only the latest question is answered.
const WAIT_MS = 80;
const SIGN_MS = 100; // work that takes longer shows
const GIVE_UP_MS = 15_000;

export class Finder {
  // working(on) shows the sign of work; told(answer | {trouble, login}) gets what came.
  constructor({ working, told }) {
    Object.assign(this, { working, told, latest: null });
  }

  get asking() {
    return this.latest !== null;
  }

  ask(url, { wait = WAIT_MS } = {}) {
    this.stop();
    const mine = (this.latest = new AbortController());
    mine.later = setTimeout(() => this.#fetch(url, mine), wait);
  }

  stop() {
    clearTimeout(this.latest?.later);
    clearTimeout(this.latest?.sign);
    this.latest?.abort();
    this.latest = null;
    this.working(false);
  }

  async #fetch(url, mine) {
    mine.sign = setTimeout(() => this.working(true), SIGN_MS);
    const late = setTimeout(() => mine.abort(), GIVE_UP_MS);
    const answer = await answerOf(url, mine.signal);
    clearTimeout(late);
    clearTimeout(mine.sign);
    if (this.latest !== mine) return; // stale: something else was asked meanwhile
    this.latest = null;
    this.working(false);
    this.told(answer);
  }
}

async function answerOf(url, signal) {
  try {
    const response = await fetch(url, { signal, headers: { Accept: "application/json" } });
    const body = await response.json();
    if (response.ok) return body;
    if (response.status === 401 && body.login) return { trouble: "You are signed out.", login: body.login };
    return { trouble: body.error ?? `The dashboard could not answer (${response.status}).` };
  } catch {
    return { trouble: "The dashboard does not answer: objects cannot be searched now. Pages can still be opened." };
  }
}
