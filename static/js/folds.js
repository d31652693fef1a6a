// Which sections at the side are unfolded, kept in this browser.
const kept = () => JSON.parse(localStorage.getItem("folds") ?? "[]");

export function startFolds() {
  for (const fold of document.querySelectorAll("[data-fold]")) {
    const { fold: name } = fold.dataset;
    if (kept().includes(name)) fold.open = true;
    fold.addEventListener("toggle", () => {
      const others = kept().filter((each) => each !== name);
      localStorage.setItem("folds", JSON.stringify(fold.open ? [...others, name] : others));
    });
  }
}
