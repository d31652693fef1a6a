// Which columns a list shows, kept in this browser per kind. Rules in a sheet of our own, not classes on cells:
// they hold for rows that come later too. (A constructed sheet is no inline style to the CSP.)
const sheet = new CSSStyleSheet();
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

const kept = (kind) => JSON.parse(localStorage.getItem(`columns:${kind}`) ?? "{}");

function apply(kind, choice) {
  const rule = ([key, shown]) => `.table-box .tb[data-kind="${CSS.escape(kind)}"] [data-col="${CSS.escape(key)}"] { display: ${shown ? "table-cell" : "none"}; }`;
  sheet.replaceSync(Object.entries(choice).map(rule).join("\n"));
}

function show() {
  const table = document.querySelector(".table-box table[data-kind]");
  const menu = document.querySelector("[data-columns]");
  if (!table || !menu) return;
  const { kind } = table.dataset;
  const choice = kept(kind);
  apply(kind, choice);
  if (menu.childElementCount) return;
  for (const head of table.tHead.rows[0].cells) {
    if (head.dataset.col === "name") continue;
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = getComputedStyle(head).display !== "none";
    box.addEventListener("change", () => {
      const chosen = { ...kept(kind), [head.dataset.col]: box.checked };
      localStorage.setItem(`columns:${kind}`, JSON.stringify(chosen));
      apply(kind, chosen);
    });
    label.append(box, (head.querySelector("a") ?? head).textContent.trim());
    menu.append(label);
  }
}

export function startColumns() {
  show();
  document.addEventListener("page:shown", show);
}
