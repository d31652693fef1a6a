// Drop-down menus (<details class="pick">): a click elsewhere closes them, and so does Escape (keys.js).
const opened = () => document.querySelectorAll("details.pick[open]");

export function closeMenus(except = null) {
  for (const menu of opened()) if (menu !== except) menu.open = false;
}

// Back to what opened the menu; false when none was open.
export function leaveMenu() {
  const [menu] = opened();
  if (!menu) return false;
  menu.open = false;
  menu.querySelector("summary").focus();
  return true;
}

export function startMenus() {
  document.addEventListener("click", ({ target }) => closeMenus(target.closest("details.pick")));
}
