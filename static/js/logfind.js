// Finds a text in the lines on screen and marks it without touching them (the CSS Custom Highlight API); a browser
// that does not know that marks the lines.
const MARKS = 5000; // ranges at most: a found "a" need not be marked everywhere

export class Finder {
  constructor(list, told) {
    this.list = list;
    this.told = told; // (place of the present line from 1, count of lines, whether something is looked for)
    this.text = "";
    this.rows = []; // found lines, in order
    this.row = null; // the present one
    this.marks = globalThis.Highlight ? new Highlight() : null;
    if (this.marks) CSS.highlights.set("found", this.marks);
  }

  close() {
    globalThis.CSS?.highlights?.delete("found");
  }

  look(text) {
    this.text = text.toLowerCase();
    this.changed();
  }

  // The lines have been written anew.
  changed() {
    for (const row of this.rows) row.classList.remove("hit", "at-hit");
    this.rows = [];
    this.row = null;
    this.marks?.clear();
    this.added([...this.list.children]);
  }

  added(rows) {
    if (!this.text) return this.told(0, 0, false);
    this.rows = this.rows.filter((row) => row.isConnected);
    for (const row of rows) if (row.isConnected && this.mark(row)) this.rows.push(row);
    this.say();
  }

  mark(row) {
    const words = row.querySelector(".words") ?? row;
    const text = words.textContent.toLowerCase();
    let at = text.indexOf(this.text);
    if (at < 0) return false;
    row.classList.add("hit");
    if (this.marks?.size >= MARKS) this.tidy();
    for (; this.marks && at >= 0 && this.marks.size < MARKS; at = text.indexOf(this.text, at + this.text.length)) this.marks.add(range(words, at, at + this.text.length));
    return true;
  }

  tidy() {
    for (const mark of this.marks) if (!mark.startContainer.isConnected) this.marks.delete(mark);
  }

  step(by) {
    this.rows = this.rows.filter((row) => row.isConnected);
    if (!this.rows.length) return this.say();
    // The newest first, as it is nearest to where the reader is.
    const at = this.row ? this.rows.indexOf(this.row) + by : this.rows.length - 1;
    this.row?.classList.remove("at-hit");
    this.row = this.rows[(at + this.rows.length) % this.rows.length];
    this.row.classList.add("at-hit");
    this.row.scrollIntoView({ block: "center" });
    this.say();
  }

  say() {
    this.told(this.rows.indexOf(this.row) + 1, this.rows.length, Boolean(this.text));
  }
}

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
