// A text area for YAML becomes an editor (CodeMirror). The text area stays in the form, out of sight: it holds the text, so
// that all that is done with a field goes on by itself, and it is used as it is while the editor is not there.
import { fieldHelp, makePanel } from "./fieldhelp.js";
import { arrived } from "./scripts.js";

const LONG = 100_000; // characters from which on a text area takes too long for each key
const QUIET_MS = 300;

let library = null;
let look = null; // made once: a second theme would be a second style sheet
let editor = null; // of the page that is shown, as make() gives it; its text area has it too, for who puts the focus there

// CodeMirror would put a <style> into the document, which the policy refuses; sheets that a script makes may be adopted.
const sheets = new Map();
function adoptSheets(root, modules) {
  for (const module of modules) {
    if (sheets.has(module)) continue;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(module.getRules());
    sheets.set(module, sheet);
  }
  const ours = modules.map((module) => sheets.get(module));
  root.adoptedStyleSheets = [...root.adoptedStyleSheets.filter((sheet) => !ours.includes(sheet)), ...ours];
}

// Tab indents, but holds nobody who only passes through with it: not before another key or a click in the editor.
let passing = false;
function onKey({ key }) {
  if (["Shift", "Control", "Alt", "Meta"].includes(key)) return;
  passing = key === "Tab";
  if (!passing) editor?.view.setTabFocusMode(false);
}
function onPointer() {
  passing = false;
  editor?.view.setTabFocusMode(false);
}

const THEME = {
  "&": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--control)", borderRadius: "var(--r)", fontSize: "var(--f-s)", height: "27rem", maxHeight: "75dvh", minHeight: "8rem", resize: "vertical", overflow: "hidden" },
  "&.cm-focused, &:focus-within": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
  '[data-files="over"] &': { outline: "2px dashed var(--accent)", outlineOffset: "2px" },
  "&:has([aria-invalid])": { borderColor: "var(--bad)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.125rem" },
  ".cm-content": { padding: ".5rem 0", caretColor: "var(--ink)" },
  ".cm-line": { padding: "0 .625rem 0 .375rem" },
  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--ink-3)", border: "0" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "2rem", padding: "0 .25rem 0 0" },
  ".cm-gutter-lint": { width: "1rem" },
  ".cm-gutter-lint .cm-gutterElement": { padding: "0" },
  ".cm-lint-marker": { width: ".5rem", height: ".5rem", margin: ".3125rem .25rem", borderRadius: "50%", backgroundColor: "var(--bad-solid)", content: '""' },
  ".cm-activeLine": { backgroundColor: "var(--hover)" },
  "&:not(:focus-within) .cm-activeLine, &:not(:focus-within) .cm-activeLineGutter": { backgroundColor: "transparent" },
  ".cm-activeLineGutter": { backgroundColor: "var(--hover)", color: "var(--ink)" },
  "&.cm-focused .cm-matchingBracket, .cm-searchMatch": { backgroundColor: "var(--warn-bg)", outline: "1px solid var(--warn-ln)" },
  "&.cm-focused .cm-nonmatchingBracket": { backgroundColor: "var(--bad-bg)", outline: "1px solid var(--bad-ln)" },
  ".cm-searchMatch-selected": { backgroundColor: "var(--accent-bg)", outline: "1px solid var(--accent)" },
  ".cm-lintRange-error": { backgroundImage: "none", backgroundColor: "var(--bad-bg)", textDecoration: "underline wavy var(--bad)" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--warn-solid)", textUnderlineOffset: ".2em" },
  ".cm-lint-marker-warning": { backgroundColor: "var(--warn-solid)", borderRadius: "1px" },
  ".cm-lintPoint:after": { borderBottomColor: "var(--bad)" },
  ".cm-specialChar": { color: "var(--bad)" },
  ".cm-tooltip, .cm-panels": { backgroundColor: "var(--surface)", color: "var(--ink)", fontFamily: "var(--sans)", fontSize: "var(--f-m)" },
  ".cm-tooltip": { border: "1px solid var(--line)", borderRadius: "var(--r)", boxShadow: "var(--shadow)", maxWidth: "min(32rem, 90vw)", overflowWrap: "anywhere" },
  ".cm-diagnostic": { borderLeft: "0", padding: ".375rem .625rem" },
  ".cm-diagnosticAction": { minHeight: "1.5rem", padding: "0 .5rem", border: "1px solid var(--line)", borderRadius: "var(--r)", backgroundColor: "var(--surface)", color: "var(--ink)", cursor: "pointer" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "var(--f-s)", maxHeight: "14rem", minWidth: "12rem", maxWidth: "min(26rem, 90vw)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { display: "flex", gap: "1rem", alignItems: "center", minHeight: "1.5rem", padding: "0 .5rem" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--accent-ink)" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-completionDetail": { marginLeft: "auto", fontStyle: "normal", color: "var(--ink-3)", overflow: "hidden", textOverflow: "ellipsis" },
  "[aria-selected] .cm-completionDetail": { color: "inherit" },
  ".cm-tooltip.cm-completionInfo": { padding: ".375rem .625rem", maxWidth: "22rem", maxHeight: "14rem", overflow: "hidden" },
  ".cm-panels-top": { borderBottom: "1px solid var(--line)" },
  ".cm-panels-bottom": { borderTop: "1px solid var(--line)" },
  ".cm-panel.cm-search": { display: "flex", flexWrap: "wrap", gap: ".25rem .375rem", alignItems: "center", padding: ".375rem 2rem .375rem .5rem" },
  ".cm-panel.cm-search :is(input, button, label)": { margin: "0", fontSize: "var(--f-s)" },
  ".cm-panel.cm-search br": { display: "none" },
  ".cm-panel.cm-search label": { display: "inline-flex", alignItems: "center", gap: ".25rem" },
  ".cm-textfield": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--control)", borderRadius: "var(--r)", minHeight: "var(--hit)", padding: "0 .5rem", minWidth: "0", flex: "1 1 9rem" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--line)", borderRadius: "var(--r)", minHeight: "var(--hit)", padding: "0 .625rem" },
  ".cm-button:hover": { backgroundColor: "var(--hover)" },
  ".cm-button:active": { backgroundImage: "none", backgroundColor: "var(--sunken)" },
  ".cm-panel.cm-search [name=close]": { top: ".375rem", right: ".375rem", width: "var(--hit)", height: "var(--hit)", fontSize: "1rem", color: "var(--ink-2)" },
};

const colours = (tags) => [
  { tag: tags.definition(tags.propertyName), color: "var(--accent)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--add)" },
  { tag: [tags.keyword, tags.labelName, tags.typeName, tags.meta], color: "var(--prod)" },
  { tag: tags.lineComment, color: "var(--ink-3)", fontStyle: "italic" },
  { tag: [tags.separator, tags.punctuation, tags.squareBracket, tags.brace], color: "var(--ink-2)" },
];

// What the field is for those who do not see it, errors included: its marks come and go (see changes.js).
const attributes = (field) => ({
  tabindex: "0", // what is editable can have the focus anyway; axe knows that of its scroller by this alone
  "aria-labelledby": "yaml-label",
  "aria-describedby": `${field.getAttribute("aria-describedby")} yaml-keys`,
  "aria-required": "true",
  ...(field.hasAttribute("aria-invalid") && { "aria-invalid": "true" }),
});

// A line without its indentation.
function bounds({ doc }, number) {
  const { from, to, text } = doc.line(Math.min(number, doc.lines));
  return { from: from + text.search(/\S|$/), to };
}

// What is typed over a selection, or deletes one, is put in here: where Chromium joins lines it keeps their looks by inline
// styles, which the policy refuses. The document's selection counts: the editor may hear of it only later.
function typeOver(event, view, handlers) {
  const text = event.inputType === "insertText" ? event.data : event.inputType.startsWith("deleteContent") ? "" : null;
  const selection = view.root.getSelection();
  if (text === null || view.composing || selection.isCollapsed) return false;
  const range = selection.getRangeAt(0);
  if (!view.contentDOM.contains(range.commonAncestorContainer)) return false;
  const from = view.posAtDOM(range.startContainer, range.startOffset);
  const to = view.posAtDOM(range.endContainer, range.endOffset);
  if (from === to) return false;
  const { main } = view.state.selection;
  if (main.from !== from || main.to !== to) view.dispatch({ selection: { anchor: from, head: to } });
  const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: text ? "input.type" : "delete", scrollIntoView: true });
  if (!text || !handlers.some((handle) => handle(view, from, to, text, insert))) view.dispatch(insert());
  return true;
}

function make(field, cm) {
  const { EditorView, EditorState } = cm;
  look ??= [EditorView.theme(THEME), cm.syntaxHighlighting(cm.HighlightStyle.define(colours(cm.tags)))];
  const fromField = cm.Annotation.define();
  let writing = false;
  let waiting = 0;
  const write = () => {
    clearTimeout(waiting);
    waiting = 0;
    field.value = view.state.doc.toString();
    writing = true;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    writing = false;
  };
  const toField = (update) => {
    if (!update.docChanged || update.transactions.some((each) => each.annotation(fromField))) return;
    if (update.state.doc.length < LONG) return write();
    clearTimeout(waiting);
    waiting = setTimeout(write, QUIET_MS);
  };
  const panel = makePanel(field.form);
  const help = fieldHelp(cm, field.dataset.fields, panel, (marks) => hint(marks));
  const view = new EditorView({
    doc: field.value,
    selection: { anchor: field.selectionStart, head: field.selectionEnd },
    extensions: [
      cm.lineNumbers(),
      cm.lintGutter(),
      cm.highlightActiveLine(),
      cm.highlightActiveLineGutter(),
      cm.highlightSpecialChars(),
      cm.history(),
      cm.yaml(),
      cm.bracketMatching(),
      cm.closeBrackets(),
      cm.indentOnInput(),
      cm.indentUnit.of("  "),
      EditorState.tabSize.of(4),
      cm.search({ top: true }),
      cm.keymap.of([...cm.closeBracketsKeymap, ...cm.defaultKeymap, ...cm.searchKeymap, ...cm.historyKeymap, ...cm.lintKeymap, cm.indentWithTab]),
      EditorView.contentAttributes.of(() => attributes(field)),
      EditorView.updateListener.of(toField),
      help.extensions,
      look,
      EditorView.domEventHandlers({
        beforeinput: (event) => typeOver(event, view, view.state.facet(EditorView.inputHandler)),
        focus: () => view.setTabFocusMode(passing),
        // A form that takes files reads what is dropped (create.js).
        drop: ({ dataTransfer }) => Boolean(field.closest("[data-files]") && dataTransfer?.files.length),
      }),
    ],
  });
  view.dom.addEventListener("focusout", () => waiting && write());
  field.form.addEventListener("formdata", ({ formData }) => formData.set(field.name, view.state.doc.toString()));
  // Escape leaves what is open in the editor, or makes the next Tab leave the editor itself: not the page.
  view.dom.addEventListener("keydown", (event) => event.key === "Escape" && event.stopPropagation());
  field.addEventListener("input", () => {
    const text = field.value;
    if (writing || view.state.doc.toString() === text) return;
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text }, annotations: fromField.of(true) });
  });
  // What the server said of the text (errors), and what the schema says of it now (warnings): each is replaced by itself.
  const put = (severity, diagnostics) => {
    const others = [];
    cm.forEachDiagnostic(view.state, (each, from, to) => each.severity !== severity && others.push({ ...each, from, to }));
    view.dispatch(cm.setDiagnostics(view.state, [...others, ...diagnostics]));
  };
  const mark = (problems) =>
    put(
      "error",
      problems.map(({ line, text }) => ({ ...bounds(view.state, line), severity: "error", message: text })),
    );
  const hint = (marks) =>
    put(
      "warning",
      marks.map(({ line, from, to, text, fix }) => {
        const start = view.state.doc.line(line).from;
        const apply = (_, at, end) => view.dispatch({ changes: { from: at, to: end, insert: fix }, userEvent: "input.complete" });
        return { from: start + from, to: start + to, severity: "warning", message: text, actions: fix ? [{ name: `Use ${fix}`, apply }] : [] };
      }),
    );
  help.start(view);
  const watcher = new MutationObserver(() => view.dispatch({}));
  watcher.observe(field, { attributeFilter: ["aria-invalid", "aria-describedby"] });
  const select = (anchor, head) => {
    view.dispatch({ selection: { anchor, head }, effects: EditorView.scrollIntoView(anchor, { y: "center" }) });
    view.focus();
  };
  return { view, field, watcher, mark, focus: () => view.focus(), select };
}

function showProblems() {
  const said = document.querySelector("#preview [data-marks]");
  editor?.mark(said ? JSON.parse(said.dataset.marks).filter(({ line }) => line) : []);
}

async function start() {
  if (editor && !editor.field.isConnected) {
    editor.watcher.disconnect();
    editor.view.destroy();
    editor = null;
  }
  const field = document.querySelector("textarea[data-editor]");
  if (!field || editor) return;
  library ??= arrived(() => import(field.dataset.editor));
  const cm = await library;
  if (!field.isConnected || editor) return;
  cm.StyleModule.mount = adoptSheets;
  const focused = document.activeElement === field;
  editor = field.editor = make(field, cm);
  field.after(editor.view.dom);
  field.classList.add("vh");
  field.tabIndex = -1;
  field.required = false; // the browser would point at what nobody sees; the server says the same in its place
  field.setAttribute("aria-hidden", "true");
  const label = document.getElementById("yaml-label");
  label.removeAttribute("for");
  label.addEventListener("click", () => editor.focus());
  document.getElementById("yaml-keys").hidden = false;
  showProblems();
  if (focused) editor.focus();
}

export function startYamlText() {
  start();
  document.addEventListener("page:shown", start);
  document.addEventListener("keydown", onKey, { capture: true });
  document.addEventListener("pointerdown", onPointer, { capture: true });
  document.addEventListener("htmx:afterSettle", ({ detail: { target } }) => target.id === "preview" && showProblems());
}
