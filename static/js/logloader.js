// The script for logs comes only where logs are; what the server says meanwhile waits for it, in order.
import { arrived } from "./scripts.js";

let loaded = null;
let logs = null;

function load() {
  loaded ??= arrived(() => import("./logs.js")).then((module) => {
    module.startLogs();
    logs = module;
  });
  return loaded;
}

export function receiveLines(message) {
  if (document.querySelector("[data-log]")) load().then(() => logs.receive(message));
}

// See logs.js; nothing while there are no lines.
export const position = () => logs?.position();

function mount() {
  if (!document.querySelector("[data-log]") && !logs) return;
  load().then(() => logs.mount());
}

export function startLogLoader() {
  mount();
  document.addEventListener("page:shown", mount);
}
