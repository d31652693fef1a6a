// The map's script comes only where a map is.
const show = () => document.querySelector("[data-map]") && import("./map.js").then((map) => map.show());

export function startMap() {
  show();
  document.addEventListener("page:shown", show);
}
