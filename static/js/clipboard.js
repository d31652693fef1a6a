// Copying: a button's own text, or that of a part of the page, which may hold only a part of the whole.
import { note, say } from "./notes.js";

// Whether it is there now.
export async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS there is no clipboard API.
    const area = document.createElement("textarea");
    area.value = text;
    area.classList.add("vh");
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

async function textOf(part) {
  if (!part.dataset.whole) return [...part.querySelectorAll("td:last-child")].map((cell) => cell.textContent).join("\n") + "\n";
  const answer = await fetch(part.dataset.whole);
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  return answer.text();
}

async function copy(button) {
  const part = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
  try {
    await toClipboard(part ? await textOf(part) : button.dataset.copy);
  } catch (error) {
    return note({ title: "Not copied", text: `All of it could not be read: ${error.message}.` });
  }
  say("Copied.");
  const use = button.querySelector("use");
  use.setAttribute("href", "#i-done");
  setTimeout(() => use.setAttribute("href", "#i-copy"), 1500);
}

export function startClipboard() {
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-copy], [data-copy-from]");
    if (button) copy(button);
  });
}
