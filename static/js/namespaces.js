// The picker of namespaces: boxes for several, a search for one among many; Enter shows the first one found alone.
const fields = (form) => [...form.querySelectorAll('[name="namespace"]')];
const search = (form) => form.querySelector('[type="search"]');
const typedIn = (form) => search(form).value.trim().toLowerCase();

function narrow(form) {
  const text = typedIn(form);
  let found = 0;
  for (const field of fields(form)) {
    const fits = field.value.includes(text);
    field.closest("label").hidden = !fits;
    found += fits;
  }
  const none = form.querySelector("[data-none]");
  none.hidden = found > 0 || !text;
  none.textContent = none.hidden ? "" : `No namespace matches “${text}”.`;
}

// A name that begins so is meant before one that has it in the middle. Where not all are listed, the name itself will do.
function wanted(form) {
  const text = typedIn(form);
  const names = fields(form).map(({ value }) => value);
  const listed = names.find((name) => name === text) ?? names.find((name) => name.startsWith(text)) ?? names.find((name) => name.includes(text));
  return form.querySelector("[data-more]") && listed !== text ? text : listed;
}

function choose(form) {
  if (!typedIn(form)) return form.requestSubmit();
  const name = wanted(form);
  if (!name) return;
  for (const field of fields(form)) field.checked = field.value === name;
  if (!fields(form).some(({ checked }) => checked)) {
    const field = Object.assign(document.createElement("input"), { type: "hidden", name: "namespace", value: name });
    form.append(field);
  }
  form.requestSubmit();
}

function step(form, by) {
  const stops = [search(form), ...fields(form).filter((field) => !field.closest("label").hidden)];
  stops[stops.indexOf(document.activeElement) + by]?.focus();
}

function onKey(event) {
  const form = event.target.closest("[data-namespaces]");
  if (!form) return;
  if (event.key === "Enter" && event.target === search(form)) choose(form);
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") step(form, event.key === "ArrowDown" ? 1 : -1);
  else return;
  event.preventDefault();
}

// "All" is what is shown while no box is ticked.
function onChange({ target }) {
  const form = target.closest("[data-namespaces]");
  if (!form || target.type !== "checkbox") return;
  const all = form.querySelector("[data-all]");
  if (target === all && all.checked) for (const field of fields(form)) field.checked = false;
  all.checked = !fields(form).some(({ checked }) => checked);
}

// Where no keyboard would rise over the list, typing can begin at once.
function opened({ target }) {
  const form = target?.id === "namespaces" && target.open && target.querySelector("[data-namespaces]");
  if (form && matchMedia("(pointer: fine)").matches) search(form).focus();
}

export function startNamespaces() {
  document.addEventListener("input", ({ target }) => {
    const form = target.closest("[data-namespaces]");
    if (form && target === search(form)) narrow(form);
  });
  document.addEventListener("keydown", onKey);
  document.addEventListener("change", onChange);
  // The filter of the list is kept: as it stands in its own fields, not as the page was loaded.
  document.addEventListener("formdata", ({ target, formData }) => {
    if (!target.matches("[data-namespaces]")) return;
    for (const { name, value } of document.querySelectorAll("#filter :is(input, select)[name]:not([type=hidden])")) if (value) formData.set(name, value);
  });
  document.addEventListener("toggle", opened, { capture: true });
  opened({ target: document.getElementById("namespaces") });
  // One that came meanwhile is shown only if it fits.
  document.addEventListener("page:moved", () => {
    const form = document.querySelector("#namespaces[open] [data-namespaces]");
    if (form) narrow(form);
  });
}
