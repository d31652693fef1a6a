// Explanations: one popover for all of them, by hover, focus or tap; Escape hides it (keys.js).
let shownFor = null;
let later = 0;

function show(owner) {
  const tip = document.getElementById("tip");
  shownFor = owner;
  tip.textContent = owner.dataset.tip;
  tip.showPopover();
  const at = owner.getBoundingClientRect();
  const box = tip.getBoundingClientRect();
  const below = at.bottom + 6 + box.height < innerHeight;
  tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.width - 8))}px`;
  tip.style.top = `${below ? at.bottom + 6 : at.top - box.height - 6}px`;
}

// False when none was shown.
export function hideTip() {
  const tip = document.getElementById("tip");
  const wasShown = shownFor !== null;
  clearTimeout(later);
  shownFor = null;
  if (tip?.matches(":popover-open")) tip.hidePopover();
  return wasShown;
}

export function startTips() {
  document.addEventListener("click", ({ target }) => {
    const owner = target.closest("[data-tip]");
    if (owner) show(owner);
  });
  document.addEventListener("mouseover", ({ target }) => {
    const owner = target.closest("[data-tip]");
    clearTimeout(later);
    if (owner === shownFor || target.closest("#tip")) return;
    later = owner ? setTimeout(show, 250, owner) : setTimeout(hideTip, 150);
  });
  document.addEventListener("focusin", ({ target }) => {
    const owner = target.closest("[data-tip]");
    if (owner?.matches(":focus-visible")) show(owner);
    else if (shownFor) hideTip();
  });
  document.addEventListener("scroll", hideTip, { capture: true, passive: true });
}
