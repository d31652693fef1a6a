"""Other images for the containers of a workload, as ``kubectl set image`` sets them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

from dashboard.errors import BadInput
from dashboard.insight import Notice
from dashboard.kinds.images import ImageError, parse_image

from .action import DryRun, Field, Manifest
from .templates import ContainerAction, changed_containers

UNKNOWN = (
    "Nothing is filled in: which version runs is not known here. Enter a tag of one version, or a digest."
)


class SetImage(ContainerAction):
    name, title, icon = "image", "Set image", "image"
    said = ("set image",)
    inputs = MappingProxyType({"image": "Image"})
    same = "It has these images. To pull the image of the same tag again, restart it (with imagePullPolicy Always)."

    def parse(self, field: str, text: str) -> str:
        text = text.strip()
        if not text:
            raise BadInput("Enter an image, such as registry.example/shop/web:2.4.0.", field=field)
        try:
            parse_image(text)
        except ImageError as error:
            raise BadInput(str(error), field=field) from error
        return text

    def field(self, path: str, container: Manifest, name: str) -> Field:
        found = super().field(path, container, name)
        return replace(found, hint=lambda *_: UNKNOWN) if _moving(self.value(container, name)) else found

    def value(self, container: Manifest, name: str) -> str:
        return str(container.get("image", ""))

    def put(self, container: Manifest, name: str, asked: str) -> None:
        container["image"] = asked
        if not asked:  # as it was, of a form that was opened without one
            del container["image"]

    def warnings(self, dry: DryRun) -> Iterator[Notice]:
        for _, made in changed_containers(dry):
            if what := _moving(self.value(made, "image")):
                text = "It can be another image tomorrow, or on another node. Use a tag of one version, or a digest."
                yield Notice("warn", f"The image of {made['name']} has {what}", text)

    def kubectl(self, dry: DryRun) -> str:
        images = [f"{made['name']}={self.value(made, 'image')}" for _, made in changed_containers(dry)]
        return dry.target.kubectl("set image", *images)


def _moving(text: str) -> str:
    """How it names no version of an image; "" where it does."""
    try:
        image = parse_image(text)
    except ImageError:  # what an undo brings back the API server once took
        return ""
    if image.digest or image.tag not in ("", "latest"):
        return ""
    return "the tag latest" if image.tag else "no tag, which means latest"


IMAGE = SetImage()
