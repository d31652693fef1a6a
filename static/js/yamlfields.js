// Where the fields stand in a text of YAML, told by its lines and their indentation: so a text tells it that is still being
// written. Collections in one line ({…}, […]) are one value, and what spans lines belongs to its key.

// A document's root, a key, or an entry of a list; what is below it has it as its parent.
const below = (parent, step, more) => {
  const made = { parent, step, keys: 0, entries: 0, ...more };
  if (parent) parent[step === null ? "entries" : "keys"] += 1;
  return made;
};

const DASH = /^-(?:\s+|$)/;
const COMMENT = /^#|\s#/;

// The end of a quoted text that begins at a place, or -1 where it does not end on this line.
function endOfQuote(text, from) {
  const quote = text[from];
  for (let at = from + 1; at < text.length; at++) {
    if (quote === '"' && text[at] === "\\") at += 1;
    else if (text[at] === quote && text[at + 1] === quote && quote === "'") at += 1;
    else if (text[at] === quote) return at + 1;
  }
  return -1;
}

// The key that stands at a place of a line: its name, its end, and where its value begins. Null where there is none.
function keyAt(text, from) {
  let end = from;
  if (text[from] === '"' || text[from] === "'") {
    end = endOfQuote(text, from);
    if (end < 0) return null;
  } else {
    if (/[\s#[\]{},&*!|>%@`]/.test(text[from] ?? " ")) return null;
    while (end < text.length && !(text[end] === ":" && /\s|$/.test(text[end + 1] ?? ""))) {
      if (text[end] === "#" && text[end - 1] === " ") return null;
      end += 1;
    }
  }
  const colon = /^\s*:(?=\s|$)/.exec(text.slice(end));
  if (!colon) return null;
  const name = text.slice(from, end).trimEnd();
  const rest = end + colon[0].length;
  const value = rest + text.slice(rest).search(/\S|$/);
  return { name: /^["']/.test(name) ? name.slice(1, -1) : name, end: from + name.length, value };
}

// A value without the comment behind it.
function valueAt(text, from) {
  if (text[from] === '"' || text[from] === "'") {
    const end = endOfQuote(text, from);
    return text.slice(from, end < 0 ? text.length : end);
  }
  const rest = text.slice(from);
  const comment = COMMENT.exec(rest);
  return (comment ? rest.slice(0, comment.index) : rest).trimEnd();
}

const opened = (text) => [...text.replace(/"(?:[^"\\]|\\.)*"|'[^']*'/g, "")].reduce((sum, each) => sum + ("[{".includes(each) ? 1 : "]}".includes(each) ? -1 : 0), 0);

// The first and last line (from 1) of the document in which a line is.
export function documentAt(lines, number) {
  let first = number;
  while (first > 1 && !/^---(\s|$)/.test(lines[first - 1])) first -= 1;
  let last = number;
  while (last < lines.length && !/^---(\s|$)/.test(lines[last])) last += 1;
  return { first, last };
}

// The fields of the lines from first to last, in their order: each with its line, where its key stands in it (from, to), and
// its value on that line: text and from, or null. Entries of lists have step null, and a value only where they are no mapping.
export function fieldsOf(lines, first, last) {
  const root = below(null, "", { indent: -1, entry: false, line: first });
  const found = [];
  let open = [root];
  let skip = null; // whether a line still belongs to what began before it
  for (let number = first; number <= last; number++) {
    const text = lines[number - 1];
    if (skip?.(text)) continue;
    skip = null;
    let at = text.search(/\S/);
    if (at < 0 || text[at] === "#" || /^(---|\.\.\.)(\s|$)/.test(text)) continue;
    const start = at;
    const parent = () => open.at(-1);
    while (DASH.test(text.slice(at))) {
      while (parent().indent > at || (parent().indent === at && parent().entry)) open.pop();
      const made = below(parent(), null, { indent: at, entry: true, line: number, from: at, to: at + 1, value: null });
      found.push(made);
      open.push(made);
      at += DASH.exec(text.slice(at))[0].length;
    }
    if (at >= text.length) continue;
    const key = keyAt(text, at);
    const inside = key ? key.value : at;
    const owner = key ? at : start;
    if (key) {
      while (parent().indent >= at) open.pop();
      const made = below(parent(), key.name, { indent: at, entry: false, line: number, from: at, to: key.end, value: null });
      found.push(made);
      open.push(made);
    } else if (!parent().entry || parent().line !== number) {
      continue; // the rest of a text, or a name that is still being typed
    }
    const value = valueAt(text, inside);
    if (!value || value[0] === "#") continue;
    parent().value = { text: value, from: inside };
    if (/^[|>]/.test(value)) skip = (line) => !line.trim() || line.search(/\S/) > owner;
    else if (/^["']/.test(value) && endOfQuote(value, 0) < 0) {
      let ended = false;
      skip = (line) => !ended && ((ended = line.includes(value[0])), true);
    } else if (/^[[{]/.test(value)) {
      let depth = opened(value);
      if (depth > 0) skip = (line) => depth > 0 && ((depth += opened(line)), true);
    }
  }
  return { root, fields: found };
}

// What a plain value means to the API server's reader of YAML, which is YAML 1.1 (as _plain in manifesttext.py).
export function meaning(text) {
  if (/^["']/.test(text)) return "string";
  if (/^[|>]/.test(text)) return "string";
  if (text[0] === "{") return "object";
  if (text[0] === "[") return "list";
  if (/^[&*!]/.test(text)) return "other";
  if (/^(~|null|Null|NULL)$/.test(text)) return "null";
  if (/^(yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$/.test(text)) return "boolean";
  if (/^[-+]?(0b[01_]+|0o?[0-7_]+|0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)$/.test(text)) return "integer";
  if (/^[-+]?([0-9][0-9_]*)?\.[0-9_]*([eE][-+][0-9]+)?$/.test(text) && /\d/.test(text)) return "number";
  if (/^[-+]?[0-9]+[eE][-+]?[0-9]+$/.test(text)) return "number";
  return "string";
}
