"""What variables, commands and arguments in a pod template come to that its text does not tell: a reference (``$(NAME)``)
that the kubelet leaves as it is written, and a NUL byte, which the API server takes and no process can be given.

Rules: kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables. A value knows the
variables above it, a command all of them, and both those of Services; ``$$(NAME)`` is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dashboard.insight import Notice
from dashboard.kinds.rows import listed

from .action import Manifest

# Names as people give to variables: in lower case it is a command of a shell as a rule.
_REFERENCE = re.compile(r"\$\$|\$\(([A-Z_][A-Z0-9_]*)\)")
_OF_SERVICES = re.compile(r"_SERVICE_(?:HOST|PORT)|_PORT(?:_|$)")
_OWN = ("v1", "apps/v1", "batch/v1")

Left = tuple[str, str, str]  # what refers, to which name, and why that is left


def variable_notices(before: Manifest, after: Manifest) -> Iterator[Notice]:
    """Of what an object did not have before."""
    had_nul = list(_with_nul(before))
    if nul := [each for each in _with_nul(after) if each not in had_nul]:
        yield Notice(
            "bad",
            "New pods will not start",
            f"{listed(nul)} {'holds' if len(nul) == 1 else 'hold'} a NUL byte, which no process can be given.",
        )
    had = _all(before)
    if new := [each for each in _all(after) if each not in had]:
        yield _left_as_written(new)


def _with_nul(manifest: Manifest) -> Iterator[str]:
    """What holds one, in words."""
    for container in _containers(manifest):
        texts = [(str(each.get("name", "")), each.get("value")) for each in container.get("env") or ()]
        texts += [(field, text) for field in ("command", "args") for text in container.get(field) or ()]
        for what in dict.fromkeys(what for what, text in texts if "\0" in str(text or "")):
            yield f"{what} of container {container.get('name', '')}"


def _left_as_written(new: Sequence[tuple[str, str, str, str]]) -> Notice:
    names = listed(dict.fromkeys(f"$({name})" for _, _, name, _ in new))
    text = listed(
        f"{what} of container {container} refers to {name}, {why}" for container, what, name, why in new
    )
    several = len({name for _, _, name, _ in new}) > 1
    return Notice("warn", f"{names} {'stay' if several else 'stays'} as written", f"{text}.")


def _all(manifest: Manifest) -> list[tuple[str, str, str, str]]:
    return [
        (str(container.get("name", "")), *each)
        for container in _containers(manifest)
        for each in _left(container)
    ]


def _containers(manifest: Manifest) -> Iterator[Mapping[str, Any]]:
    """Of Kubernetes' own kinds: what others call so may be anything."""
    if manifest.get("apiVersion") not in _OWN:
        return
    spec = manifest.get("spec") or {}
    for above in ("jobTemplate", "template"):
        spec = spec[above].get("spec") or {} if above in spec else spec
    for kind in ("initContainers", "containers"):
        yield from spec.get(kind) or ()


def _left(container: Mapping[str, Any]) -> Iterator[Left]:
    if container.get("envFrom"):
        return  # whose keys may be any
    env = container.get("env") or ()
    names = [str(each.get("name", "")) for each in env]
    for at, each in enumerate(env):
        for name in _names(each.get("value")):
            if name not in names[:at]:
                yield (
                    names[at],
                    name,
                    "which is set below it" if name in names[at + 1 :] else "which is not set",
                )
    for field in ("command", "args"):
        for text in container.get(field) or ():
            yield from ((field, name, "which is not set") for name in _names(text) if name not in names)


def _names(text: Any) -> Iterator[str]:
    for found in _REFERENCE.finditer(text if isinstance(text, str) else ""):
        if found[1] and not _OF_SERVICES.search(found[1]):
            yield found[1]
