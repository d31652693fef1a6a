"""Requests and limits of the containers of a workload, as ``kubectl set resources`` sets them."""

from __future__ import annotations

import dataclasses
from types import MappingProxyType

from dashboard.errors import BadInput, ClusterError
from dashboard.insight import Impact
from dashboard.insight.sizing import memory_notices, sizing_impact
from dashboard.kinds.quantity import QuantityError, parse
from dashboard.kube.metrics import MetricsServer

from .action import Description, DryRun, Manifest, Order, Wanted
from .templates import ContainerAction, changed_containers, containers

_EXAMPLES = {"cpu": "250m, 0.5 or 2", "memory": "256Mi or 2Gi"}


class SetResources(ContainerAction):
    """Inputs are called ``<requests or limits>_<resource>``; an empty one takes the field away."""

    name, title, icon = "resources", "Set resources", "gauge"
    said = ("set resources",)
    input = "amount"
    inputs = MappingProxyType(
        {
            "requests_cpu": "CPU request",
            "limits_cpu": "CPU limit",
            "requests_memory": "Memory request",
            "limits_memory": "Memory limit",
        }
    )
    same = "Its containers request and are limited to just that."

    def parse(self, field: str, text: str) -> str:
        text = text.strip()
        resource = field.partition(".")[0].partition("_")[2]
        if not text:
            return text
        try:
            amount = parse(text)
        except QuantityError as error:
            example = _EXAMPLES[resource]
            raise BadInput(f"“{text[:20]}” is not a quantity: write {example}.", field=field) from error
        if amount < 0:
            raise BadInput("It can't be negative.", field=field)
        if resource == "memory" and amount != amount.to_integral_value():
            unit = f": did you mean {text.removesuffix('m')}Mi?" if text.endswith("m") else "."
            raise BadInput(f"“{text[:20]}” is a fraction of a byte{unit}", field=field)
        return text

    def value(self, container: Manifest, name: str) -> str:
        which, _, resource = name.partition("_")
        found = container.get("resources", {}).get(which) or {}
        return str(found.get(resource, ""))

    def put(self, container: Manifest, name: str, asked: str) -> None:
        if asked == self.value(container, name):
            return
        which, _, resource = name.partition("_")
        resources = container.setdefault("resources", {})
        amounts = {**(resources.get(which) or {}), resource: asked}
        resources[which] = {key: amount for key, amount in amounts.items() if amount}
        if not resources[which]:
            del resources[which]

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        """A limit is no less than its request, be it typed or there already."""
        super().check(manifest, wanted)
        asked = wanted.get("asked", {})
        for _, container in containers(self.with_asked(manifest, asked)):
            for resource in _EXAMPLES:
                request, limit = (
                    self.value(container, f"{which}_{resource}") for which in ("requests", "limits")
                )
                fields = [f"{which}_{resource}.{container['name']}" for which in ("limits", "requests")]
                field = next((each for each in fields if each in asked), "")
                if field and request and limit and parse(limit) < parse(request):
                    raise BadInput(f"The limit, {limit}, is less than the request, {request}.", field=field)

    def impact(self, dry: DryRun) -> Impact:
        return sizing_impact(dry.objects, dry.obj, dry.made, dry.now)

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        """Whether a container uses more memory now than it may by then, where that is measured."""
        try:
            used = await MetricsServer(order.transport).pods(frozenset({dry.target.namespace}))
        except ClusterError:
            return told
        killed = tuple(memory_notices(dry.objects, dry.obj, dry.made, dry.now, used))
        return dataclasses.replace(told, notices=(*killed, *told.notices))

    def kubectl(self, dry: DryRun) -> str:
        """A command a container; kubectl can't take a field away."""
        commands = []
        for before, made in changed_containers(dry):
            flags = []
            for which in ("requests", "limits"):
                old, new = ((one.get("resources", {}).get(which) or {}) for one in (before, made))
                if old.keys() - new.keys():
                    return ""
                if changed := [f"{key}={amount}" for key, amount in new.items() if old.get(key) != amount]:
                    flags.append(f"--{which}={','.join(changed)}")
            commands.append(dry.target.kubectl("set resources", f"-c={made['name']}", *flags))
        return " && ".join(commands)


RESOURCES = SetResources()
