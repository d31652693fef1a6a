"""An example of a plugin: the kind Backup of a custom API, with its columns in words, a rule, an action and a card.

docs/plugins.md goes through it step by step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

import dashboard.plugins.interface as ui

CLUSTER_UI_INTERFACE = "1.0"
PLURAL = "backups.demo.example.com"


# ---- The kind: what is decoded of an object, its row and the facts of its page


class BackupSpec(ui.Struct, frozen=True):
    source: str = ""
    every_hours: int = 24
    keep: int = 7


class Kept(ui.Struct, frozen=True):
    name: str = ""
    size: str = ""


class BackupStatus(ui.Struct, frozen=True):
    last_success: datetime | None = None
    kept: tuple[Kept, ...] = ()


class Backup(ui.Object, frozen=True):
    spec: BackupSpec = BackupSpec()
    status: BackupStatus = BackupStatus()


def often(hours: int) -> str:
    return {1: "every hour", 24: "every day", 168: "every week"}.get(hours, f"every {hours} hours")


def row(backup: Backup) -> ui.Row:
    meta, spec, status = backup.metadata, backup.spec, backup.status
    last = status.last_success
    cells = (
        ui.Cell(meta.name),
        ui.Cell(spec.source),
        ui.Cell(often(spec.every_hours)),
        ui.Cell(f"the last {spec.keep}" if spec.keep else "nothing"),
        ui.age(last) if last else ui.Cell("never"),
        ui.age(meta.creation_timestamp),
    )
    keys = ui.sort_keys(cells)
    sort = (*keys[:2], spec.every_hours, spec.keep, *keys[4:])
    if spec.keep == 0:
        return ui.make_row(meta, cells, sort, "bad", "keeps nothing")
    return ui.make_row(meta, cells, sort)


def detail(backup: Backup) -> ui.Detail:
    spec = backup.spec
    facts = [ui.Fact("Source", spec.source), ui.Fact("Last success", "", since=backup.status.last_success)]
    return ui.page(backup.metadata, f"A backup of {spec.source}, made {often(spec.every_hours)}", facts)


BACKUPS: ui.CustomKind[Backup] = ui.CustomKind(
    gvr=ui.GVR("demo.example.com", "v1", "backups"),
    kind="Backup",
    title="Backups",
    singular="Backup",
    type=Backup,
    columns=ui.columns(
        ui.col("Name", ui.NAME_HELP),
        ui.col("Source", "What is backed up."),
        ui.col("How often", "How often a backup is made."),
        ui.col("Keeps", "How many backups are kept."),
        ui.col("Last success", "When the last backup was complete."),
        ui.col("Age", ui.AGE_HELP),
    ),
    row=row,
    detail=detail,
    explain="A Backup says what is backed up, how often, and how many backups are kept.",
)


@ui.hook
def cluster_ui_kinds() -> list[ui.CustomKind[Any]]:
    return [BACKUPS]


# ---- A rule: what may be wrong with it, and what to do


def keeps_nothing(survey: ui.Observed, known: ui.Known) -> Iterator[ui.Finding]:
    for backup in survey.all(PLURAL):
        meta = backup.metadata
        if backup.spec.keep:
            continue
        ref = ui.Ref("Backup", meta.namespace, meta.name, PLURAL)
        text = ui.parts(*ui.subject(ref), " keeps nothing: each backup is deleted as soon as it is made.")
        step = ui.Step("Keep at least one.", ref, ui.PluginName("retention"))
        yield ui.Finding(ui.PluginName("backups-keeps-nothing"), "bad", 40, ref, text, step)


@ui.hook
def cluster_ui_rules() -> list[ui.DeclaredRule]:
    return [
        ui.DeclaredRule(
            names=frozenset({"backups-keeps-nothing"}), find=keeps_nothing, reads=frozenset({PLURAL})
        )
    ]


# ---- An action: the field that it asks for, the field that it writes, and what is said of that


class Retention(ui.Action):
    name, title, icon = "retention", "Set retention", "restart"
    kinds = frozenset({PLURAL})
    reads = frozenset()
    fields = (
        ui.Field(name="keep", label="Backups to keep", parse=ui.whole_number("keep", "backups", 100), stepper=True,
              value=lambda backup: str(backup.spec.keep)),
    )  # fmt: skip
    owns = MappingProxyType({"keep": "/spec/keep"})

    def words(self, touched: ui.OwnedFields) -> str:
        return f"keeps {touched['/spec/keep']}"

    def describe(self, dry: ui.DryRun) -> ui.Description:
        keep, kept = dry.wanted["keep"], len(dry.obj.status.kept)
        lost = ui.Notice("bad", f"{kept - keep} backups are deleted", "They can't be brought back.")
        return ui.Description(
            headline=lost if kept > keep else None,
            effects=(),
            notices=(),
            kubectl=dry.target.kubectl("patch", "--type=merge", "-p", f'{{"spec":{{"keep":{keep}}}}}'),
            undo_words="Undo restores the number, not what was deleted meanwhile.",
            button=f"Keep {keep}",
            danger=kept > keep,
        )


@ui.hook
def cluster_ui_actions() -> list[ui.Action]:
    return [Retention()]


# ---- A card: plain facts, and a template that shows them


def kept_facts(backup: Backup, showing: ui.Showing) -> Mapping[str, Any]:
    return {"kept": [{"name": each.name, "size": each.size} for each in backup.status.kept]}


@ui.hook
def cluster_ui_cards() -> list[ui.DeclaredCard]:
    card = ui.DeclaredCard(
        name="kept",
        title="Kept backups",
        kinds=frozenset({PLURAL}),
        template="backups/kept.html",
        facts=kept_facts,
    )
    return [card]
