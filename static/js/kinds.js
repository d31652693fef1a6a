// The kinds at the side that have no place of their own: which groups are unfolded is kept in this browser, and only
// those are counted. The numbers come with the frames.
const EVERY_MS = 30_000;

const key = (fold) => `fold:${fold.dataset.fold}`;

function count(fold) {
  const url = new URL(fold.dataset.counts, location.href);
  for (const name of new URLSearchParams(location.search).getAll("namespace")) url.searchParams.append("namespace", name);
  fetch(url).catch(() => {}); // the badge tells that the dashboard is away
}

const countOpen = () => document.hidden || document.querySelectorAll("#nav-others details[open]").forEach(count);

// Where we are, in the menu; its group is open.
export function markKinds() {
  const { nav } = document.getElementById("page")?.dataset ?? {};
  for (const link of document.querySelectorAll("#kinds a[data-nav]")) {
    if (link.dataset.nav === nav) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function show() {
  markKinds();
  for (const fold of document.querySelectorAll("#nav-others details"))
    if (localStorage.getItem(key(fold)) || fold.querySelector("[aria-current]")) fold.open = true;
}

export function startKinds() {
  document.addEventListener(
    "toggle",
    ({ target }) => {
      if (!target.dataset?.fold) return;
      if (target.open) localStorage.setItem(key(target), "open");
      else localStorage.removeItem(key(target));
      if (target.open) count(target);
    },
    true,
  );
  document.addEventListener("page:shown", show);
  // A kind may have come; what the server renders says nothing of where we are.
  document.addEventListener("page:moved", markKinds);
  setInterval(countOpen, EVERY_MS);
  show();
}
