// What the API says of the fields of a text in the editor: help for the one at the cursor, names and values to complete, marks
// at what it does not know. The server is asked for levels of a kind's schema, each once, and is never sent what was typed but
// a kind, its apiVersion and names that the schema itself has told.
import { documentAt, fieldsOf, meaning } from "./yamlfields.js";

const CURSOR_MS = 150;
const TYPED_MS = 400; // after the last key
const MAX_LINES = 3_000; // looked at for marks
const MAX_MARKS = 50;
const MAX_DOCUMENTS = 100;
const API_VERSION = /^([a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[a-z0-9]+$/;
const KIND = /^[A-Za-z][A-Za-z0-9]{0,62}$/;

const under = (path, name) => (/^[^.[\]]+$/.test(name) ? (path ? `${path}.${name}` : name) : `${path}[${name}]`);
const unquoted = (text) => (/^["']/.test(text) ? text.slice(1, -1) : text);

// ---- What the server tells, by kind

const schemas = new Map(); // apiVersion and kind → Schema

class Schema {
  constructor(base, apiVersion, kind) {
    this.kind = kind;
    this.apiVersion = apiVersion;
    this.url = `${base}${encodeURIComponent(kind)}/`;
    this.levels = new Map(); // path → its fields; null: it has none to tell
    this.described = new Map(); // path → promise of its description
    this.coming = new Map(); // path → promise of its level
    this.failure = "";
  }

  address(path, more = {}) {
    return `${this.url}?${new URLSearchParams({ apiVersion: this.apiVersion, ...(path && { path }), ...more })}`;
  }

  async ask(path, more) {
    const answer = await fetch(this.address(path, { format: "json", ...more }), { headers: { Accept: "application/json" } });
    if (answer.ok) return answer.json();
    const said = await answer.json().catch(() => ({}));
    throw new Error(said.error ?? "The server does not tell");
  }

  // The fields at a path, once they are there.
  level(path) {
    if (this.failure || this.levels.has(path)) return Promise.resolve(this.levels.get(path) ?? null);
    if (!this.coming.has(path)) {
      const come = async () => {
        try {
          const { levels } = await this.ask(path, { levels: 1 });
          for (const [at, level] of Object.entries(levels)) this.levels.set(at, level);
        } catch (error) {
          if (!path) this.failure = error.message;
        }
        if (!this.levels.has(path)) this.levels.set(path, null);
        this.coming.delete(path);
        return this.levels.get(path);
      };
      this.coming.set(path, come());
    }
    return this.coming.get(path);
  }

  describe(path) {
    if (!this.described.has(path)) {
      const told = this.ask(path).then(({ field }) => field);
      told.catch(() => this.described.delete(path));
      this.described.set(path, told);
    }
    return this.described.get(path);
  }
}

function schemaOf(base, { root, fields }) {
  const named = (name) => unquoted(fields.find((each) => each.parent === root && each.step === name)?.value?.text ?? "");
  const [apiVersion, kind] = [named("apiVersion"), named("kind")];
  if (!API_VERSION.test(apiVersion) || !KIND.test(kind)) return null;
  const key = `${base} ${apiVersion} ${kind}`;
  if (!schemas.has(key)) schemas.set(key, new Schema(base, apiVersion, kind));
  return schemas.get(key);
}

// ---- Where a field of the text is in the schema

// { path, shape, level } of a field, or { wrong } or { free } (nothing is known of it); null: its level must be asked for first.
function placeOf(schema, field) {
  if (field.place) return field.place;
  const found = field.parent ? stepInto(schema, placeOf(schema, field.parent), field) : { path: "", shape: { type: schema.kind, forms: ["object"] } };
  if (found) field.place = found; // what must be asked for is looked for again
  return found;
}

function stepInto(schema, at, { step }) {
  if (!at) return null;
  const { path, shape } = at;
  if (at.free || at.wrong || !shape?.forms?.length) return { free: true };
  const [form] = shape.forms;
  if (step === null) return form === "list" ? { path: `${path}[]`, shape: shape.of ?? {} } : { free: true };
  if (form === "map") return { path: `${path}[*]`, shape: shape.of ?? {} };
  if (form !== "object") return { free: true };
  if (!schema.levels.has(path)) return schema.failure ? { free: true } : null;
  const level = schema.levels.get(path);
  if (!level) return { free: true };
  const own = Object.hasOwn(level.fields, step) ? level.fields[step] : null;
  if (own) return { path: under(path, step), shape: own };
  return level.open || level.left_out ? { free: true } : { wrong: level, path };
}

// The place of a field; what must be asked for is asked for.
async function foundPlace(schema, field) {
  for (let tries = 0; tries < 64; tries++) {
    const place = placeOf(schema, field);
    if (place) return place;
    await schema.level(missing(schema, field));
  }
  return { free: true };
}

// The path of the innermost level that a field waits for.
function missing(schema, field) {
  let at = field.parent;
  while (at && !placeOf(schema, at)) at = at.parent;
  return at ? placeOf(schema, at).path : "";
}

// ---- What is wrong with it

function distance(one, other) {
  let row = [...Array(other.length + 1).keys()];
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (one[i - 1].toLowerCase() === other[j - 1].toLowerCase() ? 0 : 1));
    row = next;
  }
  return row[other.length];
}

function nearest(word, names) {
  const short = word.slice(0, 64);
  const [best] = names.map((name) => [distance(short, name), name]).sort(([one], [other]) => one - other);
  return best && best[0] <= Math.max(2, short.length / 3) ? best[1] : "";
}

const NEEDS = { object: "fields below it", map: "keys with values below it", list: "a list: entries that begin with “- ”", string: "text", integer: "a whole number", number: "a number", boolean: "true or false" };
const either = (words) => [...new Set(words)].join(" or ");

function wrongType(shape, field) {
  const { forms = [], values = [], type } = shape;
  if (!forms.length) return null;
  const needs = `needs ${either(forms.map((form) => NEEDS[form]))}, as it is ${type}.`;
  if (field.keys || field.entries) return forms.includes(field.entries ? "list" : "object") || (!field.entries && forms.includes("map")) ? null : { text: needs };
  if (!field.value) return null;
  const { text } = field.value;
  const kind = meaning(text);
  if (["null", "other"].includes(kind) || (kind === "object" && forms.includes("map"))) return null;
  const fits = forms.includes(kind) || (kind === "integer" && forms.includes("number"));
  if (!fits && forms.includes("string") && ["integer", "number", "boolean"].includes(kind)) return { text: `needs text: put ${text} in quotes.`, fix: JSON.stringify(text) };
  if (!fits) return { text: needs };
  const told = values.map(String);
  if (!told.length || /^[|>]/.test(text) || told.includes(unquoted(text))) return null;
  return { text: `is one of ${told.map((each) => each || '""').join(", ")}.`, fix: nearest(unquoted(text), told) };
}

// One mark, or null: { line, from, to (columns), text, fix: what to put there instead, or "" }.
function markOf(schema, field) {
  const place = placeOf(schema, field);
  if (!place || place.free) return null;
  const at = { line: field.line, from: field.from, to: field.to, fix: "" };
  if (place.wrong) {
    const fix = nearest(field.step, Object.keys(place.wrong.fields));
    const where = place.path ? ` in ${place.path}` : "";
    return { ...at, text: `${schema.kind} has no field ${field.step.slice(0, 80)}${where}.${fix ? ` Did you mean ${fix}?` : ""}`, fix };
  }
  const wrong = wrongType(place.shape, field);
  if (!wrong) return null;
  const { value } = field;
  return { ...at, ...(value && { from: value.from, to: value.from + value.text.length }), fix: "", ...wrong, text: `${field.step ?? "An entry"} ${wrong.text}` };
}

// The marks of all documents of a text, as far as they are looked at.
async function marksOf(base, lines) {
  const marks = [];
  for (let first = 1, count = 0; first <= Math.min(lines.length, MAX_LINES) && count < MAX_DOCUMENTS; count++) {
    const { last } = documentAt(lines, first);
    const found = fieldsOf(lines, first, Math.min(last, MAX_LINES));
    first = last + 1;
    const schema = schemaOf(base, found);
    if (!schema || (schema.kind.endsWith("List") && found.fields.some((each) => each.step === "items" && each.parent === found.root))) continue;
    for (const field of found.fields) {
      await foundPlace(schema, field);
      const mark = markOf(schema, field);
      if (mark) marks.push(mark);
      if (marks.length >= MAX_MARKS) return marks;
    }
  }
  return marks;
}

// ---- The cursor

// The document around a line, as it would be with a name at a column of that line.
function probed(lines, number, column, prefix) {
  const changed = [...lines];
  changed[number - 1] = `${prefix ?? " ".repeat(column)}x-probe:`;
  const { first, last } = documentAt(lines, number);
  const found = fieldsOf(changed, first, last);
  const probe = found.fields.find((each) => each.line === number && each.step === "x-probe");
  if (probe) probe.parent.keys -= 1;
  return { ...found, fields: found.fields.filter((each) => each !== probe), probe };
}

// The field that the cursor is in, with its document.
function fieldAt(lines, number, column) {
  const { first, last } = documentAt(lines, number);
  const found = fieldsOf(lines, first, last);
  const own = found.fields.filter((each) => each.line === number);
  const field = own.filter((each) => each.step !== null && each.from <= Math.max(column, own[0].from)).at(-1) ?? own.at(-1);
  if (field) return { ...found, field };
  const text = lines[number - 1];
  const indent = text.trim() ? text.search(/\S/) : column;
  const before = found.fields.filter((each) => each.line < number).at(-1);
  let around = before ?? found.root;
  while (around.parent && around.indent >= indent) around = around.parent;
  return { ...found, field: around };
}

// ---- Beside the editor

function part(tag, text, name = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (name) made.className = name;
  return made;
}

// The panel of a form: made by this script, as without it there is nobody to fill it.
export function makePanel(form) {
  form.querySelector(".field-help")?.remove();
  const panel = part("section", "", "card field-help");
  panel.setAttribute("aria-labelledby", "field-help");
  const head = part("header", "", "card-h");
  const title = part("h2", "Field help");
  title.id = "field-help";
  const all = part("a", "All fields", "end");
  Object.assign(all, { target: "_blank", rel: "noopener", hidden: true });
  head.append(title, all);
  const body = part("div", "", "body field-about");
  Object.assign(body, { tabIndex: 0 });
  body.setAttribute("role", "group");
  body.setAttribute("aria-label", "What the API says of the field");
  const about = part("div", "", "field-about");
  about.setAttribute("aria-live", "polite");
  about.setAttribute("aria-atomic", "true");
  const words = part("p", "", "api-words");
  body.append(about, words);
  panel.append(head, body);
  form.querySelector(".fields").after(panel);
  let shown = "";
  const show = (key, parts, text, url) => {
    if (shown === key) return;
    shown = key;
    about.replaceChildren(...parts);
    words.textContent = text;
    words.hidden = !text;
    all.hidden = !url;
    if (url) all.href = url;
    body.scrollTop = 0;
  };
  return { panel, say: (text) => show(text, [part("p", text, "muted")], "", ""), show };
}

function listed(words, values) {
  const made = part("p", `${words} `);
  values.forEach((value, at) => made.append(at ? ", " : "", part("code", value)));
  return made;
}

function showField(panel, schema, path, told) {
  const head = part("p", "");
  head.append(part("code", path || schema.kind), " ", part("span", told.type, "tag mono"));
  if (told.required) head.append(" ", part("span", "required", "tag"));
  const parts = [head];
  if (told.values.length) parts.push(listed("One of", told.values.map((each) => String(each) || '""')));
  if (told.default) parts.push(listed("Default", [told.default]));
  panel.show(`${schema.url} ${schema.apiVersion} ${path}`, parts, told.description || "Its API says nothing about it.", schema.address(path.replace(/(\[\*?\])+$/, "")));
}

const NONE = "Type apiVersion and kind, and its fields are explained here.";

async function help(panel, base, text, number, column) {
  const { field, ...found } = fieldAt(text, number, column);
  const schema = schemaOf(base, found);
  if (!schema) return panel.say(NONE);
  const place = await foundPlace(schema, field);
  if (schema.failure) return panel.say(`No field help. ${schema.failure}`);
  if (place.wrong) {
    const fix = nearest(field.step, Object.keys(place.wrong.fields));
    return panel.say(`${schema.kind} has no field ${under(place.path, field.step).slice(0, 120)}.${fix ? ` Did you mean ${fix}?` : ""}`);
  }
  if (place.free) return panel.say("Its API says nothing of what stands here.");
  try {
    showField(panel, schema, place.path, await schema.describe(place.path));
  } catch (error) {
    panel.say(`No field help. ${error.message}`);
  }
}

// ---- Completion

const open = (shape, column) => {
  const [form] = shape.forms ?? [];
  if (form === "list") return `:\n${" ".repeat(column)}- `;
  return form === "object" || form === "map" ? `:\n${" ".repeat(column + 2)}` : ": ";
};

async function info(schema, path) {
  const { description } = await schema.describe(path);
  return part("div", description || "Its API says nothing about it.", "api-words");
}

async function completeName(base, text, number, line, from, prefix, word, explicit) {
  const { probe, ...found } = probed(text, number, from, prefix);
  const schema = probe && schemaOf(base, found);
  if (!schema || (!word && !explicit)) return null;
  const place = await foundPlace(schema, probe.parent);
  if (place.shape?.forms?.[0] !== "object") return null;
  const level = await schema.level(place.path);
  if (!level) return null;
  const there = new Set(found.fields.filter((each) => each.parent === probe.parent).map((each) => each.step));
  const alone = !/^\s*:/.test(line.slice(from + word.length));
  return Object.entries(level.fields)
    .filter(([name]) => !there.has(name))
    .map(([label, shape]) => ({
      label,
      detail: shape.required ? `${shape.type}, required` : shape.type,
      boost: shape.required ? 1 : 0,
      apply: label + (alone ? open(shape, from) : ""),
      info: () => info(schema, under(place.path, label)),
    }));
}

async function completeValue(base, text, number, column) {
  const { field, ...found } = fieldAt(text, number, column);
  const schema = field.line === number && schemaOf(base, found);
  if (!schema) return null;
  const { shape } = await foundPlace(schema, field);
  const values = shape?.values ?? (shape?.forms?.includes("boolean") ? [true, false] : []);
  return values.map((value) => {
    const plain = String(value);
    const label = typeof value === "string" && (!plain || meaning(plain) !== "string") ? JSON.stringify(plain) : plain;
    return { label };
  });
}

const NAME = /^(\s*(?:-\s+)*)([\w$.\-/]*)$/;
const VALUE = /^\s*(?:-\s+)*[^\s#].*?:\s+(["']?[\w.\-/]*)$/;

// ---- The editor's side

// What an editor gets: its extensions, and start(view) once it is there. "mark" shows marks, as the schema has them.
export function fieldHelp(cm, base, panel, mark) {
  const later = { help: 0, marks: 0 };
  const textOf = (state) => state.doc.toString().split("\n");
  const helpNow = (view) => {
    const { head } = view.state.selection.main;
    const line = view.state.doc.lineAt(head);
    help(panel, base, textOf(view.state), line.number, head - line.from);
  };
  const marksNow = async (view) => {
    const { doc } = view.state;
    const marks = await marksOf(base, textOf(view.state));
    if (view.dom.isConnected && view.state.doc.eq(doc)) mark(marks);
  };
  const soon = (name, wait, act, view) => {
    clearTimeout(later[name]);
    later[name] = setTimeout(() => view.dom.isConnected && act(view), wait);
  };
  const complete = async ({ state, pos, explicit }) => {
    const line = state.doc.lineAt(pos);
    const typed = line.text.slice(0, pos - line.from);
    const name = NAME.exec(typed);
    const value = name ? null : VALUE.exec(typed);
    if (!name && !value) return null;
    const text = textOf(state);
    const options = name
      ? await completeName(base, text, line.number, line.text, name[1].length, name[1], name[2], explicit)
      : await completeValue(base, text, line.number, typed.length);
    if (!options?.length) return null;
    return { from: pos - (name ? name[2] : value[1]).length, options, validFor: /^["']?[\w$.\-/]*$/ };
  };
  const watch = cm.EditorView.updateListener.of(({ view, docChanged, selectionSet }) => {
    if (docChanged || selectionSet) soon("help", docChanged ? TYPED_MS : CURSOR_MS, helpNow, view);
    if (docChanged) soon("marks", TYPED_MS, marksNow, view);
  });
  return {
    extensions: [cm.autocompletion({ override: [complete], icons: false, activateOnCompletion: () => true }), watch],
    start(view) {
      helpNow(view);
      marksNow(view);
    },
  };
}
