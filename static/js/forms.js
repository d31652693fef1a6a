// Forms and their fields: what was typed, what a POST needs, steppers, empty fields, invalid ones.
const fieldsOf = (selector) => [...document.querySelectorAll(selector)];

// Whether a form holds something that its reader typed or chose and has not sent. One that another form was taken to
// ("handed") has nothing else to be made of again.
export function typed(fields = "[data-keep] :is(input, textarea, select)") {
  return Boolean(document.querySelector("[data-handed]")) || fieldsOf(fields).some(changed);
}

function changed(field) {
  if (field.type === "hidden") return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.localName === "select") return field.selectedIndex !== Math.max(0, [...field.options].findIndex((each) => each.defaultSelected));
  return field.value !== field.defaultValue;
}

// What a POST needs that no form sends.
export const csrf = () => ({ ...JSON.parse(document.body.getAttribute("hx-headers")), "HX-Request": "true" });

function step(button) {
  const field = button.parentElement.querySelector("input");
  if (button.dataset.step > 0) field.stepUp();
  else field.stepDown();
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

// A state that is about a field of the filter makes that field invalid, and describes it.
function markField() {
  const { field } = document.getElementById("list-state")?.dataset ?? {};
  for (const input of fieldsOf("#filter input:not([type=hidden])")) {
    if (input.name === field) {
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", "list-state");
    } else {
      input.removeAttribute("aria-invalid");
      input.removeAttribute("aria-describedby");
    }
  }
}

export function startForms() {
  document.addEventListener("click", ({ target }) => {
    const stepper = target.closest("[data-step]");
    if (stepper) step(stepper);
  });
  // What is not narrowed by stays out of the address.
  document.addEventListener("formdata", ({ target, formData }) => {
    if (target.matches("[data-narrow]")) for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });
  document.addEventListener("page:shown", markField);
  document.addEventListener("page:moved", markField);
}
