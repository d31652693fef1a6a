"""Editing an object of any kind but a ConfigMap as YAML.

What is wanted are the fields in which the typed text differs from the one that the form was filled with; all others stay
as they are by the time of the write, whoever changed them meanwhile (docs/adr/0046).
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from dashboard.errors import BadInput, ClusterError, Conflict
from dashboard.insight import Effect, Impact, Notice, Workload, restart_impact, scale_impact
from dashboard.insight.autoscaling import SCALED
from dashboard.insight.configmapuse import READ as USED
from dashboard.insight.impact import together
from dashboard.insight.words import bold, parts
from dashboard.insight.written import object_impact
from dashboard.kinds.base import Kind
from dashboard.kinds.deployments import Deployment
from dashboard.kinds.references import group_of
from dashboard.kinds.replicasets import ReplicaSet
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.statefulsets import StatefulSet
from dashboard.kube.hiding import hide_values
from dashboard.models import Change
from dashboard.queries.objects import LAST_APPLIED
from dashboard.queries.yamltext import as_yaml

from .action import (
    TOUCHED,
    VALUES_STAY,
    Action,
    Description,
    DryRun,
    Manifest,
    Order,
    OwnedFields,
    Target,
    Wanted,
    Write,
    pointer,
)
from .backups import METADATA_ONLY, mark
from .changedfields import MISSING, changed_fields, escaped, field_words, merge_between, value_at, with_values
from .configmap_versions import versions_kept
from .fieldwrites import FieldsAction, some, writable, written_fields
from .lost_claims import EMPTY
from .manifesttext import MAX_BYTES, BadField, read_manifest
from .owners import with_owners
from .recreation import new_claim_deletions, scales_claims_away
from .scaling_bounds import CLAIMS, claims_decided, with_autoscaling
from .value_impact import HOLDERS, broken_headline, value_effects
from .variable_notices import variable_notices

KEPT = "<kept>"  # stands for a value of a Secret, and keeps it
HIDDEN = "(hidden)"
_VALUES = ("/data", "/metadata/annotations")  # of a Secret: where values are
_MARKS = "marks"  # in what the form of a Secret was filled with: what stands for the value of each key, by its path


class EditAny(FieldsAction):
    """Writes the changed fields by a PUT of the object as it is, with them. ``wanted``: ``yaml`` (the typed manifest) and
    ``base`` (what the form was filled with, None for the object as it is), then ``paths``; of an undo ``restore``: path
    and old value, and ``drop``: paths of fields that were not there.
    """

    name, title, icon = "edit", "Edit", "code"
    said = ("patch", "label", "annotate", "taint")
    verb = "update"
    template = "forms/yaml.html"
    body_bytes = 8 * 2**20  # a text of 1 MiB, in which every byte may take three, and what it was filled with
    typed = True
    confirms_by_wanted = True
    reads = TOUCHED | USED | {"networkpolicies"}  # of whatever kind the text will be

    def __init__(self, wanted: Wanted | None = None) -> None:
        super().__init__(wanted)
        self.confidential = bool(self.wanted.get("secret"))
        kind = self.wanted.get("yaml", {}).get("kind")
        if kind not in (None, *HOLDERS.values()):
            self.reads = TOUCHED | SCALED | ({"networkpolicies"} if kind == "Namespace" else frozenset())

    def fits(self, kind: Kind[Any]) -> bool:
        return kind.plural != "configmaps"

    def command(self, target: Target, manifest: Manifest) -> str:
        return target.kubectl("edit")

    def confirmed(self, manifest: Manifest) -> bool:
        """The claims of pods that go are deleted."""
        if CLAIMS in self.wanted:
            return True
        return scales_claims_away(manifest, with_values(manifest, self.values)) if self.wanted else False

    # ---- What is typed

    def read(self, typed: Mapping[str, str]) -> Wanted:
        """``yaml``, and ``base`` as ``packed`` gave it."""
        manifest = read_manifest(typed.get("yaml", "")).manifest
        secret = is_secret(manifest)
        if secret:
            manifest = encoded(manifest)
        return {"yaml": manifest, "base": unpacked(typed.get("base", "")), "secret": secret}

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        typed = wanted.get("yaml")
        if typed is None:
            return
        meta, own = typed.get("metadata"), manifest["metadata"]
        if not isinstance(meta, dict):
            raise BadField("metadata with its name is missing.", "metadata")
        for what, said, there in (
            ("apiVersion", typed.get("apiVersion"), manifest.get("apiVersion")),
            ("kind", typed.get("kind"), manifest.get("kind")),
            ("metadata.name", meta.get("name"), own["name"]),
            ("metadata.namespace", meta.get("namespace", own.get("namespace")), own.get("namespace")),
        ):
            if said != there:
                raise BadField(
                    f"{what} is {there} and can't be changed.",
                    *what.split("."),
                    next_step="Create another object instead, and delete this one.",
                )
        version = meta.get("resourceVersion")
        if wanted.get("base") is None and version is not None and version != own["resourceVersion"]:
            raise Conflict(
                f"{manifest['kind']} {own['name']} was changed since this YAML was read: its resourceVersion is another.",
                next_step="Read it again, or leave resourceVersion out.",
            )
        if self.confidential:
            kept_required(typed, wanted.get("base") or manifest)

    async def decide(self, order: Order, manifest: Manifest, objects: Any) -> Wanted:
        """Which fields are written: their names travel with the preview, their values with the form."""
        decided = {"paths": _paths(order.wanted, manifest)} if "yaml" in order.wanted else {}
        made = with_values(manifest, type(self)(order.wanted | decided).values)
        return decided | claims_decided(objects, order.target.plural, made)

    def overtaken(self, manifest: Manifest, wanted: Wanted) -> tuple[Action, OwnedFields] | None:
        base = wanted.get("base")
        if base is None or not (paths := _conflicts(wanted, manifest, _paths(wanted, manifest))):
            return None
        just = self.on(wanted | {"paths": paths})
        if not just.confidential:
            return just, just.touched(base)
        marks = base.get(_MARKS, {})
        return just, {path: {"mark": marks[path]} if path in marks else None for path in paths}

    # ---- What it does

    @property
    def values(self) -> list[tuple[str, Any]]:
        wanted = self.wanted
        if "paths" in wanted:
            return [(path, value_at(wanted["yaml"], path)) for path in wanted["paths"]]
        return super().values

    def fact(self, manifest: Manifest, path: str) -> Any:
        value = value_at(manifest, path)
        if not self.confidential or value is MISSING:
            return super().fact(manifest, path)
        return {"mark": _mark(manifest, path)}

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        body = with_values(manifest, self.values)
        body["metadata"].pop("managedFields", None)  # left out they stay as they are
        if self.confidential:
            fill_kept(body, manifest)  # of very many keys, data is written as a whole
        return Write(
            method="PUT",
            content_type="application/json",
            subresource="",
            body=body,
            accept=METADATA_ONLY if self.confidential else "application/json",
            query={"fieldValidation": "Strict"},
        )

    def sent(self, manifest: Manifest, wanted: Wanted) -> Manifest | None:
        return None if self.confidential else with_values(manifest, self.values)

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        if not self.confidential:
            return answer
        return {**answer, "apiVersion": manifest["apiVersion"], "kind": manifest["kind"]}

    def widened(self, before: Manifest, after: Manifest) -> EditAny:
        return EditAny({"drop": written_fields(before, after), "secret": self.confidential})

    async def keep(self, change: Change, before: Manifest | None, after: Manifest) -> None:
        """ConfigMaps are created, and changed, from YAML too."""
        await versions_kept(change, before, after)

    def scrub(self, error: ClusterError, manifest: Manifest, wanted: Wanted) -> None:
        if self.confidential:
            sides = (manifest, wanted.get("yaml") or {})
            values = [value for side in sides for value in (side.get("data") or {}).values()]
            hide_values(error, [value for value in values if isinstance(value, str) and value != KEPT])

    def shown(self, before: Manifest, after: Manifest) -> tuple[Manifest, Manifest]:
        if not self.confidential:
            return before, after
        return hidden(before, before), hidden(after, before)

    # ---- What is said of it

    def describe(self, dry: DryRun) -> Description:
        before, after, target = dry.before, dry.after, dry.target
        common = {
            **self._command(dry),
            "undo_words": self.undo_words(before),
            "button": f"Update {target.name}",
        }
        if scales_claims_away(before, after):
            common["undo_words"] = f"{common['undo_words']} Deleted claims can't be restored: {EMPTY}"
        if impacts := [*_on_pods(dry)]:
            return Description.of(together(impacts), *self._notices(dry), **common)
        impact = object_impact(dry.objects, dry.obj, dry.made)
        names = [field_words(path) for path in written_fields(before, after)]
        verb = "changes" if len(names) == 1 else "change"
        effect = Effect("info", "code", parts(bold(plural(len(names), "field")), f" {verb}"), some(names))
        broken = value_effects(dry.objects, target.plural, target.namespace, target.name, before, after)
        headline = broken_headline(broken)
        effects = (*broken, *impact.effects)
        return Description(
            headline=headline or impact.headline,
            effects=(*effects, effect) if names else effects,
            notices=self._notices(dry),
            danger=headline is not None or impact.danger,
            **common,
        )

    def _command(self, dry: DryRun) -> dict[str, str]:
        """The same by kubectl, or why there is none."""
        if self.confidential and any(path.startswith(_VALUES) for path, _ in self.values):
            return {"kubectl": "", "kubectl_note": VALUES_STAY}
        patch = merge_between(dry.before, with_values(dry.before, self.values))
        return {"kubectl": dry.target.kubectl_patch(patch) if patch else "", "kubectl_note": ""}

    def _notices(self, dry: DryRun) -> tuple[Notice, ...]:
        other = [
            field_words(path) for path, value in self.values
            if not self.confidential and _bare(value_at(dry.after, path)) != _bare(value)
        ]  # fmt: skip
        found = (*_on_claims(dry.before, dry.after), *variable_notices(dry.before, dry.after))
        typed = dry.wanted.get("yaml", {}).get("status")
        if typed and typed != dry.before.get("status"):
            text = "Its controller writes it, and would set it back: an edit leaves it as it is."
            found = (*found, Notice("info", "status is not written", text))
        if not other:
            return found
        text = (
            f"The API server or an admission policy made something else of {listed(other[:6])}: see the diff."
        )
        return (*found, Notice("info", "Not just as typed", text))

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        return await with_owners(order, await with_autoscaling(order, told, dry), dry)

    # ---- The way back

    def flaw(self, before: Manifest) -> str:
        if self.confidential and any(path.startswith(_VALUES) for path, _ in self.values):
            return "values of Secrets are never kept here."
        return super().flaw(before)

    def old(self, before: Manifest) -> Wanted:
        return {**super().old(before), "secret": self.confidential}


EDIT_ANY = EditAny()


def _on_pods(dry: DryRun) -> Iterator[Impact]:
    """What another pod template does to a workload, and another number of pods."""
    obj, found = dry.obj, pointer(dry.after, "/spec/replicas")
    made = 1 if found is None else int(found)  # as the API server has it
    scaled = isinstance(obj, Deployment | StatefulSet | ReplicaSet) and obj.spec.replicas != made
    templated = pointer(dry.before, "/spec/template") != pointer(dry.after, "/spec/template")
    if isinstance(obj, Workload) and templated and (made or not scaled):
        yield restart_impact(dry.objects, obj, dry.now)
    if scaled:
        yield scale_impact(dry.objects, obj, made, dry.now)


def _on_claims(before: Manifest, after: Manifest) -> Iterator[Notice]:
    """What an edit of a StatefulSet does to claims, now and from now on."""
    if scales_claims_away(before, after):
        text = "whenScaled is Delete: scaled up again, the pods start with empty volumes."
        yield Notice("bad", "The claims of the pods that go are deleted", text)
    for when in new_claim_deletions(before, after):
        what = "it is deleted" if when == "whenDeleted" else "it is scaled down"
        text = f"{when} becomes Delete: until now they were kept, with their data."
        yield Notice("warn", f"From now on its claims are deleted when {what}", text)


def is_secret(manifest: Mapping[str, Any]) -> bool:
    """Whether it is one of Kubernetes' own, in whatever version: ``/v1`` is read as ``v1``."""
    return manifest.get("kind") == "Secret" and not group_of(str(manifest.get("apiVersion")))


def editable(manifest: Manifest) -> Manifest:
    """The object as its form shows it: a Secret without annotations, which may repeat its values, and with KEPT for each
    value.
    """
    made = writable(manifest)
    meta = made["metadata"] = dict(made["metadata"])
    notes = {
        key: value for key, value in (meta.pop("annotations", None) or {}).items() if key != LAST_APPLIED
    }
    if is_secret(manifest):
        if "data" in made:
            made["data"] = dict.fromkeys(made["data"] or {}, KEPT)
    elif notes:
        meta["annotations"] = notes
    first = ("apiVersion", "kind", "metadata", "spec")
    return {key: made[key] for key in (*first, *made) if key in made}


def editable_text(manifest: Manifest) -> str:
    """The same as YAML."""
    return as_yaml(editable(manifest))


def packed(manifest: Manifest) -> str:
    """What a form was filled with, for its way back."""
    kept = editable(manifest)
    kept["metadata"] = kept["metadata"] | {"resourceVersion": manifest["metadata"]["resourceVersion"]}
    if is_secret(manifest):
        kept[_MARKS] = _marks(manifest)
    return base64.b64encode(zlib.compress(msgspec.json.encode(kept))).decode()


def unpacked(text: str) -> Manifest | None:
    """The other way round. Raises BadInput for what no form of ours sends."""
    if not text:
        return None
    try:
        raw = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), 4 * MAX_BYTES)
        found = msgspec.json.decode(raw, type=dict[str, Any])
    except (binascii.Error, ValueError, zlib.error):
        raise BadInput("The form is damaged.", next_step="Reopen the form.", field="yaml") from None
    if not isinstance(found.get("metadata"), dict):
        raise BadInput("The form is damaged.", next_step="Reopen the form.", field="yaml")
    return found


def _mark(manifest: Manifest, path: str) -> str:
    """What stands for a value of a Secret; it tells nothing to whoever does not have this installation's key."""
    text = json.dumps(value_at(manifest, path), sort_keys=True)
    return mark(manifest["metadata"]["uid"], path, text.encode())


def _marks(manifest: Manifest) -> dict[str, str]:
    """The same of all its values, by their paths."""
    paths = [f"/data/{escaped(key)}" for key in manifest.get("data") or ()]
    return {path: _mark(manifest, path) for path in paths}


def _paths(wanted: Wanted, manifest: Manifest) -> list[str]:
    """The fields that are written: those that differ from what the form was filled with, or would be filled with now:
    what that does not show, stays.
    """
    base = writable(wanted["base"] or editable(manifest))
    typed = writable(wanted["yaml"])
    base.pop(_MARKS, None)
    for side in (base, typed):  # left out of what is shown of a Secret, and kept
        if wanted["secret"]:
            side["metadata"].setdefault("annotations", {})
    if "namespace" in base["metadata"]:
        typed["metadata"].setdefault("namespace", base["metadata"]["namespace"])
    paths = [path for path in changed_fields(base, typed) if value_at(typed, path) != KEPT]
    return [path for path in paths if not path.startswith("/status")]


def _conflicts(wanted: Wanted, manifest: Manifest, paths: list[str]) -> list[str]:
    """The fields that the form writes and that are not as it was filled any more."""
    base = wanted.get("base")
    if base is None:
        return []
    changed = base["metadata"].get("resourceVersion") != manifest["metadata"]["resourceVersion"]
    if not changed:
        return []
    there, marks = editable(manifest), base.get(_MARKS, {})

    def overtaken(path: str) -> bool:
        was, now = value_at(base, path), value_at(there, path)
        if was == now == KEPT:
            return bool(marks.get(path) != _mark(manifest, path))
        if path == "/data" and marks:
            return bool(marks != _marks(manifest))
        return now not in (was, value_at(wanted["yaml"], path))

    return [path for path in paths if overtaken(path)]


def encoded(manifest: Manifest) -> Manifest:
    """A Secret as the API server keeps it: ``stringData`` in ``data``. Raises BadField, without a value."""
    made = dict(manifest)
    data = made.get("data") or {}
    text = made.pop("stringData", None) or {}
    for name, held in (("data", data), ("stringData", text)):
        if not isinstance(held, dict):
            raise BadField("data and stringData are keys with values.", name)
    for key, value in data.items():
        if value == KEPT:
            continue
        if not isinstance(value, str | None):
            raise BadField(f"data.{key[:60]} is not text: quote it.", "data", key)
        try:
            base64.b64decode(value or "", validate=True)
        except (binascii.Error, ValueError):
            text = "Put plain text under stringData."
            raise BadField(f"data.{key[:60]} is not base64.", "data", key, next_step=text) from None
    for key, value in text.items():
        if not isinstance(value, str):
            raise BadField(f"stringData.{key[:60]} is not text: quote it.", "stringData", key)
        data = {**data, key: KEPT if value == KEPT else base64.b64encode(value.encode()).decode()}
    if data or "data" in made:
        made["data"] = data
    return made


def kept_required(typed: Manifest, base: Manifest) -> None:
    """Raises BadField for a placeholder that stands for nothing, such as under a key that was renamed: what it is thought
    to keep would be lost.
    """
    there = base.get("data") or {}
    for key, value in (typed.get("data") or {}).items():
        if value == KEPT and key not in there:
            raise BadField(
                f"{KEPT} keeps the stored value of a key, and there is none under {key[:60]}.",
                *("data", key),
                next_step="Type its value: plain text under stringData, base64 under data.",
            )


def fill_kept(typed: Manifest, base: Manifest) -> None:
    """Placeholders stand for the stored values."""
    data = typed.get("data")
    if isinstance(data, dict):
        there = base.get("data") or {}
        typed["data"] = {
            key: there.get(key, value) if value == KEPT else value for key, value in data.items()
        }


def hidden(manifest: Manifest, before: Manifest) -> Manifest:
    """A Secret with its keys, of which only those with another value than before say so."""
    old = before.get("data") or {}
    notes = before["metadata"].get("annotations") or {}
    made = writable(manifest)
    meta = dict(made["metadata"])
    if there := meta.pop("annotations", None):
        meta["annotations"] = {
            key: HIDDEN if notes.get(key) == value else f"{HIDDEN}, new value"
            for key, value in there.items()
            if key != LAST_APPLIED
        }
    data = {
        key: HIDDEN if old.get(key) == value else f"{HIDDEN}, new value"
        for key, value in (made.get("data") or {}).items()
    }
    return {**made, "metadata": meta, **({"data": data} if data else {})}


def _bare(value: Any) -> Any:
    """A value without what the API server leaves out."""
    return None if value in (MISSING, {}, [], "", 0, False) else value
