"""A Service that is there: its type, selector and ports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.actions.action import DryRun, Manifest
from dashboard.actions.newobjects.form import Checks, Look
from dashboard.actions.newobjects.services import NEW_SERVICE, port_names
from dashboard.insight import Impact
from dashboard.insight.rerouting import service_impact

from .editing import WAS, Editing, Edits, Row, Texts, check_twice, label_texts, row_texts


class EditService(Editing):
    form = NEW_SERVICE
    names = ("type", "selector", "ports")
    reads = frozenset({"ingresses", "endpointslices"})

    def refusal(self, manifest: Manifest) -> str:
        spec = manifest.get("spec") or {}
        if spec.get("type") != "ExternalName":
            return ""
        return f"It is of type ExternalName: another name for {spec.get('externalName')}, without pods and ports."

    def shown(self, manifest: Manifest) -> Texts:
        spec = manifest.get("spec") or {}
        rows = [_shown(entry) | {WAS.name: str(at)} for at, entry in enumerate(spec.get("ports") or ())]
        head = {"type": [spec.get("type") or "ClusterIP"]}
        return head | label_texts("selector", spec.get("selector")) | row_texts("ports", rows)

    def put(self, made: Manifest, edits: Edits) -> None:
        spec = made.setdefault("spec", {})
        if "type" in edits.changed:
            spec["type"] = edits["type"]
        if "selector" in edits.changed:
            spec["selector"] = edits.labels("selector", spec.get("selector"))
        if "ports" in edits.changed:
            spec["ports"] = edits.entries("ports", spec.get("ports") or (), _put)
            for entry, name in zip(spec["ports"], port_names(spec["ports"]), strict=True):
                entry |= {"name": name} if name else {}

    async def check(self, edits: Edits, look: Look, checks: Checks) -> None:
        check_twice(checks, look.values["selector"], "key", "label")
        await super().check(edits, look, checks)

    def impact(self, dry: DryRun) -> Impact:
        return service_impact(dry.objects, dry.obj, dry.made)


def _shown(entry: Mapping[str, Any]) -> dict[str, str]:
    return {
        "port": str(entry.get("port", "")),
        "target": str(entry.get("targetPort", "")),
        "protocol": entry.get("protocol") or "TCP",
        "name": entry.get("name") or "",
    }


def _put(entry: Manifest, row: Row) -> None:
    """A port of a Service; what else it has, such as its node port, stays."""
    for column, key in (
        ("name", "name"),
        ("port", "port"),
        ("protocol", "protocol"),
        ("target", "targetPort"),
    ):
        if column not in row.changed:
            continue
        value = row[column]
        if column == "target" and value is None:
            value = row["port"]
        if value is None:
            entry.pop(key, None)
        else:
            entry[key] = value


EDIT_SERVICE = EditService()
