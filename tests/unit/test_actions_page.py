"""docs/actions.md has a row for every action of the registry, with its kinds and rights as they are declared."""

from __future__ import annotations

from pathlib import Path

from dashboard.actions.action import Action
from dashboard.actions.registry import ACTIONS, action_named
from dashboard.actions.rights import needed
from dashboard.kinds import KINDS
from tests.cluster.test_every_action import ELSEWHERE, TRIED

PAGE = Path(__file__).parent.parent.parent / "docs" / "actions.md"
MANY = 12  # kinds that are named one by one
# The rights of those that no object's page offers: by the texts, archives and operations that they come from.
NEEDS = {
    "create": "`get`, `patch`, `create`, `delete` what the text holds",
    "create-all": "`get`, `patch`, `create`, `delete` what the text holds",
    "backup": "`list` what it holds",
    "velero-restore": "`get` backups, `get` and `create` restores (velero.io)",
    "restore": "`get`, `create`, `patch` what the backup holds",
    "drill": "`create` and `delete` namespaces, `create` resourcequotas, and what the backup holds",
}


def kinds_of(action: Action) -> str:
    fitting = [kind for kind in KINDS.values() if action.fits(kind)]
    if len(fitting) > MANY:
        others = [kind.title for kind in KINDS.values() if not action.fits(kind)]
        return f"every kind but {', '.join(others)}" if others else "every kind"
    named = [kind.title for kind in fitting] or [KINDS[plural].title for plural in sorted(action.kinds)]
    more = ", custom kinds with a scale subresource" if action.capability == "scales" else ""
    return (", ".join(named) or "–") + more


def rights_of(action: Action) -> str:
    if action.name in NEEDS:
        return NEEDS[action.name]
    kind = next((kind for kind in KINDS.values() if action.fits(kind)), None)
    kind = kind or KINDS[next(iter(sorted(action.kinds)), "pods")]
    own: dict[str, list[str]] = {}
    for right in needed(action, kind):
        what = "it" if right.gvr == kind.gvr else right.gvr.plural
        sub = f" ({right.subresource})" if right.subresource else ""
        own.setdefault(f"{what}{sub}", []).append(f"`{right.verb}`")
    return ", ".join(f"{', '.join(verbs)} {what}" for what, verbs in own.items())


def tried_as(action: Action) -> str:
    cases = [case for case, (plural, *_) in TRIED.items() if action_named(case.split()[0], plural) is action]
    modules = {
        test.partition(".")[0] for test in ELSEWHERE.get(action.name, {}).values() if test.startswith("test_")
    }
    return ", ".join(f"`{each}`" for each in cases or sorted(modules))


def rows() -> list[list[str]]:
    text = PAGE.read_text().partition("<!-- actions -->")[2].partition("<!-- /actions -->")[0]
    lines = text.strip().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_action_has_its_row_with_what_it_declares() -> None:
    expected = [
        (f"**{each.title}** `{each.name}`", kinds_of(each), rights_of(each), tried_as(each))
        for each in ACTIONS
    ]
    assert [(row[0], row[1], row[4], row[5]) for row in rows()] == expected


def test_what_it_does_and_how_it_is_undone_is_said_of_each() -> None:
    for name, _, does, undo, *_ in rows():
        assert len(does) > 20 and len(undo) > 3, name
