"""What a pod's containers need and do not find: ConfigMaps, Secrets, keys of them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import NamedTuple

from dashboard.insight.finding import Evidence, Step, Trouble, reported
from dashboard.insight.names import PodRule
from dashboard.insight.topology import EVERYWHERE
from dashboard.insight.words import Parts, code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.podspec import Projection, SecretSource, Volume
from dashboard.kinds.podstatus import ContainerStatus
from dashboard.kinds.rows import shorten

from .case import Case, waiting_as

# A container that has just been asked for passes through these states by itself.
CREATING = frozenset({"", "ContainerCreating", "PodInitializing"})
PATIENCE = timedelta(seconds=15)

_ABSENT = re.compile(r"""(configmap|secret)s? ["']?([^"'\s]+)["']? not found""", re.IGNORECASE)
_NO_KEY = re.compile(r"couldn't find key (\S+) in (configmap|secret) (\S+)", re.IGNORECASE)
_NO_FILE = re.compile(
    r'volume "([^"]+)".*non-?existent (config|secret) key: ([^\s,\]]+)', re.IGNORECASE | re.DOTALL
)


class Missing(NamedTuple):
    """What is not there, and what to do."""

    rule: PodRule
    what: Parts
    step: Step
    shared: str


def misses_configuration(case: Case) -> Trouble | None:
    """A ConfigMap or Secret is not there, or lacks a key (CreateContainerConfigError, or a failed mount)."""
    for status, _ in case.containers():
        waiting = status.state.waiting
        if waiting is None:
            continue
        if waiting.reason == "CreateContainerConfigError":
            missing = _missing(case, waiting.message) or _unfit(case, waiting.message)
            return _told(case, status, missing, waiting_as(status))
        if waiting.reason in CREATING and case.older(case.since("PodScheduled"), PATIENCE):
            # That a volume cannot be mounted is only said in an Event.
            for event in case.in_the_way("FailedMount", "FailedMapVolume"):
                missing_file = _missing(case, event.message)
                if missing_file is not None and not _created_since(case, event.message):
                    return _told(case, status, missing_file, reported(event))
    return None


def _created_since(case: Case, message: str) -> bool:
    """Whether what an Event says is missing is there now; the Event stays for an hour."""
    found = _ABSENT.search(message)
    if found is None:
        return False
    kind, name = _kind(found[1]), found[2].rpartition("/")[2]
    return case.survey.objects.get(f"{kind.lower()}s", case.namespace, name) is not None


def _told(case: Case, status: ContainerStatus, missing: Missing, evidence: tuple[Evidence, ...]) -> Trouble:
    rest = parts(": container ", code(status.name), " ", *missing.what)
    return Trouble(
        missing.rule, "bad", 65, "cannot start", "cannot start", rest, missing.step, evidence,
        case.since("PodScheduled"), shared=missing.shared,
    )  # fmt: skip


def _missing(case: Case, message: str) -> Missing | None:
    if found := _NO_KEY.search(message):
        key, kind, name = found[1], _kind(found[2]), found[3].rpartition("/")[2]
        return (
            _binary(case, key, name) if _is_binary(case, key, kind, name) else _no_key(case, key, kind, name)
        )
    if found := _NO_FILE.search(message):
        volume = next((one for one in case.pod.spec.volumes or () if one.name == found[1]), None)
        kind = "Secret" if found[2].lower() == "secret" else "ConfigMap"
        name = _source(volume, kind, found[3]) if volume is not None else ""
        return _no_key(case, found[3], kind, name) if name else None
    if found := _ABSENT.search(message):
        kind, name = _kind(found[1]), found[2].rpartition("/")[2]
        what = parts(f"needs {kind} ", code(name), ", which does not exist")
        text = f"Create {kind} {name}, or correct its name in the pod template; the pod then starts automatically."
        if name == EVERYWHERE:
            text = f"Check that kube-controller-manager runs: it writes {name} into each namespace."
        shared = f"{kind}/{case.namespace}/{name}"
        return Missing("pod-config-missing", what, case.look(text), shared)
    return None


def _no_key(case: Case, key: str, kind: str, name: str) -> Missing:
    plural = f"{kind.lower()}s"
    ref = Ref(kind, case.namespace, name, plural)
    what = parts("needs key ", code(key), f" of {kind} ", code(name), ", which does not exist")
    # A ConfigMap is edited here; a key of a Secret is added where the Secret is kept.
    step = Step(f"Add key {key} to {kind} {name}.", ref, "edit" if kind == "ConfigMap" else "")
    return Missing("pod-key-missing", what, step, f"{kind}/{case.namespace}/{name}/{key}")


def _is_binary(case: Case, key: str, kind: str, name: str) -> bool:
    found = case.survey.objects.get("configmaps", case.namespace, name) if kind == "ConfigMap" else None
    return found is not None and key in (found.binary_data or ())


def _binary(case: Case, key: str, name: str) -> Missing:
    """It is there, but the kubelet reads variables from data alone (makeEnvironmentVariables)."""
    ref = Ref("ConfigMap", case.namespace, name, "configmaps")
    what = parts(
        "needs key ",
        code(key),
        " of ConfigMap ",
        code(name),
        ", which is in binaryData, where no variable is read from",
    )
    step = Step(f"Put {key} into data of ConfigMap {name}, as text.", ref, "edit")
    return Missing("pod-key-missing", what, step, f"ConfigMap/{case.namespace}/{name}/{key}")


# pkg/kubelet/kuberuntime/security_context_others.go: how it is put, why, and what to do.
_ROOT = (
    (
        "image will run as root",
        "its image runs as root",
        "Set runAsUser in its pod template, or build the image with a non-root user.",
    ),
    (
        "has non-numeric user",
        "its image names its user instead of giving the number, so the kubelet can't tell",
        "Set runAsUser to the number of that user in its pod template, or in the image.",
    ),
    (
        "runAsUser breaks non-root policy",
        "its runAsUser is 0",
        "Set runAsUser to another number than 0 in its pod template.",
    ),
)


# What the kubelet does not know yet, of objects or of Services.
_PASSES = ("failed to sync", "is forbidden: User", "have not yet been read at least once")


def _unfit(case: Case, message: str) -> Missing:
    """What else the kubelet refuses before it makes a container."""
    for sign, why, text in _ROOT:
        if sign in message:
            what = parts(f"must not run as root (runAsNonRoot), but {why}")
            return Missing("pod-runs-as-root", what, case.look(text), "")
    step = case.look("Correct its pod template.", "events")
    if any(sign in message for sign in _PASSES):
        step = case.look("Wait: the kubelet tries again; if that lasts, read its log on the node.", "events")
    elif "subPath" in message:
        step = case.look(
            "Correct the subPath in its pod template, or check that the volume can be written.", "events"
        )
    return Missing("pod-config-error", parts(f"is refused: {shorten(message)}"), step, "")


def _kind(word: str) -> str:
    return "Secret" if word.lower() == "secret" else "ConfigMap"


def _source(volume: Volume, kind: str, key: str) -> str:
    """The ConfigMap or Secret behind a volume from which a key is taken, when it is only one; else ""."""
    holders: list[Volume | Projection] = [volume]
    holders += (volume.projected.sources or ()) if volume.projected else ()
    sources = [
        (one.secret_name or one.name if isinstance(one, SecretSource) else one.name, one.items or ())
        for each in holders
        if (one := each.secret if kind == "Secret" else each.config_map) is not None
    ]
    naming = {name for name, items in sources if any(item.key == key for item in items)}
    names = naming or {name for name, _ in sources}
    return names.pop() if len(names) == 1 else ""
