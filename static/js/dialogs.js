// Dialogs, and the palette among them, whose script comes later than its dialog.
import { closeMenus } from "./menus.js";

// False when the page has no such dialog, or it is open already.
export function open(id) {
  closeMenus();
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return false;
  dialog.showModal();
  document.dispatchEvent(new Event("ui:opened"));
  return true;
}

// The palette's script comes when the page rests, or is asked for; what is typed meanwhile stands in its field.
let palette = null;
const loadPalette = () =>
  (palette ??= import("./palette.js").then(
    ({ startPalette }) => startPalette(),
    () => (palette = null),
  ));

export function openPalette(begin = "") {
  const dialog = document.querySelector("#palette[data-search]");
  if (!dialog || !open("palette")) return false;
  const field = dialog.querySelector("input");
  field.value = begin;
  // Enter may be quicker than the script: it is pressed again then.
  const early = (event) => event.key === "Enter" && (early.pressed = true);
  field.addEventListener("keydown", early);
  loadPalette().then(() => {
    field.removeEventListener("keydown", early);
    if (!dialog.open) return;
    dialog.dispatchEvent(new Event("shown"));
    if (early.pressed) field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", cancelable: true }));
  });
  return true;
}

function onClick(event) {
  const { target } = event;
  const opener = target.closest("[data-open]");
  if (opener && !(opener.href && (event.ctrlKey || event.metaKey || event.shiftKey))) {
    event.preventDefault(); // without scripts it may be a link
    if (opener.dataset.open === "palette") openPalette();
    else open(opener.dataset.open);
  }
  if (target instanceof HTMLDialogElement) target.close(); // the backdrop
}

export function startDialogs() {
  document.addEventListener("click", onClick);
  (window.requestIdleCallback ?? setTimeout)(loadPalette);
}
