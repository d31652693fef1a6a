"""Why an image cannot be pulled.

The words are those of the kubelet of Kubernetes 1.36 (pkg/kubelet/images), of containerd and of registries.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from dashboard.insight.finding import Evidence, Page, Step, Trouble, reported
from dashboard.insight.names import PodRule
from dashboard.insight.words import Parts, code, parts
from dashboard.kinds.events import Event
from dashboard.kinds.podstatus import ContainerStatus
from dashboard.kinds.podwords import without_image
from dashboard.kinds.rows import shorten

from .case import Case, waiting_as

PULLS = frozenset(
    {
        "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
        "RegistryUnavailable", "SignatureValidationFailed",
    }
)  # fmt: skip
PULL_TYPES = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")
_NAMED = re.compile(r"image pull secrets \(([^)]+)\)")
# What the kubelet says of itself, before the answer or without one.
_WORDS = "|".join((*PULLS, "Error"))
_OWN_WORDS = re.compile(
    rf'(?:(?:{_WORDS})(?:: |$))*(?:Back-off pulling image(?: "[^"]*")?(?:: |$))?(?:(?:{_WORDS})(?:: |$))*'
    r"(?:Unable to retrieve some.*)?"
)
_PULLED = re.compile(r'(?:pulling|pull|pull and unpack) image "([^"]+)"')
_NOT_RETRIEVED = "FailedToRetrieveImagePullSecret"
_EVENTS = ("Failed", "BackOff", "InspectFailed", "ErrImageNeverPull", _NOT_RETRIEVED)


class Refusal(NamedTuple):
    """Why an image does not come, and what to do. ``shared`` makes the key by which such findings are one cause."""

    rule: PodRule
    why: str
    step: str
    shared: Callable[[str], str] = str
    page: Page = ""  # "image": where the workload's image is set


def registry_of(image: str) -> str:
    """The registry that an image name leads to."""
    first, slash, _ = image.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost")
    return first if named else "docker.io"


# What the kubelet says by its reason alone.
_REASONS = {
    "InvalidImageName": Refusal(
        "pod-image-name",
        "that is not a valid image name",
        "Correct the image in its pod template.",
        page="image",
    ),
    "ErrImageNeverPull": Refusal(
        "pod-image-never-pulled",
        "it is not present on the node, and imagePullPolicy is Never",
        "Set its imagePullPolicy to IfNotPresent, or load the image onto the node.",
    ),
}
_UNKNOWN = Refusal(
    "pod-image-pull", "the registry returned no image", "Look at the pod's events.", page="events"
)
# What registries and runtimes answer; the first that is found speaks.
_ANSWERS = tuple(
    (re.compile(pattern, re.IGNORECASE), refusal)
    for pattern, refusal in (
        (
            r"SignatureValidationFailed|signature validation failed",
            Refusal(
                "pod-image-pull",
                "its signature is missing or not accepted",
                "Sign the image, or correct the signature policy of the container runtime on its node.",
            ),
        ),
        (
            r"short-name .* did not resolve to an alias|short-name resolution enforced",
            Refusal(
                "pod-image-name",
                "it names no registry, and the container runtime of its node assumes none",
                "Write the image with its registry, such as docker.io/library/nginx.",
                page="image",
            ),
        ),
        (
            r"content digest \S+ not found|failed to get reader from content store",
            Refusal(
                "pod-image-pull",
                "a part of what was pulled earlier is gone from its node",
                "Remove the image from its node, so that it is pulled again; if that does not help, push it again.",
            ),
        ),
        (
            r"manifest\.v1\+\w+\S* is no longer supported",
            Refusal(
                "pod-image-pull",
                "its manifest is of schema 1, which the container runtime no longer reads",
                "Build and push the image again with a present-day builder.",
            ),
        ),
        (
            r"credential provider plugin",
            Refusal(
                "pod-image-pull",
                "the kubelet's credential provider failed",
                "Look at the kubelet's log on its node, and at its image credential provider.",
            ),
        ),
        (
            r"read-only file system",
            Refusal(
                "pod-image-pull",
                "the file system of its node can't be written",
                "Look at its node: a disk with errors is mounted read-only.",
            ),
        ),
        (r"unexpected media type", _UNKNOWN),
        (
            r"no match for platform|no matching manifest|exec format",
            Refusal(
                "pod-image-platform",
                "the image has no build for the platform of its node",
                "Build the image for that platform, or select nodes with an architecture that it supports.",
                page="image",
            ),
        ),
        (
            r"no space left",
            Refusal(
                "pod-image-no-disk", "its node has no disk space left for it", "Free disk space on the node."
            ),
        ),
        (
            r"pull QPS exceeded",
            Refusal(
                "pod-pull-throttled",
                "the kubelet of its node pulls as many images as it may at the moment (registryPullQPS)",
                "Wait: the kubelet tries again. Where that lasts, raise registryPullQPS in its configuration.",
                lambda _: "",
            ),
        ),
        (
            r"toomanyrequests|too many requests|rate limit|\b429\b",
            Refusal(
                "pod-registry-limit",
                "the registry's rate limit is reached",
                "Wait, or authenticate with an imagePullSecret.",
                registry_of,
            ),
        ),
        (
            r"unauthorized|denied|forbidden|authentication required|authorization failed|no basic auth|\b40[13]\b",
            Refusal(
                "pod-image-denied",
                "the registry denies access: the image is private, or does not exist",
                "Add an imagePullSecret for that registry, or correct the image.",
                page="image",
            ),
        ),
        (
            r"no such host|server misbehaving|timeout|timed out|deadline exceeded|refused|unreachable|i/o|x509|tls:|"
            r"HTTP response to HTTPS|connection reset|\bEOF\b|\b50[0-4]\b",
            Refusal(
                "pod-registry-unreachable",
                "the registry cannot be reached from its node",
                "Check the name of the registry, and that the nodes can reach it.",
                registry_of,
            ),
        ),
        (
            r"not found|manifest unknown|name unknown|does not exist|\b404\b",
            Refusal(
                "pod-image-not-found",
                "the registry has no such image or tag",
                "Correct the image in its pod template, or push that tag.",
                page="image",
            ),
        ),
    )
)
# Why a registry cannot be reached, and what to do where that is not to look at its name and the network.
_RENEW = "Renew the registry's certificate."
_TRUST = "Have the container runtime of the nodes trust the registry's authority."
_PLAIN = "Serve the registry by HTTPS, or configure it in the container runtime of the nodes as one that speaks HTTP."
_ITS_OWN = "Wait: the registry has trouble of its own; if that lasts, look at it."
_PLACES = {
    "proxyconnect": (
        "the proxy on the way to it does not answer",
        "Check the proxy that the container runtime of its node is given (HTTPS_PROXY, NO_PROXY).",
    ),
    "500 Internal Server Error": ("it answers 500", _ITS_OWN),
    "502 Bad Gateway": ("it answers 502", _ITS_OWN),
    "503 Service Unavailable": ("it answers 503", _ITS_OWN),
    "504 Gateway": ("it answers 504", _ITS_OWN),
    "no such host": ("its host name can't be resolved", ""),
    "server misbehaving": ("its host name can't be resolved", ""),
    "certificate has expired": ("its certificate has expired", _RENEW),
    "x509": ("its certificate is not trusted", _TRUST),
    "HTTP response to HTTPS": ("it speaks HTTP, not HTTPS", _PLAIN),
    "refused": ("connection refused", ""),
    "timeout": ("the connection timed out", ""),
    "timed out": ("the connection timed out", ""),
    "deadline exceeded": ("the connection timed out", ""),
}


def cannot_pull(case: Case) -> Trouble | None:
    """The image is not there, not allowed, or the registry does not answer."""
    for status, _ in case.containers():
        waiting = status.state.waiting
        if waiting is not None and waiting.reason in PULLS:
            return _told(case, status)
    return None


def _told(case: Case, status: ContainerStatus) -> Trouble:
    waiting = status.state.waiting
    reason, message = (waiting.reason, waiting.message) if waiting else ("", "")
    spec = case.spec_of(status)
    image = _of_a_volume(case, message, (spec.image if spec else "") or status.image)
    # While it backs off, the registry's own answer may stand in an earlier Event only.
    events = case.survey.events(case.pod.metadata.uid, *_EVENTS)
    answers = [f"{reason}: {message}", *(event.message for event in events)]
    refusal, answer = _refusal(reason, image, answers)
    evidence = (*waiting_as(status), *_pull_events(answer, events))
    why, rule, page = parts(refusal.why), refusal.rule, refusal.page
    if refusal is _UNKNOWN and (said := _last_words(answers)):
        why = parts(said)
    step = case.image_step(refusal.step) if page == "image" else case.look(refusal.step, page)
    if rule == "pod-registry-unreachable":
        place, mend = _place(without_image(image, answer))
        why = parts(f"registry {registry_of(image)} cannot be reached from its node{place}")
        step = case.look(mend or refusal.step, page)
    if rule in ("pod-image-denied", "pod-image-not-found", "pod-image-pull"):
        secret = _missing_secret(case)
        if secret and rule == "pod-image-not-found":  # most registries say so of a tag alone
            why = parts(*why, "; its pull secret ", code(secret), " does not exist either")
            evidence = (*evidence, Evidence("imagePullSecrets", _secrets(case)))
        elif secret:
            rule, why = "pod-pull-secret-missing", parts("its pull secret ", code(secret), " does not exist")
            step = Step(
                f"Create Secret {secret} of type kubernetes.io/dockerconfigjson in {case.namespace}, or correct"
                " its name; the pod then starts by itself.",
                case.ref,
            )
            if elsewhere := [
                each for each in case.survey.secret_places.get(secret, ()) if each != case.namespace
            ]:
                step = Step(
                    f"Copy Secret {secret} from {elsewhere[0]} to {case.namespace}: pods take pull secrets of their own"
                    " namespace only; the pod then starts by itself.",
                    case.ref,
                )
            evidence = (*evidence, Evidence("imagePullSecrets", _secrets(case)))
        elif rule == "pod-image-denied" and _secrets(case):
            why = parts(f"the registry denies access, although it has pull secret {_secrets(case)}")
            step = case.look(
                f"Check that the pull secret is for {registry_of(image)} and still valid, or correct the image."
            )
            if unread := _unread_secret(case):
                name, kind = unread
                why = parts(
                    "its pull secret ", code(name), f" is of type {kind}, which is not read for images"
                )
                step = case.look(f"Recreate Secret {name} with type {PULL_TYPES[0]}.")
            evidence = (*evidence, Evidence("imagePullSecrets", _secrets(case)))
    rest: Parts = parts(" ", code(image), ": ", *why)
    return Trouble(
        rule, "bad", 65, "cannot pull its image", "cannot pull their image", rest, step, evidence,
        case.since("PodScheduled"), shared=f"{refusal.shared(image)}:{rule}",
    )  # fmt: skip


def _of_a_volume(case: Case, message: str, image: str) -> str:
    """The image that is meant: a container waits for those of its volumes too, and its status names which."""
    named = _PULLED.search(message) if any(one.image for one in case.pod.spec.volumes or ()) else None
    return named[1] if named and not named[1].startswith(image) else image


def _refusal(reason: str, image: str, answers: list[str]) -> tuple[Refusal, str]:
    if reason in _REASONS:
        return _REASONS[reason], ""
    for answer in answers:
        said = without_image(image, answer)
        for pattern, refusal in _ANSWERS:
            if pattern.search(said):
                return refusal, answer
    return _UNKNOWN, ""


def _last_words(answers: list[str]) -> str:
    """What was said without which image it was said of; "" where nobody said more than that it failed."""
    every = (_OWN_WORDS.sub("", answer, count=1) for answer in answers)
    return next((shorten(said.rpartition('": ')[2]).rstrip(".") for said in every if said), "")


def _pull_events(answer: str, events: list[Event]) -> tuple[Evidence, ...]:
    return reported(next((event for event in events if event.message == answer), None))


def _place(answer: str) -> tuple[str, str]:
    found = next((said for sign, said in _PLACES.items() if sign.lower() in answer.lower()), None)
    return (f": {found[0]}", found[1]) if found else ("", "")


def _unread_secret(case: Case) -> tuple[str, str] | None:
    """The first of its pull secrets, with its type, where none is of a type that is read (MakeDockerKeyring)."""
    found = [
        (one.name, secret.secret_type)
        for one in case.pod.spec.image_pull_secrets or ()
        if (secret := case.survey.objects.get("secrets", case.namespace, one.name)) is not None
    ]
    return found[0] if found and all(kind not in PULL_TYPES for _, kind in found) else None


def _secrets(case: Case) -> str:
    return ", ".join(one.name for one in case.pod.spec.image_pull_secrets or ())


def _missing_secret(case: Case) -> str:
    """A pull secret of the pod that does not exist, or "". Where Secrets may not be listed, the kubelet's word counts."""
    names = [one.name for one in case.pod.spec.image_pull_secrets or ()]
    if case.survey.reads("secrets", case.namespace):
        return next((name for name in names if case.survey.lacks("secrets", case.namespace, name)), "")
    event = case.event(_NOT_RETRIEVED)
    said = _NAMED.search(event.message) if event is not None else None
    return next((name for name in names if said and name in said[1].split(", ")), "")
