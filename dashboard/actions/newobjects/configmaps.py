"""A ConfigMap: keys and their values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.actions.action import Manifest
from dashboard.errors import BadInput
from dashboard.insight.awaiting import NAMING, awaited_by
from dashboard.kinds.references import reference
from dashboard.kube.shell import holds_control

from .form import NAMESPACE, Checks, Input, Look, NewObject, Section, name_input

_KEY = re.compile(r"[-._a-zA-Z0-9]+")
MAX_BYTES = 1024 * 1024  # of all values: the API server's own limit


def config_key(typed: str) -> str:
    """A key of a ConfigMap or Secret."""
    text = typed.strip()
    if not _KEY.fullmatch(text) or len(text) > 253 or text in (".", "..") or text.startswith(".."):
        raise BadInput("A key has letters, digits, and “-”, “_”, “.”, such as app.properties.")
    return text


def lines_of(typed: str) -> str:
    """Lines end as files have it; a browser sends them otherwise."""
    return typed.replace("\r\n", "\n")


def check_data(look: Look, checks: Checks, kind: str) -> None:
    """Each key is there once, and the values are not too large together, in an object of this kind."""
    seen: set[str] = set()
    for row in look.values["data"]:
        if row["key"] in seen:
            checks.at(row.place, "bad", f"The key {row['key']} is there twice.")
        if row["key"]:
            seen.add(row["key"])
    size = sum(len((row["value"] or "").encode("utf-8", "replace")) for row in look.values["data"])
    if size > MAX_BYTES:
        checks.at("data", "bad", f"The values have {size:,} bytes together; a {kind} takes {MAX_BYTES:,}.")


IMMUTABLE = Input(
    name="immutable",
    label="Immutable",
    input="box",
    hint="It can then only be deleted and created again; the kubelet need not watch it.",
    at=("immutable",),
)


class NewConfigMap(NewObject):
    plural = "configmaps"
    reads = NAMING
    body_bytes = 4 * 2**20  # values of 1 MiB, in which every byte may take three
    sections = (
        Section(title="ConfigMap", inputs=(name_input(), NAMESPACE)),
        Section(
            title="Data",
            note="no passwords: those belong in a Secret",
            inputs=(
                Input(
                    name="data",
                    label="Data",
                    input="rows",
                    add="Key",
                    at=("data",),
                    columns=(
                        Input(name="key", label="Key", parse=config_key, required=True),
                        Input(name="value", label="Value", input="lines", parse=lines_of),
                    ),
                ),
            ),
        ),
        Section(
            title="More",
            folded=True,
            inputs=(IMMUTABLE,),
        ),
    )

    def spec(self, values: Mapping[str, Any]) -> Manifest:
        data = {row["key"]: row["value"] or "" for row in values["data"] if row["key"]}
        return {"data": data} | ({"immutable": True} if values["immutable"] else {})

    async def check(self, look: Look, checks: Checks) -> None:
        check_data(look, checks, "ConfigMap")
        if look.values["name"] and look.namespace:
            checks.effects += awaited_by(
                look.objects, reference("ConfigMap", look.namespace, look.values["name"])
            )

    def command(self, values: Mapping[str, Any]) -> Sequence[str]:
        rows = [row for row in values["data"] if row["key"]]
        if values["immutable"] or any(holds_control(row["value"] or "") for row in rows):
            return ()
        where = ("-n", values["namespace"])
        literals = (f"--from-literal={row['key']}={row['value'] or ''}" for row in rows)
        return ("kubectl", "create", "configmap", values["name"], *where, *literals)


NEW_CONFIGMAP = NewConfigMap()
