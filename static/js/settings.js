// The settings of this browser, in their dialog; what has them reads them where it needs them.
export function startSettings() {
  const dialog = document.getElementById("settings");
  const chosen = { theme: localStorage.getItem("theme") ?? "auto", zone: localStorage.getItem("zone") ?? "local" };
  for (const [name, value] of Object.entries(chosen)) {
    const field = dialog.querySelector(`[name="${name}"][value="${value}"]`);
    if (field) field.checked = true;
  }
  dialog.querySelector('[name="keys"]').checked = localStorage.getItem("keys") !== "off";
  const zone = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(new Date()).find(({ type }) => type === "timeZoneName");
  dialog.querySelector("[data-zone-name]").textContent = zone ? ` (${zone.value})` : "";
  dialog.addEventListener("change", ({ target }) => {
    if (target.name === "keys") localStorage.setItem("keys", target.checked ? "on" : "off");
    else localStorage.setItem(target.name, target.value);
    if (target.name === "theme") {
      if (target.value === "auto") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = target.value;
      document.dispatchEvent(new Event("ui:theme"));
    }
    if (target.name === "zone") document.dispatchEvent(new Event("ui:zone"));
  });
}
