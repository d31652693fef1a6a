"""What kinds with a pod template share: the Containers and Images columns, and facts about the template."""

from __future__ import annotations

from typing import Any

from .base import Cell, Column, ContainerFact, Fact, Found, Role
from .facts import pod_spec_facts
from .podspec import PodSpec, PodTemplate
from .rows import col

CONTAINERS = col("Containers", "The names of the containers in its pod template.", wide=True)
IMAGES = col("Images", "The container images in its pod template.", wide=True)


def selector_column() -> Column:
    """The column of the label selector."""
    return col("Selector", "The labels by which it finds its pods.", wide=True)


def container_cells(spec: PodSpec) -> tuple[Cell, Cell]:
    """Containers and Images (``layoutContainerCells``)."""
    containers = spec.containers or ()
    return (
        Cell(",".join(container.name for container in containers)),
        Cell(",".join(container.image for container in containers)),
    )


def template_found(workload: Any) -> list[Found]:
    """By what a workload is found: the images in its pod template."""
    return template_images(workload.spec.template.spec)


def template_images(spec: PodSpec) -> list[Found]:
    """The images of all its containers, init containers too, each once."""
    groups = (spec.containers, spec.init_containers)
    images = dict.fromkeys(one.image for group in groups for one in group or ())
    return [("Image", image) for image in images]


def template_facts(template: PodTemplate, namespace: str) -> list[Fact]:
    """Under which account its pods act, and the last restart asked for through it."""
    facts = pod_spec_facts(template.spec, namespace)
    if restarted := template.metadata.restarted_at:
        facts.insert(0, Fact("Restart asked for", restarted))
    return facts


def template_containers(spec: PodSpec) -> tuple[ContainerFact, ...]:
    """The template's containers; they have no state of their own."""
    found = []
    for containers, init in ((spec.init_containers, True), (spec.containers, False)):
        for one in containers or ():
            ports = tuple(f"{port.container_port}/{port.protocol}" for port in one.ports or ())
            role: Role = ("sidecar" if one.sidecar else "init") if init else "container"
            found.append(ContainerFact(one.name, one.image, role, "ok", False, 0, "", "", False, ports))
    return tuple(found)
