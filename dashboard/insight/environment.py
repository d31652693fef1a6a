"""What a container can be given as environment variables. Pure.

Rules: kubernetes/kubernetes, pkg/kubelet/kubelet_pods.go: makeEnvironmentVariables reads only ``data`` of a ConfigMap,
and a container whose required key is not there is not created. A NUL ends a variable for the operating system, so runc
refuses it. The kubelet hands variables on in a field that was text in Kubernetes 1.34 to 1.36.1, and in container
runtimes for longer: bytes that are not UTF-8 are refused there (kubernetes/kubernetes#139132).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# Every shell takes such a name; Kubernetes allows more.
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Content:
    """What a ConfigMap holds: the keys of ``data`` and of ``binaryData``, and why the values of some keys of ``data``
    cannot be variables.
    """

    text: frozenset[str]
    binary: frozenset[str]
    unfit: Mapping[str, str] = field(default_factory=dict)


def variable_flaw(value: bytes) -> str:
    """Why a container cannot be given this as a variable, to follow the key's name; "" when it can."""
    if b"\0" in value:
        return "holds a NUL byte, which no environment variable can"
    try:
        value.decode()
    except UnicodeDecodeError:
        return "is not UTF-8 text, which many kubelets and container runtimes refuse for a variable"
    return ""


def name_flaw(name: str) -> str:
    """What is inconvenient about the name of a variable that ``envFrom`` makes, to follow the name; "" for nothing."""
    if _PLAIN_NAME.fullmatch(name):
        return ""
    skipped = (
        ", and kubelets before Kubernetes 1.32 skip it" if name[:1].isdigit() or name.startswith("..") else ""
    )
    return f"is a variable that no shell can read by its name{skipped}"
