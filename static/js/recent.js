// The objects that were looked at last, by their names only, in this browser; forgotten when somebody signs out, or
// another one is signed in.
const KEPT = 8;
const BEGIN = "recent:";
const key = () => BEGIN + (document.getElementById("palette")?.dataset.cluster ?? "");

// The object that the page is about.
export function pageObject() {
  const head = document.querySelector("#page .head[data-url]");
  return head ? { ...head.dataset } : null;
}

export function recent() {
  try {
    const kept = JSON.parse(localStorage.getItem(key()));
    return Array.isArray(kept) ? kept.filter(({ url, name }) => typeof name === "string" && typeof url === "string" && url.startsWith("/c/")) : [];
  } catch {
    return [];
  }
}

function remember() {
  const object = pageObject();
  if (!object) return;
  const { url, kind, name, namespace } = object;
  const others = recent().filter((each) => each.url !== url);
  localStorage.setItem(key(), JSON.stringify([{ url, kind, name, namespace }, ...others].slice(0, KEPT)));
}

function forget() {
  for (const each of Object.keys(localStorage)) if (each.startsWith(BEGIN) || each === "looked") localStorage.removeItem(each);
}

export function startRecent() {
  const { person } = document.getElementById("palette").dataset;
  if (localStorage.getItem("person") !== person) forget();
  localStorage.setItem("person", person);
  remember();
  document.addEventListener("page:shown", remember);
  document.addEventListener("submit", ({ target }) => {
    if (target.matches(".person form")) forget();
  });
}
