// The kinds at the side: where we are, and which groups are unfolded, kept in this browser. Kinds that have no place of
// their own are counted only while their group is unfolded; the numbers come with the frames.
const EVERY_MS = 30_000;
const KEPT = "folds";

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? [];
  } catch {
    return [];
  }
}

function keep({ open, dataset: { fold } }) {
  const others = kept().filter((each) => each !== fold);
  try {
    localStorage.setItem(KEPT, JSON.stringify(open ? [...others, fold] : others));
  } catch {
    // A browser that keeps nothing folds all of them again.
  }
}

function count(fold) {
  const url = new URL(fold.dataset.counts, location.href);
  for (const name of new URLSearchParams(location.search).getAll("namespace")) url.searchParams.append("namespace", name);
  fetch(url).catch(() => {}); // the badge tells that the dashboard is away
}

const countOpen = () => document.hidden || document.querySelectorAll("#kinds [data-counts][open]").forEach(count);

// Where we are, in the menu.
export function markKinds() {
  const { nav } = document.getElementById("page")?.dataset ?? {};
  for (const link of document.querySelectorAll("#kinds a[data-nav]")) {
    if (link.dataset.nav === nav) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

const opened = new WeakSet(); // by us: not remembered

// The group of where we are is open, and those that were left open.
function show() {
  markKinds();
  const unfolded = kept();
  for (const fold of document.querySelectorAll("#kinds [data-fold]"))
    if (!fold.open && (unfolded.includes(fold.dataset.fold) || fold.querySelector("[aria-current]"))) {
      opened.add(fold);
      fold.open = true;
    }
}

export function startKinds() {
  document.addEventListener(
    "toggle",
    ({ target }) => {
      if (!target.dataset?.fold) return;
      if (!opened.delete(target)) keep(target);
      if (target.open && target.dataset.counts) count(target);
    },
    true,
  );
  document.addEventListener("page:shown", show);
  // A kind may have come; what the server renders says nothing of where we are.
  document.addEventListener("page:moved", markKinds);
  setInterval(countOpen, EVERY_MS);
  show();
}
