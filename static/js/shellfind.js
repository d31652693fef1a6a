// Find in a terminal: on its screen and in what has scrolled away, the latest first. What the width broke is one line.
const $ = (part) => document.querySelector(`[data-shell-${part}]`);
let term = null;
let at = 0; // which match is shown, from the end

// The lines as they were printed: their first row, text, and how many rows they take.
function* lines(buffer) {
  for (let row = 0; row < buffer.length; ) {
    let rows = 1;
    while (buffer.getLine(row + rows)?.isWrapped) rows += 1;
    let text = "";
    for (let n = 0; n < rows; n++) text += buffer.getLine(row + n).translateToString(n === rows - 1);
    yield { row, rows, text };
    row += rows;
  }
}

// The cell at which each letter of a line stands: some letters take two.
function cells(buffer, { row, rows }) {
  const found = [];
  for (let n = 0; n < rows; n++) {
    const line = buffer.getLine(row + n);
    for (let x = 0; x < term.cols; x++) {
      const cell = line.getCell(x);
      if (cell.getWidth()) for (let letter = Math.max(1, cell.getChars().length); letter; letter--) found.push(n * term.cols + x);
    }
  }
  return found;
}

function matches(sought) {
  const buffer = term.buffer.active;
  const found = [];
  for (const line of lines(buffer)) {
    const lower = line.text.toLowerCase(); // which has more letters than the line, for a few
    const text = lower.length === line.text.length ? lower : line.text;
    let from = text.indexOf(sought);
    if (from < 0) continue;
    const places = cells(buffer, line);
    for (; from >= 0; from = text.indexOf(sought, from + sought.length)) {
      const [first, last] = [places[from], places[from + sought.length - 1]];
      found.push({ row: line.row + Math.floor(first / term.cols), column: first % term.cols, length: last - first + 1 });
    }
  }
  return found.reverse();
}

function find(by = 0) {
  const sought = $("sought").value.toLowerCase();
  const found = sought ? matches(sought) : [];
  at = by ? (at + by + found.length) % (found.length || 1) : 0;
  const match = found[at];
  if (match) {
    term.select(match.column, match.row, match.length);
    term.scrollToLine(Math.max(0, match.row - Math.floor(term.rows / 2)));
  } else term.clearSelection();
  $("found").textContent = !sought ? "" : match ? `${at + 1} of ${found.length}, latest first` : "Not found";
}

export function openFind(terminal) {
  term = terminal;
  $("finder").hidden = false;
  $("sought").focus();
  $("sought").select();
  find();
}

export function closeFind() {
  if (!$("finder") || $("finder").hidden) return;
  $("finder").hidden = true;
  term?.focus();
}

export function startFind() {
  document.addEventListener("input", ({ target }) => target.matches("[data-shell-sought]") && find());
  document.addEventListener("keydown", (event) => {
    if (!event.target.matches("[data-shell-sought]") || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation(); // Escape closes this, and leaves nothing else
    if (event.key === "Escape") closeFind();
    else find(event.shiftKey ? -1 : 1);
  }, { capture: true });
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-shell-finder] button");
    if (button?.dataset.by) find(Number(button.dataset.by));
    else if (button) closeFind();
  });
}
