// Terminals in containers. Each has a websocket of its own and lives as long as the document: going to another page here ends
// none, and the shell page of any pod shows all of them again. What is typed and printed stays in memory.
import { FitAddon } from "../vendor/xterm-fit/addon-fit.mjs";
import { Terminal } from "../vendor/xterm/xterm.mjs";
import { toClipboard } from "./clipboard.js";
import { say } from "./notes.js";
import { closeFind, openFind, startFind } from "./shellfind.js";

const PASTE_BYTES = 262_144;
const PIECE_BYTES = 32_768; // of input in one message
const DRAWN_BYTES = 32_768; // after so many the server is told that they are drawn: it sends no more than it knows of
const SCROLLBACK = 5000;
const COLOURS = {
  foreground: "ink", background: "surface", cursor: "ink", cursorAccent: "surface", selectionBackground: "accent-ln",
  black: "control", red: "bad", green: "add", yellow: "warn", blue: "accent", magenta: "prod", cyan: "src-4", white: "ink-2",
  brightBlack: "ink-3", brightRed: "bad", brightGreen: "add", brightYellow: "warn", brightBlue: "accent", brightMagenta: "prod",
  brightCyan: "src-4", brightWhite: "ink",
};

const $ = (part) => document.querySelector(`[data-shell-${part}]`);
const place = () => document.querySelector("[data-shell]");
const sessions = [];
let current = null; // the session on screen; null: the form for a new one
let refusal = null; // why the last one could not start
let reading = false; // for a screen reader
let opening = null; // the address of the shell that a click on another page asked for

// The content security policy takes no style but from files and scripts. What the library writes as <style> becomes an adopted
// style sheet, and what it writes as an attribute goes through the element's own style.
const stylable = new Proxy(document, {
  get(real, name) {
    if (name === "createElement") return create;
    const value = real[name];
    return typeof value === "function" ? value.bind(real) : value;
  },
  set: (real, name, value) => Reflect.set(real, name, value),
});

function create(tag) {
  if (tag === "style") return sheet();
  const element = Document.prototype.createElement.call(document, tag);
  element.setAttribute = function (name, value) {
    if (name === "style") this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };
  return element;
}

function sheet() {
  const rules = new CSSStyleSheet();
  const stand = Document.prototype.createElement.call(document, "span");
  stand.hidden = true;
  document.adoptedStyleSheets.push(rules);
  Object.defineProperty(stand, "textContent", { set: (css) => rules.replaceSync(css) });
  stand.remove = function () {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((each) => each !== rules);
    Element.prototype.remove.call(this);
  };
  return stand;
}

function theme() {
  const probe = document.body.appendChild(document.createElement("i"));
  const resolved = (token) => {
    probe.style.color = `var(--${token})`;
    return getComputedStyle(probe).color;
  };
  const colours = Object.fromEntries(Object.entries(COLOURS).map(([name, token]) => [name, resolved(token)]));
  probe.remove();
  return colours;
}

class Session {
  constructor(asked) {
    this.asked = asked; // {socket, pod, container, confirm, reason}
    this.state = "connecting";
    this.told = "";
    this.noted = false; // what is told is about the last input
    this.fresh = false; // it printed while another one was on screen
    this.drawn = 0;
    this.screen = document.createElement("div");
    this.screen.className = "shell-screen";
    this.term = new Terminal({
      documentOverride: stylable,
      theme: theme(),
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
      fontSize: 13,
      lineHeight: 1.2,
      scrollback: SCROLLBACK,
      minimumContrastRatio: 4.5,
      screenReaderMode: reading,
    });
    this.fit = new FitAddon();
    this.term.loadAddon(this.fit);
    this.term.attachCustomKeyEventHandler((event) => this.key(event));
    this.term.onData((text) => this.type(new TextEncoder().encode(withControl(text))));
    this.term.onBinary((text) => this.type(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));
    this.term.onResize(({ cols, rows }) => {
      this.send({ t: "size", columns: cols, rows });
      show();
    });
  }

  // On screen for the first time: only then does it know its size.
  open() {
    // Some parts are made with the global document, whatever is given: while it opens, and all rows.
    document.createElement = create;
    try {
      this.term.open(this.screen);
    } finally {
      delete document.createElement;
    }
    this.term._core._renderService._renderer.value._rowFactory._document = stylable;
    this.term.textarea.setAttribute("aria-label", `${this.name}, terminal. Ctrl Shift E leaves it.`);
    this.fit.fit();
    this.connect();
  }

  connect() {
    const url = new URL(this.asked.socket, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    const { container, confirm, reason } = this.asked;
    this.socket.onopen = () => this.send({ t: "start", container, confirm, reason, columns: this.term.cols, rows: this.term.rows });
    this.socket.onmessage = ({ data }) => (typeof data === "string" ? this.hear(JSON.parse(data)) : this.print(new Uint8Array(data)));
    this.socket.onclose = () => this.end("the connection to the dashboard was lost", "What ran in it has ended too. Start again once the dashboard answers.");
  }

  get name() {
    return `Container ${this.asked.container} of ${this.asked.pod}`;
  }

  get over() {
    return this.state === "ended";
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(typeof message.t === "string" ? JSON.stringify(message) : message);
  }

  type(bytes) {
    if (this.over) return;
    if (bytes.length > PASTE_BYTES) return this.note(`Nothing was pasted: it has more than ${PASTE_BYTES / 1024} KiB. Bring large files in another way.`);
    if (this.noted) this.say("");
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) this.send(bytes.subarray(at, at + PIECE_BYTES));
  }

  key(event) {
    if (event.type !== "keydown" || !event.ctrlKey || !event.shiftKey) return true;
    const act = { e: () => $("end")?.focus(), f: () => openFind(this.term), c: () => this.copy() }[event.key.toLowerCase()];
    if (!act) return true; // Ctrl Shift V pastes by itself
    event.preventDefault();
    event.stopPropagation();
    act();
    return false;
  }

  async copy() {
    if (!this.term.hasSelection()) return say("Nothing is selected.");
    const done = await toClipboard(this.term.getSelection());
    this.term.focus();
    say(done ? "Copied." : "This browser gives the page no access to the clipboard: copy it with the mouse.");
  }

  print(bytes) {
    this.term.write(bytes, () => {
      this.drawn += bytes.length;
      if (this.drawn < DRAWN_BYTES) return;
      this.send({ t: "drawn", bytes: this.drawn });
      this.drawn = 0;
    });
    if (this === current || this.fresh) return;
    this.fresh = true;
    showTabs();
  }

  hear(message) {
    if (message.t === "started") {
      this.state = "open";
      this.told = "";
    } else if (message.t === "waiting") return this.say(message.text);
    else if (message.t === "full") return this.note("The program reads no input now: the last of it was not sent.");
    else if (message.t === "ended") return this.end(message.text, message.next);
    else if (message.t === "bye") return this.end(message.why === "signed-out" ? "you are signed out" : message.why === "gone" ? "this context was removed from the configuration" : message.why);
    else if (message.t === "refused") return this.refused(message);
    show();
  }

  refused({ title, text, next, field }) {
    this.end(text);
    drop(this);
    refusal = { words: `${title}: ${text} ${next}`.trim(), field, asked: this.asked };
    show();
  }

  say(text) {
    this.told = text;
    this.noted = false;
    show();
  }

  // Until something is typed.
  note(text) {
    this.say(text);
    this.noted = true;
  }

  end(text, next = "") {
    if (this.over) return;
    this.state = "ended";
    this.told = `Session ended: ${text}. ${next}`.trim();
    this.term.options.disableStdin = true;
    this.term.options.cursorBlink = false;
    const focused = this.screen.contains(document.activeElement);
    show();
    if (focused) $("again")?.focus();
  }
}

function drop(session) {
  sessions.splice(sessions.indexOf(session), 1);
  if (current === session) current = null;
  session.socket?.close();
  session.screen.remove();
  session.term.dispose();
}

function start(asked) {
  refusal = null;
  const session = new Session(asked);
  sessions.push(session);
  choose(session);
  session.open();
  session.term.focus();
}

function choose(session) {
  closeFind();
  current = session;
  show();
  session?.term.focus();
}

// ---- The page around them

const icon = (name) => `<svg class="i" aria-hidden="true"><use href="#i-${name}"/></svg>`;

function showTabs() {
  const tabs = $("tabs");
  if (!tabs) return;
  tabs.hidden = !sessions.length;
  tabs.replaceChildren(
    ...sessions.map((session) => {
      const tab = document.createElement("button");
      tab.type = "button";
      tab.setAttribute("aria-pressed", session === current);
      tab.onclick = () => choose(session);
      const name = document.createElement("b");
      name.textContent = session.asked.container;
      const pod = document.createElement("span");
      pod.textContent = session.asked.pod;
      const word = document.createElement("span");
      word.className = "word";
      word.textContent = session.over ? "ended" : session.fresh ? "new output" : "";
      tab.append(name, pod, word);
      return tab;
    }),
    ...(sessions.length ? [another()] : []),
  );
}

function another() {
  const plus = document.createElement("button");
  plus.type = "button";
  plus.innerHTML = `${icon("plus")}New shell`;
  plus.setAttribute("aria-pressed", !current);
  plus.onclick = () => {
    choose(null);
    $("start")?.focus();
  };
  return plus;
}

function show() {
  if (!place()) return;
  const box = $("box");
  if (current) current.fresh = false;
  showTabs();
  $("form").hidden = Boolean(current);
  $("state").hidden = box.hidden = !current;
  $("keys").hidden = !current || current.over;
  if (current && current.screen.parentElement !== box) box.replaceChildren(current.screen);
  const told = $("told");
  const words = current ? current.told : (refusal?.words ?? "");
  told.hidden = !words;
  told.classList.toggle("error", !current && Boolean(words));
  if (told.textContent !== words) told.textContent = words;
  const confirm = $("form").elements.confirm;
  if (confirm) confirm.toggleAttribute("aria-invalid", !current && refusal?.field === "confirm");
  if (!current) return;
  $("size").textContent = current.state === "connecting" ? "Connecting" : `${current.name}, ${current.term.cols} × ${current.term.rows}`;
  $("end").hidden = current.over;
  for (const part of ["again", "close", "debug"]) $(part)?.toggleAttribute("hidden", !current.over);
}

function mount() {
  const asked = opening;
  opening = null;
  if (!place()) return;
  refusal = null;
  const { pod } = place().dataset;
  if (!current || current.asked.pod !== pod) current = sessions.findLast(({ asked }) => asked.pod === pod) ?? null;
  $("read").checked = reading;
  new ResizeObserver(() => current?.screen.isConnected && current.fit.fit()).observe($("box"));
  show();
  // A click asked for it, not an address that somebody may have sent.
  if (asked === location.href && !$("form").elements.confirm) $("start").click();
}

// A key that a phone lacks, as the terminal takes it.
let control = false;
function press(button) {
  const { key } = button.dataset;
  if (key === "Control") control = !control;
  else {
    const codes = { Escape: "\x1b", Tab: "\t", ArrowUp: "\x1b[A", ArrowDown: "\x1b[B", ArrowRight: "\x1b[C", ArrowLeft: "\x1b[D" };
    current?.term.input(codes[key]);
  }
  current?.term.focus();
  showControl();
}

// The letter after Ctrl of that row is a control character.
function withControl(text) {
  if (!control || text.length !== 1) return text;
  control = false;
  showControl();
  return /[@-_a-z]/.test(text) ? String.fromCharCode(text.toUpperCase().charCodeAt(0) & 31) : text;
}

function showControl() {
  document.querySelector('[data-key="Control"]')?.setAttribute("aria-pressed", control);
}

function onClick({ target }) {
  opening = target.closest("[data-shell-open]")?.href ?? null;
  if (!place()) return;
  const button = target.closest("button");
  if (button?.matches("[data-shell-start]")) {
    const { socket, pod } = place().dataset;
    const { container, confirm, reason } = $("form").elements;
    start({ socket, pod, container: container.value, confirm: confirm?.value ?? "", reason: reason.value });
  } else if (button?.matches("[data-shell-end]")) current?.send({ t: "end" });
  else if (button?.matches("[data-shell-again]")) {
    const { asked } = current;
    drop(current);
    start(asked);
  } else if (button?.matches("[data-shell-close]")) {
    drop(current);
    choose(sessions.at(-1) ?? null);
  } else if (button?.matches("[data-shell-find]")) openFind(current.term);
  else if (button?.matches("[data-key]")) press(button);
}

export function startShell() {
  mount();
  startFind();
  document.addEventListener("page:shown", mount);
  document.addEventListener("click", onClick);
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-shell-form]")) return;
    event.preventDefault();
    $("start").click();
  });
  document.addEventListener("change", ({ target }) => {
    if (!target.matches("[data-shell-read]")) return;
    reading = target.checked;
    for (const { term } of sessions) term.options.screenReaderMode = reading;
  });
  document.addEventListener("ui:theme", () => {
    for (const { term } of sessions) term.options.theme = theme();
  });
  addEventListener("beforeunload", (event) => sessions.some(({ over }) => !over) && event.preventDefault());
}
