// Blocking and tiny: what a person does before the scripts are there is done again once they are. Where they do not come,
// forms are sent as forms are.
{
  const MOST_MS = 10_000;
  const kept = [];
  const keep = (event) => {
    const button = event.target.closest("button");
    if (event.type !== "click") kept.push([event.target, event.type]);
    if (event.type !== "click" || !button) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    kept.push([button, "click"]);
  };
  const begin = () => {
    for (const type of TYPES) document.removeEventListener(type, keep, { capture: true });
    for (const [target, type] of kept.splice(0)) {
      if (!target.isConnected) continue;
      if (type === "click") target.click();
      else target.dispatchEvent(new Event(type, { bubbles: true }));
    }
  };
  const TYPES = ["click", "input", "change"];
  for (const type of TYPES) document.addEventListener(type, keep, { capture: true });
  // It comes after all scripts that the page names, or their failure; htmx starts at it too.
  document.addEventListener("DOMContentLoaded", () => setTimeout(begin), { once: true });
  setTimeout(begin, MOST_MS);
}
