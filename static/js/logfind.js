// Finds a text or an expression in the lines on screen and marks it without touching them (the CSS Custom Highlight
// API); a browser that does not know that marks the lines. What is found where, a worker says (logmatch.js).
const MARKS = 5000; // ranges at most: a found "a" need not be marked everywhere
const LIMIT_MS = 2000; // for a batch of lines, once the worker is there
const BATCH = 200; // lines

export class Finder {
  constructor(list, address, told) {
    this.list = list;
    this.address = address; // of the worker's script
    this.told = told; // ({at: place of the present line from 1, count of lines, asked: whether something is looked for, wrong: why that cannot be})
    this.expression = null;
    this.wrong = "";
    this.rows = []; // found lines, in order
    this.row = null; // the present one
    this.begun = true; // the reader has been taken to the first line that was found
    this.marks = globalThis.Highlight ? new Highlight() : null;
    if (this.marks) CSS.highlights.set("found", this.marks);
    this.waiting = []; // lines that are yet to be looked through
    this.asked = null; // those that the worker has
    this.worker = null;
    this.batch = 0;
  }

  close() {
    this.dismiss();
    globalThis.CSS?.highlights?.delete("found");
  }

  look(text, regular) {
    this.begun = false;
    if (this.asked) this.dismiss(); // it may be busy for long
    this.expression = null;
    this.wrong = "";
    try {
      if (text) this.expression = compiled(text, regular);
    } catch (error) {
      this.wrong = `Invalid expression: ${reason(error)}`;
    }
    this.changed();
  }

  // The lines have been written anew.
  changed() {
    for (const row of this.rows) row.classList.remove("hit", "at-hit");
    this.rows = [];
    this.row = null;
    this.waiting = [];
    this.asked = null;
    this.marks?.clear();
    this.added([...this.list.querySelectorAll("li")]);
  }

  added(rows) {
    if (!this.expression) return this.say();
    this.waiting.push(...rows);
    this.ask();
  }

  // ---- The worker: one batch at a time, each with its time

  ask() {
    if (this.asked) return;
    this.waiting = this.waiting.filter((row) => row.isConnected);
    if (!this.waiting.length) {
      this.begun = true; // none among the lines so far: the reader stays where he is when one comes
      return this.say();
    }
    this.asked = this.waiting.splice(0, BATCH);
    if (!this.worker) this.hire();
    else if (this.ready) this.send();
  }

  hire() {
    this.worker = new Worker(this.address, { type: "module" });
    this.ready = false;
    this.worker.onmessage = ({ data }) => (data.ready ? this.begin() : this.answered(data));
  }

  begin() {
    this.ready = true;
    if (this.asked) this.send();
  }

  send() {
    const { source, flags } = this.expression;
    this.batch += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.giveUp(), LIMIT_MS);
    this.worker.postMessage({ source, flags, batch: this.batch, texts: this.asked.map((row) => words(row).textContent) });
  }

  answered({ batch, found }) {
    if (batch !== this.batch) return;
    clearTimeout(this.timer);
    const asked = this.asked;
    this.asked = null;
    if (asked) this.take(asked, found); // else they have been written anew meanwhile
    this.ask();
  }

  giveUp() {
    this.dismiss();
    this.expression = null;
    this.wrong = "This expression takes too long on these lines: make it simpler";
    this.changed();
  }

  dismiss() {
    clearTimeout(this.timer);
    this.worker?.terminate();
    this.worker = null;
  }

  // ---- What is found

  take(asked, found) {
    this.rows = this.rows.filter((row) => row.isConnected);
    asked.forEach((row, at) => {
      if (!found[at] || !row.isConnected) return;
      row.classList.add("hit");
      this.rows.push(row);
      this.mark(words(row), found[at]);
    });
    if (this.begun || !this.rows.length) return this.say();
    this.begun = true;
    this.step(1);
  }

  mark(element, ranges) {
    if (this.marks?.size >= MARKS) this.tidy();
    for (const [from, to] of ranges) if (this.marks?.size < MARKS) this.marks.add(range(element, from, to));
  }

  tidy() {
    for (const mark of this.marks) if (!mark.startContainer.isConnected) this.marks.delete(mark);
  }

  step(by) {
    this.rows = this.rows.filter((row) => row.isConnected);
    if (!this.rows.length) return this.say();
    const at = this.row ? this.rows.indexOf(this.row) + by : Math.min(by - 1, 0);
    this.row?.classList.remove("at-hit");
    this.row = this.rows[(at + this.rows.length) % this.rows.length];
    this.row.classList.add("at-hit");
    this.row.scrollIntoView({ block: "center" });
    this.say();
  }

  say() {
    const { rows, row, wrong } = this;
    this.told({ at: rows.indexOf(row) + 1, count: rows.length, asked: Boolean(this.expression), wrong });
  }
}

const words = (row) => row.querySelector(".words") ?? row;

// Without regard to case, as everywhere; "u" where the expression can bear it: then a letter is one, whatever its code.
function compiled(text, regular) {
  const source = regular ? text : text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  try {
    return new RegExp(source, "giu");
  } catch (error) {
    if (!regular) throw error;
    return new RegExp(source, "gi");
  }
}

// "Invalid regular expression: /(/gi: Unterminated group" says in its last words what is wrong.
const reason = ({ message }) => message.split(": ").at(-1);

// Characters of an element, whichever of its texts they are in. Static: nothing needs to follow what happens to them.
function range(element, from, to) {
  const found = {};
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(), end = 0; text; text = walker.nextNode()) {
    const start = end;
    end += text.length;
    if (from >= start && from < end) Object.assign(found, { startContainer: text, startOffset: from - start });
    if (to <= end) {
      Object.assign(found, { endContainer: text, endOffset: to - start });
      break;
    }
  }
  return new StaticRange(found);
}
