"""A PersistentVolumeClaim: storage of a size and a class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from dashboard.actions.action import Manifest
from dashboard.insight import Effect
from dashboard.insight.awaiting import NAMING, awaited_by
from dashboard.insight.capacity import amounts
from dashboard.insight.words import bold, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.quantity import format_quantity
from dashboard.kinds.references import reference
from dashboard.kinds.storageclasses import StorageClass
from dashboard.kinds.volumes import size_key

from .form import NAMESPACE, Checks, Input, Look, NewObject, Section, name_input
from .reading import counted, storage, subdomain

_MODES = (
    ("ReadWriteOnce", "ReadWriteOnce: pods of one node"),
    ("ReadWriteOncePod", "ReadWriteOncePod: one pod"),
    ("ReadWriteMany", "ReadWriteMany: pods of many nodes"),
    ("ReadOnlyMany", "ReadOnlyMany: pods of many nodes, to read"),
)


def _classes(look: Look) -> Iterable[str]:
    return counted(sorted(each.metadata.name for each in look.objects.all("storageclasses")))


class NewClaim(NewObject):
    plural, word = "persistentvolumeclaims", "Claim"
    reads = NAMING | {"storageclasses", "resourcequotas", "limitranges"}
    sections = (
        Section(title="PersistentVolumeClaim", inputs=(name_input(), NAMESPACE)),
        Section(
            title="Storage",
            inputs=(
                Input(
                    name="size", label="Size", parse=storage, required=True, placeholder="10Gi",
                    at=("spec.resources", "requests.storage", "persistentvolumeclaims"),
                ),
                Input(
                    name="class", label="StorageClass", parse=subdomain, suggest=_classes, at=("spec.storageClassName",),
                    hint="Empty: the cluster's default.",
                ),
                Input(name="access", label="Access mode", input="choice", choices=_MODES, at=("spec.accessModes",)),
            ),
        ),
    )  # fmt: skip

    def spec(self, values: Mapping[str, Any]) -> Manifest:
        named = {"storageClassName": values["class"]} if values["class"] else {}
        requests = {"storage": values["size"] or ""}
        return {"spec": {"accessModes": [values["access"]], **named, "resources": {"requests": requests}}}

    async def check(self, look: Look, checks: Checks) -> None:
        found = self._class(look, checks)
        size = look.values["size"]
        if size and look.namespace:
            checks.effects += _quotas(
                look, found.metadata.name if found else look.values["class"] or "", size
            )
            _limits(look, checks, size)
        if look.values["name"] and look.namespace:
            ref = reference("PersistentVolumeClaim", look.namespace, look.values["name"])
            checks.effects += awaited_by(look.objects, ref)

    def _class(self, look: Look, checks: Checks) -> StorageClass | None:
        """The class that its volume would come from, with what is said of it."""
        if not look.objects.reads("storageclasses"):
            checks.at("class", "info", "Which StorageClasses there are is not known here.")
            return None
        classes: list[StorageClass] = list(look.objects.all("storageclasses"))
        if name := look.values["class"]:
            fitting = [one for one in classes if one.metadata.name == name]
            missing = f"There is no StorageClass {name}: it stays Pending until there is one, or a volume of that class."
        else:
            # Of several defaults the newest counts (GetDefaultClass).
            fitting = sorted((one for one in classes if one.is_default), key=_newest)[-1:]
            missing = (
                "No StorageClass is the default: it stays Pending until a volume without a class fits it."
            )
        if not fitting:
            checks.at("class", "warn", missing)
            return None
        if not name:
            checks.at("class", "ok", f"{fitting[0].metadata.name} is the default")
        checks.effects += _about(fitting[0])
        return fitting[0]


def _newest(one: StorageClass) -> tuple[float, str]:
    created = one.metadata.creation_timestamp
    return (created.timestamp() if created else 0.0, one.metadata.name)


def _about(found: StorageClass) -> Iterator[Effect]:
    ref = Ref("StorageClass", "", found.metadata.name, "storageclasses")
    later = found.volume_binding_mode == "WaitForFirstConsumer"
    when = "once the first pod uses it; it is Pending until then" if later else "at once"
    text = parts(bold(f"StorageClass {ref.name}"), f" provisions a volume by {found.provisioner}")
    yield Effect("info" if later else "ok", "server", text, when, "", ref)
    if found.reclaim_policy != "Retain":
        yield Effect(
            "info",
            "warn",
            parts("Its data is deleted with the claim"),
            f"reclaim policy {found.reclaim_policy}",
        )
    if not found.allow_volume_expansion:
        yield Effect("info", "info", parts("It can't be expanded later"), "the class does not allow it")


def _quotas(look: Look, class_name: str, size: str) -> Iterator[Effect]:
    counts = {"requests.storage": size_key(size), "persistentvolumeclaims": Decimal(1)}
    counts |= {"count/persistentvolumeclaims": Decimal(1)}
    if class_name:
        of_class = f"{class_name}.storageclass.storage.k8s.io"
        counts |= {
            f"{of_class}/requests.storage": size_key(size),
            f"{of_class}/persistentvolumeclaims": Decimal(1),
        }
    for quota in look.all("resourcequotas"):
        hard, used = amounts(quota.status.hard or quota.spec.hard), amounts(quota.status.used)
        for resource, more in counts.items():
            if resource not in hard:
                continue
            left = max(hard[resource] - used.get(resource, Decimal(0)), Decimal(0))
            ref = Ref("ResourceQuota", look.namespace, quota.metadata.name, "resourcequotas")
            storage_left = resource.endswith("storage")
            room = format_quantity(left, "BinarySI") if storage_left else format_quantity(left)
            text = parts(bold(f"ResourceQuota {ref.name}"), f" has {room} of {resource} left")
            if more > left:
                yield Effect("bad", "gauge", text, "It refuses this claim", "refuses", ref)
            else:
                yield Effect("ok", "gauge", text, "", "", ref)


def _limits(look: Look, checks: Checks, size: str) -> None:
    for limits in look.all("limitranges"):
        for limit in limits.spec.limits or ():
            if limit.type != "PersistentVolumeClaim":
                continue
            asked, least, most = (
                size_key(size),
                amounts(limit.min).get("storage"),
                amounts(limit.max).get("storage"),
            )
            bounds = (
                f"at least {format_quantity(least, 'BinarySI')}"
                if least is not None and asked < least
                else "",
                f"at most {format_quantity(most, 'BinarySI')}" if most is not None and asked > most else "",
            )
            for bound in filter(None, bounds):
                checks.at(
                    "size", "warn", f"LimitRange {limits.metadata.name} allows {bound}: it refuses this size."
                )


NEW_CLAIM = NewClaim()
